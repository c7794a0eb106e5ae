"""Tables of structures in the form of MP-20's: comma-separated values, a row a structure, its CIF in one column."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from xtal_core.errors import InputError

SUFFIXES = (".csv", ".csv.gz")
CIF_COLUMN = "cif"

#: Columns that may hold a structure's name, the first that is there.
NAME_COLUMNS = ("material_id", "id", "name")

#: A CIF of a large structure is longer than csv's default limit for one field.
LONGEST_FIELD = 10_000_000

WANTED = "a table with a column 'cif' that holds the text of a CIF file"


@dataclass(frozen=True)
class TableRow:
    """A structure of a table.

    Attributes
    ----------
    name
        What the table calls it, else the file and line.
    line
        Where its row begins, counted from 1.
    cif
        The text of its CIF; empty when the cell is.
    columns
        All cells of the row.
    """

    name: str
    line: int
    cif: str
    columns: Mapping[str, str]


def is_structure_table(path: Path) -> bool:
    """Return whether the file is a table of structures: a .csv or .csv.gz whose first line names a column `cif`."""
    if not path.name.lower().endswith(SUFFIXES) or not path.is_file():
        return False
    try:
        with _open(path) as file:
            return CIF_COLUMN in next(csv.reader(file), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error):
        return False


def iterate_structure_table(path: Path) -> Iterator[TableRow]:
    """Yield the rows of a table. Raises InputError, with the line, for one that cannot be read."""
    csv.field_size_limit(LONGEST_FIELD)
    line = 1
    try:
        with _open(path) as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or ()
            if CIF_COLUMN not in names:
                raise InputError(f"the column '{CIF_COLUMN}' is missing", f"give {WANTED}", path, 1)
            naming = next((name for name in NAME_COLUMNS if name in names), None)
            for row in reader:
                # A short row leaves its last columns None; what is beyond the last has the key None.
                columns = {key: value or "" for key, value in row.items() if key is not None}
                name = columns[naming].strip() if naming else ""
                yield TableRow(name or f"{path.name} line {line + 1}", line + 1, columns[CIF_COLUMN], columns)
                line = reader.line_num
    except FileNotFoundError:
        raise InputError("there is no such file", f"give {WANTED}", path) from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        remedy = "check that the file is complete"
        raise InputError(f"the table cannot be read ({error})", remedy, path, line) from None


def _open(path: Path) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
