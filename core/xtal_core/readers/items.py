"""Reading what is to be compared: single files of any kind, tables of structures, and folders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xtal_core.errors import InputError, PatternError, StructureError
from xtal_core.item import Item, Kind, LeftOut
from xtal_core.pattern import Pattern
from xtal_core.progress import Progress, SilentProgress
from xtal_core.readers.patterns import AxisChoice, read_pattern
from xtal_core.readers.structure_checks import WANTED
from xtal_core.readers.structure_table import TableRow, is_structure_table, iterate_structure_table
from xtal_core.readers.structures import read_structure, read_structures
from xtal_core.readers.text_files import read_text

CIF_SUFFIXES = (".cif", ".mcif")
POSCAR_SUFFIXES = (".vasp", ".poscar")
POSCAR_NAMES = ("POSCAR", "CONTCAR")
JSON_SUFFIXES = (".json",)
PATTERN_SUFFIXES = (".xy", ".xye", ".dat", ".txt", ".csv", ".chi", ".pcif")


@dataclass(frozen=True)
class ItemReader:
    """How files become items.

    Attributes
    ----------
    own_suffixes
        Returns the endings of files that metrics read themselves; asked only when a file may be one.
    wavelength, axis
        As for `read_pattern`, for every pattern.
    """

    own_suffixes: Callable[[], Collection[str]]
    wavelength: str | None = None
    axis: AxisChoice = "auto"

    def read(self, path: Path) -> Item:
        """Return the one item in a file. Raises InputError, also for several structures, a table and a folder."""
        if path.is_dir() or is_structure_table(path):
            raise InputError("holds several structures", "give one file", path)
        kind = self._kind(path)
        if kind == "own":
            return Item(str(path), path)
        return Item(str(path), read_structure(path) if kind == "structure" else self._read_pattern(path))

    def read_all(self, paths: Sequence[Path], progress: Progress | None = None) -> tuple[list[Item], list[LeftOut]]:
        """Return the items in files, tables and folders, in order, and what cannot be read or has a name twice.

        A folder gives, searched at any depth, the files of the first of these kinds that it holds any of: CIF and
        POSCAR; pymatgen's JSON; files that metrics read themselves; patterns. Raises InputError for a path that does
        not exist, for a folder without any of them, and for a table that breaks off.
        """
        items: dict[str, Item] = {}
        left_out: list[LeftOut] = []
        files = [found for path in paths for found in self._files(path, len(paths) > 1)]
        for name, path in (progress or SilentProgress()).track(files, "reading"):
            for found in self._read_several(name, path):
                if isinstance(found, LeftOut):
                    left_out.append(found)
                elif found.name in items:
                    left_out.append(LeftOut(found.name, f"{path}: the name occurs before; the first was kept"))
                else:
                    items[found.name] = found
        return list(items.values()), left_out

    def _files(self, path: Path, several: bool) -> list[tuple[str, Path]]:
        """Return (name, path) of the files that `path` stands for."""
        if not path.exists():
            raise InputError("there is no such file or folder", f"give {WANTED}, a pattern, a table or a folder", path)
        if not path.is_dir():
            return [(str(path), path)]
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        kinds: tuple[Callable[[Path], bool], ...] = (
            lambda file: _ends_with(file, CIF_SUFFIXES + POSCAR_SUFFIXES) or file.name.upper().startswith(POSCAR_NAMES),
            lambda file: _ends_with(file, JSON_SUFFIXES),
            lambda file: _ends_with(file, self.own_suffixes()),
            lambda file: _ends_with(file, PATTERN_SUFFIXES) and not is_structure_table(file),
        )
        for belongs in kinds:
            found = [file for file in inside if belongs(file)]
            if found:
                return [(str(file) if several else file.relative_to(path).as_posix(), file) for file in found]
        raise InputError("the folder holds nothing to compare", "give one with structures or patterns in it", path)

    def _read_several(self, name: str, path: Path) -> Iterator[Item | LeftOut]:
        """Yield what is in a file: for CIFs of several blocks and lists in JSON, several structures."""
        if is_structure_table(path):
            for row in iterate_structure_table(path):
                yield _structure_of_row(row, path)
            return
        try:
            kind = self._kind(path)
            if kind == "structure":
                structures = read_structures(path)
                names = [name] if len(structures) == 1 else [f"{name}#{i}" for i in range(1, len(structures) + 1)]
                yield from map(Item, names, structures)
            else:
                yield Item(name, path if kind == "own" else self._read_pattern(path))
        except InputError as error:
            yield LeftOut(name, str(error))

    def _kind(self, path: Path) -> Kind:
        """Return what the file at `path` holds."""
        if _ends_with(path, CIF_SUFFIXES):
            return "pattern" if _is_powder_cif(path) else "structure"
        if _ends_with(path, POSCAR_SUFFIXES + JSON_SUFFIXES) or path.name.upper().startswith(POSCAR_NAMES):
            return "structure"
        if _ends_with(path, PATTERN_SUFFIXES) or not _ends_with(path, self.own_suffixes()):
            return "pattern"
        return "own"

    def _read_pattern(self, path: Path) -> Pattern:
        try:
            return read_pattern(path, self.wavelength, self.axis)
        except PatternError as error:
            if _ends_with(path, PATTERN_SUFFIXES + CIF_SUFFIXES):
                raise
            # Only its contents could say that it is a pattern: perhaps it was not meant to be one.
            raise PatternError(error.problem, f"{error.remedy}; or give {WANTED}", error.path, error.line) from None


def _structure_of_row(row: TableRow, path: Path) -> Item | LeftOut:
    from xtal_core.readers.structure_cif import structures_in_cif

    place = f"{path}, line {row.line}"
    try:
        if not row.cif.strip():
            raise StructureError("the cell of the column 'cif' is empty", "fill it or remove the row", path, row.line)
        structures = structures_in_cif(row.cif, place)
        if len(structures) > 1:
            raise StructureError(f"holds {len(structures)} structures", "keep one of them", path, row.line)
    except StructureError as error:
        return LeftOut(row.name, str(error))
    return Item(row.name, structures[0])


def _is_powder_cif(path: Path) -> bool:
    """Return whether a CIF holds a powder pattern and no atoms."""
    text = read_text(path, StructureError, f"{WANTED}, or a powder CIF").lower()
    return "_pd_" in text and "_atom_site_fract_" not in text


def _ends_with(path: Path, suffixes: Collection[str]) -> bool:
    return path.name.lower().endswith(tuple(suffixes))
