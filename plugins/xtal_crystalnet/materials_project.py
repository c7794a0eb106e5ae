"""Charge densities of the Materials Project, fetched with its own client `mp-api` and the user's key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from xtal_core.errors import InputError, XtalError
from xtal_core.progress import Progress, SilentProgress
from xtal_crystalnet.density_files import from_chgcar, write_chgcar

if TYPE_CHECKING:
    from pymatgen.io.vasp import Chgcar

#: The environment variable with the user's key.
KEY_VARIABLE = "MP_API_KEY"

#: mp-149, mvc-2970 and the like; anything else could be a path.
_MATERIAL_ID = re.compile(r"[a-z]+-[a-z0-9]+")


class Client(Protocol):
    """What is needed of `mp_api.client.MPRester`."""

    def get_charge_density_from_material_id(self, material_id: str) -> Chgcar | None:
        """Return the density of a material, None when there is none."""


@dataclass(frozen=True)
class Fetched:
    """What became of the materials that were asked for.

    Attributes
    ----------
    written
        Files that were written now.
    present
        Files that were there already.
    failures
        Reasons by material id.
    """

    written: tuple[Path, ...]
    present: tuple[Path, ...]
    failures: dict[str, str]


def fetch_densities(
    material_ids: Iterable[str],
    folder: str | Path,
    *,
    api_key: str | None = None,
    client: Client | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Write the total charge density of every material to `folder`/CHGCAR_ID.gz and say what became of each.

    Files that are there stay, so that an interrupted call is continued by the same call. A material without a density,
    or one that cannot be fetched, does not keep the others from being fetched.

    Parameters
    ----------
    material_ids
        "mp-149" and the like.
    folder
        Is made when it is not there.
    api_key
        The key of the Materials Project; by default that in the environment variable MP_API_KEY.
    client
        What to ask instead of a new client.
    progress
        Where to show how many materials are done.

    Raises
    ------
    InputError
        When there is something to fetch, but no key or no mp-api; when the folder cannot be made.
    """
    folder = Path(folder)
    paths: dict[str, Path] = {}
    failures: dict[str, str] = {}
    for material_id in material_ids:
        try:
            paths[material_id] = density_path(folder, material_id)
        except InputError as error:
            failures[material_id] = str(error)
    present = {material_id: path for material_id, path in paths.items() if path.is_file()}
    missing = [material_id for material_id in paths if material_id not in present]
    if missing:
        failures |= _fetch_all(missing, paths, client or _open_client(api_key), progress or SilentProgress())
    return Fetched(
        written=tuple(paths[each] for each in missing if each not in failures),
        present=tuple(present.values()),
        failures=failures,
    )


def density_path(folder: str | Path, material_id: str) -> Path:
    """Return where the density of a material is kept in `folder`. Raises InputError for what is no material id."""
    if not _MATERIAL_ID.fullmatch(material_id):
        raise InputError(f"'{material_id}' is not a material id", "they look like mp-149")
    return Path(folder) / f"CHGCAR_{material_id}.gz"


def _fetch_all(missing: list[str], paths: dict[str, Path], client: Client, progress: Progress) -> dict[str, str]:
    """Write the densities that are missing, and return why some could not be, by material id.

    Raises InputError when their folder cannot be made.
    """
    folder = paths[missing[0]].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder cannot be made ({error.strerror})", "choose another place", folder) from None
    failures = {}
    for material_id in progress.track(missing, "densities", len(missing)):
        try:
            chgcar = client.get_charge_density_from_material_id(material_id)
            if chgcar is None:
                failures[material_id] = "the Materials Project has no charge density of it"
            else:
                write_chgcar(paths[material_id], *from_chgcar(chgcar))
        except XtalError as error:
            failures[material_id] = str(error)
        except Exception as error:  # whatever the client meets: network, server, a document it cannot read
            failures[material_id] = f"{type(error).__name__}: {error}"
    return failures


def _open_client(api_key: str | None) -> Client:
    """Return a client of the Materials Project. Raises InputError without a key it accepts or without mp-api."""
    key = api_key or os.environ.get(KEY_VARIABLE)
    if not key:
        remedy = f"put the key of your account (materialsproject.org/api) into the environment variable {KEY_VARIABLE}"
        raise InputError("charge densities of the Materials Project need a key", remedy)
    try:
        module = import_module("mp_api.client")
    except ImportError as error:
        remedy = "install it with pip install mp-api"
        raise InputError(f"the Materials Project needs the package mp-api ({error})", remedy) from None
    try:
        return module.MPRester(key, mute_progress_bars=True)
    except Exception as error:  # its own kinds differ between versions
        raise InputError(f"mp-api does not accept the key ({error})", f"check it, or {KEY_VARIABLE}") from None
