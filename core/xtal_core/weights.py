"""The store of weights: found by name or path, verified by their SHA-256, fetched when a package does not carry them.

Weights are safetensors files: arrays and texts, no code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from xtal_core.download import download
from xtal_core.errors import InputError, OptionError
from xtal_core.hookspecs import WeightsRecord
from xtal_core.progress import Progress
from xtal_core.provenance import sha256
from xtal_core.registry import Registry, installed_registry
from xtal_core.suggest import suggest

SUFFIX = ".safetensors"

#: The text of a file's metadata that names the model it is for.
MODEL = "model"


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights that is what it should be.

    Attributes
    ----------
    path
        Where it is.
    sha256
        Of all of it, in hexadecimal digits.
    metadata
        The texts in it; `MODEL` names the model, the others are that model's.
    """

    path: Path
    sha256: str
    metadata: Mapping[str, str]


def find_weights(
    choice: WeightsRecord | str | Path, model: str | None = None, registry: Registry | None = None
) -> WeightsFile:
    """Return the weights that `choice` names, verified.

    Parameters
    ----------
    choice
        A record, the name of one that a plugin offers, or the path of a file of one's own.
    model
        The model they must be for.
    registry
        Where names are looked up; by default the installed plugins.

    Raises
    ------
    OptionError
        For a name that nobody offers.
    InputError
        For a file that is not there, not the one that was recorded, not weights, or of another model.
    """
    if isinstance(choice, WeightsRecord):
        return _load(weights_path(choice), model, choice.sha256)
    offered = (registry or installed_registry()).weights
    if str(choice) in offered:
        return find_weights(offered[str(choice)].record, model)
    path = Path(choice).expanduser()
    if not path.is_file() and path.suffix != SUFFIX:
        hint = suggest(str(choice), offered, "installed weights are") if offered else "no package installed has any"
        remedy = f"{hint}; train some with xtal train {model or 'MODEL'} and give the path of the {SUFFIX} file"
        raise OptionError(f"there are no weights '{choice}'", remedy)
    return _load(path, model)


def weights_path(record: WeightsRecord) -> Path:
    """Return where the file of `record` is, or would be once it is fetched."""
    if record.is_remote:
        return weights_folder() / Path(urlsplit(record.file).path).name
    return packaged_file(record.file)


def packaged_file(name: str) -> Path:
    """Return the path of "package/folder/file" of an installed package. Raises InputError without the package."""
    package, _, inside = name.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"the package {package} is not installed", "install the plugin again", name)
    return Path(spec.submodule_search_locations[0]) / inside


def weights_folder() -> Path:
    """Return where fetched weights are kept: the folder XTAL_WEIGHTS, else one in the user's data folder."""
    chosen = os.environ.get("XTAL_WEIGHTS")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("xtal", appauthor=False) / "weights"


def fetch_weights(record: WeightsRecord, progress: Progress | None = None) -> WeightsFile:
    """Fetch what is not here yet, and return the weights of `record`, verified.

    Raises
    ------
    XtalError
        When the server cannot be reached, or when what it sends is not the file that was recorded.
    """
    path = weights_path(record)
    if record.is_remote and not (path.is_file() and sha256(path) == record.sha256):
        remedy = f"connect to the network and repeat the command, or get the file elsewhere and put it at {path}"
        download(record.file, path, sha256=record.sha256, progress=progress, remedy=remedy)
    return find_weights(record)


def verify(record: WeightsRecord) -> str:
    """Return in a few words that the weights of `record` are what they should be, or still to be fetched.

    Raises InputError when they are anything else.
    """
    if record.is_remote and not weights_path(record).is_file():
        return f"not fetched: xtal weights fetch {record.name}"
    find_weights(record)
    return "verified"


def _load(path: Path, model: str | None, expected: str | None = None) -> WeightsFile:
    """Return the weights at `path`. Raises InputError when they are not `expected` or not those of `model`."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        remedy = "fetch them with xtal weights fetch, or give the path of a file" if expected else "check the path"
        raise InputError("there are no weights here", remedy, path)
    found = sha256(path)
    if expected is not None and found != expected:
        remedy = "remove the file and fetch it again, or install the plugin again"
        raise InputError(f"the weights have the SHA-256 {found} instead of {expected}", remedy, path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise InputError(f"is not a complete {SUFFIX} file ({error})", "give one that xtal train wrote", path) from None
    if model is not None and metadata.get(MODEL) != model:
        whose = f"are weights of {metadata[MODEL]}" if MODEL in metadata else "does not say of which model it is"
        raise InputError(f"{whose}, not of {model}", "give one that xtal train wrote for this model", path)
    return WeightsFile(path, found, metadata)
