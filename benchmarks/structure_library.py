"""The structure library that a benchmark searches: made of the training sets once, a given file, or none."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_sets import ROOT, data_file
from xtal_core.cli.app import main as xtal
from xtal_core.errors import InputError, XtalError
from xtal_core.provenance import sha256

#: Tables of structures that a library may be made of, by its name on the command line.
MADE_OF = {"train": ("mp20/train",), "known": ("mp20/train", "mp52_extra/train")}

#: How options that name a library explain themselves.
CHOICES = "train|known|table|FILE"


@dataclass(frozen=True)
class Library:
    """What a benchmark searches besides what the package carries.

    Attributes
    ----------
    name
        As the results call it.
    path
        The library file; None when only the prototype table and AFLOW's prototypes are searched.
    """

    name: str
    path: Path | None

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The options that make the search use it and no other."""
        return {"prototype": {"use_library": False} if self.path is None else {"library": str(self.path)}}

    @property
    def sha256(self) -> str | None:
        """The hash of the file, if there is one."""
        return None if self.path is None else sha256(self.path)


#: Where no generator searches known structures.
NOT_SEARCHED = Library("not searched", None)


def find_library(choice: str, work: Path, jobs: int) -> Library:
    """Return the library that `choice` names: a key of `MADE_OF`, "table" (none at all) or a library file.

    The former are made by `xtal library add` in `work` by `jobs` processes, which takes some minutes, unless there.
    """
    if choice == "table":
        return Library("none", None)
    if choice in MADE_OF:
        tables = MADE_OF[choice]
        return Library(" and ".join(tables), _made_library(choice, tables, work, jobs))
    path = Path(choice).resolve()
    if not path.is_file():
        raise InputError(
            "there is no such library", f"give {', '.join(MADE_OF)}, table or a file made by xtal library add", path
        )
    return Library(path.name, path)


def digest_of_files(folders: list[Path], pattern: str = "*", leave_out: Collection[str] = ()) -> str:
    """Return a hash of the names and contents of the files in `folders`, at any depth, whose names match `pattern`.

    Files with one of the names in `leave_out` do not count.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts and path.name not in leave_out:
                digest.update(f"{path.relative_to(folder)} {sha256(path)}\n".encode())
    return digest.hexdigest()


def _made_library(name: str, tables: Sequence[str], work: Path, jobs: int) -> Path:
    """Return the library of the `tables` as the present program makes it."""
    files = [data_file(f"{table}.csv.gz") for table in tables]
    # Labels and standard cells in a library are this plugin's work: another version makes another library.
    plugin = digest_of_files([ROOT / "plugins" / "xtal_prototype"], "*.py")
    made_of = " ".join([*(sha256(file) for file in files), plugin])
    path = work / "library" / f"{name}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}.sqlite"
    if not path.is_file():
        draft = path.with_suffix(".part")
        if xtal(["library", "add", *map(str, files), "--library", str(draft), "--jobs", str(jobs)]) != 0:
            raise XtalError(f"the library of {' and '.join(tables)} could not be made")
        draft.replace(path)
    return path
