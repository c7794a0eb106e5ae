"""Where the structures of a training set come from: CIF files, folders of them, and tables in the form of MP-20's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xtal_core.errors import InputError, StructureError
from xtal_core.provenance import sha256
from xtal_core.readers.structure_table import SUFFIXES, iterate_structure_table
from xtal_core.readers.text_files import read_text

CIF_SUFFIXES = (".cif", ".mcif")

_WANTED = "CIF files, folders of CIF files, or tables (.csv, .csv.gz) with a column 'cif'"


@dataclass(frozen=True)
class RawText:
    """The text of a CIF, as it was found.

    Attributes
    ----------
    name
        What its table calls it, or its file.
    place
        Where it is, for messages.
    cif
        The text; empty when there is none.
    """

    name: str
    place: str
    cif: str

    @property
    def digest(self) -> bytes:
        """(16 bytes) hash of the text."""
        return hashlib.blake2b(self.cif.encode(), digest_size=16).digest()


@dataclass(frozen=True)
class Source:
    """A file or folder that the user named.

    Attributes
    ----------
    path
        As it was given.
    files
        Itself, or the CIF files in it, at any depth and in order.
    """

    path: Path
    files: tuple[Path, ...]

    @classmethod
    def find(cls, path: Path) -> Source:
        """Return the source at `path`. Raises InputError when there is nothing of use."""
        if path.is_dir():
            files = tuple(sorted(file for file in path.rglob("*") if file.name.lower().endswith(CIF_SUFFIXES)))
            if not files:
                raise InputError("the folder holds no CIF file", f"give {_WANTED}", path)
            return cls(path, files)
        if not path.exists():
            raise InputError("there is no such file or folder", f"give {_WANTED}", path)
        if not path.name.lower().endswith(CIF_SUFFIXES + SUFFIXES):
            raise InputError("is neither a CIF file nor a table", f"give {_WANTED}", path)
        return cls(path, (path,))

    @property
    def sha256(self) -> str:
        """Of the file; for a folder, of the names and SHA-256 of what is in it, as `sha256sum` lists them."""
        if not self.path.is_dir():
            return sha256(self.path)
        listing = "".join(f"{sha256(file)}  {file.relative_to(self.path).as_posix()}\n" for file in self.files)
        return hashlib.sha256(listing.encode()).hexdigest()

    def texts(self) -> Iterator[RawText]:
        """Yield the texts in order. Raises InputError for a table that cannot be read."""
        for file in self.files:
            if file.name.lower().endswith(SUFFIXES):
                for row in iterate_structure_table(file):
                    yield RawText(row.name, f"{file}, line {row.line}", row.cif)
            else:
                name = file.relative_to(self.path).as_posix() if self.path.is_dir() else file.name
                yield RawText(name, str(file), _text_of(file))


def find_sources(paths: Sequence[Path]) -> list[Source]:
    """Return the sources at `paths`, each once. Raises InputError when one holds nothing of use."""
    return [Source.find(path) for path in dict.fromkeys(paths)]


def _text_of(file: Path) -> str:
    """Return the text of a CIF file; nothing when it is empty, binary or unreadable, as one of thousands may be."""
    try:
        return read_text(file, StructureError, "a CIF file")
    except StructureError:
        return ""
