"""Structure libraries: every known structure of a collection as a template, in one SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray
from xtal_prototype.template import Template

#: Marks a SQLite file as one of ours ("xtal" in ASCII) and says which tables it has.
_APPLICATION_ID = 0x7874616C
SCHEMA_VERSION = 1

_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    digest BLOB NOT NULL,
    formula TEXT NOT NULL,
    anonymous TEXT NOT NULL,
    label TEXT NOT NULL,
    space_group INTEGER NOT NULL,
    z_primitive INTEGER NOT NULL,
    z_conventional INTEGER NOT NULL,
    lattice BLOB NOT NULL,
    fractional BLOB NOT NULL,
    numbers BLOB NOT NULL,
    orbits BLOB NOT NULL,
    UNIQUE (digest, source)
);
CREATE INDEX entries_by_composition ON entries (anonymous, label);
CREATE INDEX entries_by_formula ON entries (formula);
CREATE TABLE refusals (
    source TEXT NOT NULL,
    digest BLOB NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (digest, source)
);
"""


@dataclass(frozen=True, eq=False)
class LibraryEntry:
    """One structure as stored: where it comes from and its standard primitive cell.

    Attributes
    ----------
    source
        Name of the structure in its collection.
    digest
        Hash of the text it was read from; together with `source` it identifies an entry.
    formula
        Reduced formula.
    anonymous, label, lattice, fractional, numbers, orbits, space_group, z_primitive, z_conventional
        As in `Template`.
    """

    source: str
    digest: bytes
    formula: str
    anonymous: str
    label: str
    space_group: int
    z_primitive: int
    z_conventional: int
    lattice: FloatArray
    fractional: FloatArray
    numbers: IntArray
    orbits: IntArray


@dataclass(frozen=True)
class Refusal:
    """A structure that was not taken into the library, and why."""

    source: str
    digest: bytes
    reason: str


@dataclass(frozen=True)
class LibraryCounts:
    """What a library holds."""

    structures: int
    types: int
    compositions: int
    refused: int


def library_path(explicit: str | Path | None = None) -> Path:
    """Return the library file to use: `explicit`, else the variable XTAL_LIBRARY, else the user's data folder."""
    chosen = explicit or os.environ.get("XTAL_LIBRARY")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("xtal", appauthor=False) / "library.sqlite"


class StructureLibrary:
    """A library file, open for search or for adding.

    Use it as a context manager, or call `close`.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, *, is_new: bool = False):
        self._connection = connection
        self._is_new = is_new
        self.path = path

    @classmethod
    def open(cls, path: str | Path) -> StructureLibrary:
        """Open a library read-only. Raises InputError when there is none at `path`."""
        path = Path(path)
        if not path.is_file():
            raise InputError("there is no structure library here", "make one with xtal library add", path)
        library = cls(_connect(path, f"{path.resolve().as_uri()}?mode=ro"), path)
        library._check_schema()
        return library

    @classmethod
    def open_for_adding(cls, path: str | Path) -> StructureLibrary:
        """Open a library for adding structures, and create it when there is none."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"the folder cannot be made ({error.strerror})", "choose another place", path) from None
        is_new = not path.exists() or path.stat().st_size == 0
        library = cls(_connect(path, path.resolve().as_uri()), path, is_new=is_new)
        if is_new:
            library._write_schema()
        library._check_schema()
        return library

    def close(self) -> None:
        """Close the file; one that was created here and has got no structure is removed."""
        is_useless = self._is_new and not self.counts().structures
        self._connection.close()
        if is_useless:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> StructureLibrary:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def add(self, entries: Iterable[LibraryEntry], refusals: Iterable[Refusal] = ()) -> None:
        """Store structures, and what was refused, in one transaction; what is there already is left alone."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR IGNORE INTO entries (source, digest, formula, anonymous, label, space_group, z_primitive,"
                " z_conventional, lattice, fractional, numbers, orbits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(entry.source, entry.digest, entry.formula, entry.anonymous, entry.label, entry.space_group),
                        *(entry.z_primitive, entry.z_conventional),
                        np.asarray(entry.lattice, "<f8").tobytes(),
                        np.asarray(entry.fractional, "<f8").tobytes(),
                        np.asarray(entry.numbers, "<u1").tobytes(),
                        np.asarray(entry.orbits, "<u2").tobytes(),
                    )
                    for entry in entries
                ],
            )
            self._connection.executemany(
                "INSERT OR IGNORE INTO refusals (source, digest, reason) VALUES (?, ?, ?)",
                [(refusal.source, refusal.digest, refusal.reason) for refusal in refusals],
            )

    def seen(self) -> set[tuple[str, bytes]]:
        """Return (source, digest) of everything that was added or refused before."""
        rows = self._connection.execute(
            "SELECT source, digest FROM entries UNION ALL SELECT source, digest FROM refusals"
        )
        return set(rows)

    def templates(self, anonymous: str, z: int | None = None) -> list[Template]:
        """Return the templates of an anonymous composition, the most frequent types first.

        `z` formula units may be those of the primitive or of the conventional cell; None takes all.
        """
        condition, arguments = "anonymous = ?", [anonymous]
        if z is not None:
            condition, arguments = condition + " AND ? IN (z_primitive, z_conventional)", [anonymous, z]
        return self._templates(condition, arguments)

    def templates_of_size(self, n_atoms: int) -> list[Template]:
        """Return the templates with `n_atoms` atoms in the primitive cell, whatever their composition."""
        return self._templates("length(numbers) = ?", [n_atoms])

    def _templates(self, condition: str, arguments: list[Any]) -> list[Template]:
        rows = self._connection.execute(
            "SELECT label, source, anonymous, lattice, fractional, numbers, orbits, space_group, z_primitive,"
            f" z_conventional FROM entries WHERE {condition} ORDER BY id",
            arguments,
        ).fetchall()
        compositions = sorted({row[2] for row in rows})
        members, totals = Counter[tuple[str, str]](), Counter[str]()
        for anonymous in compositions:
            for label, count in self._connection.execute(
                "SELECT label, COUNT(*) FROM entries WHERE anonymous = ? GROUP BY label", (anonymous,)
            ):
                members[anonymous, label] = count
                totals[anonymous] += count
        templates = []
        for label, source, anonymous, *arrays, space_group, z_primitive, z_conventional in rows:
            lattice, fractional, numbers, orbits = arrays
            templates.append(
                Template(
                    label=label,
                    source=f"library {source}",
                    anonymous=anonymous,
                    lattice=np.frombuffer(lattice, "<f8").reshape(3, 3),
                    fractional=np.frombuffer(fractional, "<f8").reshape(-1, 3),
                    numbers=np.frombuffer(numbers, "<u1").astype(int),
                    orbits=np.frombuffer(orbits, "<u2").astype(int),
                    space_group=space_group,
                    z_primitive=z_primitive,
                    z_conventional=z_conventional,
                    n_members=members[anonymous, label],
                    weight=members[anonymous, label] / totals[anonymous],
                )
            )
        return sorted(templates, key=lambda template: -template.n_members)

    def formula_units(self, anonymous: str) -> list[int]:
        """Return which numbers of formula units in the conventional cell occur, the most frequent first."""
        rows = self._connection.execute(
            "SELECT z_conventional FROM entries WHERE anonymous = ? GROUP BY z_conventional ORDER BY COUNT(*) DESC",
            (anonymous,),
        )
        return [z for (z,) in rows]

    def counts(self) -> LibraryCounts:
        """Return how much the library holds."""
        row = self._connection.execute(
            "SELECT COUNT(*), COUNT(DISTINCT label), COUNT(DISTINCT anonymous), (SELECT COUNT(*) FROM refusals)"
            " FROM entries"
        )
        return LibraryCounts(*row.fetchone())

    def refusals(self) -> Iterator[Refusal]:
        """Yield what was not taken into the library, and why."""
        for row in self._connection.execute("SELECT source, digest, reason FROM refusals ORDER BY reason, source"):
            yield Refusal(*row)

    def listing(self, formula: str) -> list[tuple[str, str, int, int]]:
        """Return (source, label, space group, Z of the conventional cell) of the structures of a reduced formula."""
        return self._connection.execute(
            "SELECT source, label, space_group, z_conventional FROM entries WHERE formula = ? ORDER BY label, source",
            (formula,),
        ).fetchall()

    def _write_schema(self) -> None:
        try:
            self._connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        except sqlite3.OperationalError as error:
            raise InputError(f"the library cannot be created ({error})", "choose another place", self.path) from None

    def _check_schema(self) -> None:
        try:
            (application,) = self._connection.execute("PRAGMA application_id").fetchone()
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError:
            application, version = 0, 0
        if application != _APPLICATION_ID:
            self.close()
            raise InputError("this is not a structure library", "name a file made by xtal library add", self.path)
        if version != SCHEMA_VERSION:
            self.close()
            raise InputError(
                f"this structure library has version {version}, this program reads version {SCHEMA_VERSION}",
                "build it again with xtal library add",
                self.path,
            )


def _connect(path: Path, uri: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(uri, uri=True, timeout=60)
    except sqlite3.OperationalError as error:
        raise InputError(f"the structure library cannot be opened ({error})", "check the path", path) from None
