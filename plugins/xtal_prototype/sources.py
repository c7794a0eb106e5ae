"""Where the structures of a library come from: CIF files, folders of them, and tables in the form of MP-20."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xtal_core.errors import InputError
from xtal_core.readers.structure_table import SUFFIXES as TABLE_SUFFIXES
from xtal_core.readers.structure_table import iterate_structure_table

_CIF_SUFFIXES = (".cif", ".cif.gz")
_WHAT_IS_READ = "give CIF files, folders of CIF files, or CSV tables with a column cif"


@dataclass(frozen=True)
class RawStructure:
    """The text of one structure.

    Attributes
    ----------
    source
        Its name in the collection.
    cif
        CIF text with one data block.
    label
        Protostructure label that the collection gives it, if any.
    """

    source: str
    cif: str
    label: str | None = None

    @property
    def digest(self) -> bytes:
        """(16 bytes) hash of what it says."""
        return hashlib.blake2b(f"{self.label}\n{self.cif}".encode(), digest_size=16).digest()


def find_files(paths: Iterable[Path]) -> list[tuple[str, Path]]:
    """Return (name, path) of every file to read, folders searched for CIF files at any depth.

    Raises InputError for a path that does not exist, a file of another kind, and a folder without CIF files.
    """
    files: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.name.lower().endswith(_CIF_SUFFIXES))
            if not found:
                raise InputError("the folder holds no CIF file", _WHAT_IS_READ, path)
            files += [(file.relative_to(path).as_posix(), file) for file in found]
        elif not path.exists():
            raise InputError("there is no such file or folder", _WHAT_IS_READ, path)
        elif path.name.lower().endswith(_CIF_SUFFIXES + TABLE_SUFFIXES):
            files.append((path.name, path))
        else:
            raise InputError("this is neither a CIF file nor a CSV table", _WHAT_IS_READ, path)
    return files


def count_structures(files: Iterable[tuple[str, Path]]) -> int:
    """Return how many structures `files` hold, every CIF file taken as one."""
    return sum(sum(1 for _ in iterate_structure_table(path)) if _is_table(path) else 1 for _, path in files)


def iterate_structures(files: Iterable[tuple[str, Path]]) -> Iterator[RawStructure]:
    """Yield the structures of `files` in order.

    Raises InputError when a file cannot be read at all.
    """
    for name, path in files:
        yield from _structures_of_table(path) if _is_table(path) else _structures_of_cif(name, path)


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLE_SUFFIXES)


def _structures_of_table(path: Path) -> Iterator[RawStructure]:
    for row in iterate_structure_table(path):
        yield RawStructure(row.name, row.cif, row.columns.get("protostructure", "").strip() or None)


def _structures_of_cif(name: str, path: Path) -> Iterator[RawStructure]:
    """Yield one structure for each data block that has atoms; the whole text when gemmi cannot split it."""
    import gemmi

    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.name.lower().endswith(".gz") else data).decode("utf-8", "replace")
    except (OSError, EOFError) as error:
        raise InputError(f"the file cannot be read ({error})", "check that it is complete", path) from None
    try:
        blocks = [block for block in gemmi.cif.read_string(text) if block.find_values("_atom_site_fract_x")]
    except (ValueError, RuntimeError):
        blocks = []  # Whoever parses the text says what is wrong with it.
    if len(blocks) < 2:
        yield RawStructure(name, blocks[0].as_string() if blocks else text)
    else:
        for block in blocks:
            yield RawStructure(f"{name}#{block.name}", block.as_string())
