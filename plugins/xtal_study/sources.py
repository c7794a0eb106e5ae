"""Where the structures of a study come from: structure files, folders of them, tables with CIF texts, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xtal_core.errors import InputError, StructureError
from xtal_core.progress import Progress
from xtal_core.readers.structure_table import SUFFIXES as TABLE_SUFFIXES
from xtal_core.readers.structure_table import iterate_structure_table
from xtal_core.workers import in_order
from xtal_study.structure_symmetry import structure_type

if TYPE_CHECKING:
    from pymatgen.core import Structure

_FILE_SUFFIXES = (".cif", ".mcif", ".vasp", ".poscar", ".json")
_WANTED = "give structure files, folders of them, or CSV(.gz) tables with the column cif"

#: Structures a worker reads at a time.
_CHUNK = 16


@dataclass(frozen=True)
class Entry:
    """A structure that has not been read yet.

    Attributes
    ----------
    name
        Under which the study lists it.
    path
        The file it is in.
    cif
        Its text when the file is a table; empty when the file is the structure.
    reference
        Name of the structure that it is a candidate for; empty for a structure in its own right.
    """

    name: str
    path: Path
    cif: str = ""
    reference: str = ""


@dataclass(frozen=True, eq=False)
class Known:
    """A structure of the study.

    Attributes
    ----------
    name, reference
        As in `Entry`.
    structure
        In the cell of its file.
    type
        Its structure type, see `xtal_study.structure_symmetry.structure_type`.
    """

    name: str
    reference: str
    structure: Structure
    type: str


@dataclass(frozen=True)
class Refusal:
    """A structure that takes no part in the study, and why."""

    name: str
    reason: str


def find_entries(paths: Iterable[Path]) -> list[Entry]:
    """Return the structures at `paths`, in order; rows of a table are called as `TableRow` says.

    Raises InputError for paths that do not exist or hold nothing that is read here, and for two structures of one name.
    """
    entries: list[Entry] = []
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file() and _is_structure(file))
            if not found:
                raise InputError("the folder holds no structure file", _WANTED, path)
            entries += [Entry(file.relative_to(path).as_posix(), file) for file in found]
        elif not path.exists():
            raise InputError("there is no such file or folder", _WANTED, path)
        elif path.name.lower().endswith(TABLE_SUFFIXES):
            entries += _rows(path)
        elif _is_structure(path):
            entries.append(Entry(path.name, path))
        else:
            raise InputError("is neither a structure file nor a table", _WANTED, path)
    _refuse_repeated_names(entries)
    return entries


def find_candidates(folder: Path, references: Sequence[Entry]) -> list[Entry]:
    """Return the predictions in `folder`: a subfolder for each reference, named like it, with its candidates as CIF.

    A reference that is a file is found by its name with or without the suffix. Subfolders may also be missing, but not
    be of other names. Raises InputError when they are, and when there is none.
    """
    if not folder.is_dir():
        raise InputError("is not a folder", "give one with a subfolder of CIF files for each reference", folder)
    names = {Path(entry.name).stem: entry.name for entry in references if not entry.cif}
    names |= {entry.name: entry.name for entry in references}
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    strangers = [path.name for path in subfolders if path.name not in names]
    if strangers:
        raise InputError(
            f"there is no structure called {strangers[0]} among the sources ({len(strangers)} such subfolders)",
            "give the file that holds the references as a source",
            folder,
        )
    candidates = [
        Entry(f"{subfolder.name}/{file.name}", file, reference=names[subfolder.name])
        for subfolder in subfolders
        for file in sorted(subfolder.glob("*.cif"))
    ]
    if not candidates:
        raise InputError("holds no candidate", "give a folder with a subfolder of CIF files for each reference", folder)
    return candidates


def read_entries(entries: Sequence[Entry], jobs: int, progress: Progress) -> tuple[list[Known], list[Refusal]]:
    """Return the structures of `entries` that can be read, in order, and why others take no part.

    Refused are what `xtal_core.readers` refuses, files that hold several structures, partly occupied sites, and
    structures whose symmetry cannot be determined.
    """
    chunks = [entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK)]
    results = in_order(_reader, chunks, jobs, "study")
    known: list[Known] = []
    refusals: list[Refusal] = []
    for part in progress.track(results, "reading structures", len(chunks)):
        known += [result for result in part if isinstance(result, Known)]
        refusals += [result for result in part if isinstance(result, Refusal)]
    return known, refusals


def read_entry(entry: Entry) -> Known | Refusal:
    """Return the structure of `entry`, or why it takes no part."""
    from xtal_core.displacements import without_displacements
    from xtal_core.readers import read_structure
    from xtal_core.readers.structure_cif import structures_in_cif

    try:
        if entry.cif:
            structures = structures_in_cif(entry.cif, f"{entry.path} ({entry.name})")
            if len(structures) > 1:
                raise StructureError(f"holds {len(structures)} structures", "keep one of them", entry.name)
            structure = structures[0]
        else:
            structure = read_structure(entry.path)
        if not structure.is_ordered:
            raise StructureError("has partly occupied sites", "the study compares ordered structures", entry.name)
        structure.remove_oxidation_states()
        # The study changes cells and settings, which tensors would have to follow; it is about places, not motion.
        structure = without_displacements(structure)
        return Known(entry.name, entry.reference, structure, structure_type(structure))
    except InputError as error:
        return Refusal(entry.name, str(error))


def _reader() -> _Reader:
    return _Reader()


class _Reader:
    """Reads a chunk of entries; an object only because that is what workers are sent."""

    def __call__(self, entries: Sequence[Entry]) -> list[Known | Refusal]:
        return [read_entry(entry) for entry in entries]


def _is_structure(path: Path) -> bool:
    return path.name.lower().endswith(_FILE_SUFFIXES) or path.name.upper().startswith(("POSCAR", "CONTCAR"))


def _rows(path: Path) -> Iterator[Entry]:
    """Yield the structures of a table. Raises InputError when it cannot be read, or a row has no CIF."""
    for row in iterate_structure_table(path):
        if not row.cif.strip():
            raise InputError("the row has no cif", "remove it", path, row.line)
        yield Entry(row.name, path, row.cif)


def _refuse_repeated_names(entries: Sequence[Entry]) -> None:
    seen: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in seen:
            raise InputError(f"{entry.name} is there twice (also in {seen[entry.name].path})", "keep one", entry.path)
        seen[entry.name] = entry
