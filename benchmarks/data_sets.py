"""Where the benchmarks' data and the independent judge are, and the tables of structures among them.

The folder with the data is XTAL_DATA, by default `../shared/data` beside the project; the scripts that make test
patterns and judge solutions are in XTAL_BENCH, by default `bench` beside that folder.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from xtal_core.errors import InputError

ROOT = Path(__file__).resolve().parents[1]

#: A CIF of a large structure is longer than csv's default limit for one field.
LONGEST_FIELD = 10_000_000


@dataclass(frozen=True)
class Material:
    """A structure of a table in the form of MP-20.

    Attributes
    ----------
    material_id
        Its name, unique in the table.
    cif
        The structure.
    prototype_in_train
        Whether its structure type occurs in `mp20/train`; None when the table does not say.
    """

    material_id: str
    cif: str
    prototype_in_train: bool | None


def data_file(name: str) -> Path:
    """Return the path of a file or folder of the data sets. Raises InputError when it is not there."""
    folder = Path(os.environ.get("XTAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / name).exists():
        raise InputError(f"there is no {name}", "set XTAL_DATA to the folder with the data sets", folder)
    return (folder / name).resolve()


def protocol_script(name: str) -> Path:
    """Return the path of a script that makes patterns or judges. Raises InputError when it is not there."""
    beside_data = Path(os.environ.get("XTAL_DATA", ROOT.parent / "shared" / "data")).parent / "bench"
    folder = Path(os.environ.get("XTAL_BENCH", beside_data))
    if not (folder / name).is_file():
        raise InputError(
            f"there is no {name}", "set XTAL_BENCH to the folder with make_patterns.py and score_solutions.py", folder
        )
    return (folder / name).resolve()


def read_materials(path: Path, limit: int | None = None) -> list[Material]:
    """Return the first `limit` structures of a table, all of them for None.

    Raises InputError for files that are no such table, hold nothing or repeat a material.
    """
    csv.field_size_limit(LONGEST_FIELD)
    materials: dict[str, Material] = {}
    try:
        with _open_text(path) as file:
            reader = csv.DictReader(file)
            missing = {"material_id", "cif"} - set(reader.fieldnames or ())
            if missing:
                raise InputError(f"the column {' and '.join(sorted(missing))} is missing", "", path, 1)
            for row in reader:
                if len(materials) == limit:
                    break
                if row["material_id"] in materials:
                    raise InputError(f"{row['material_id']} is there twice", "keep one", path, reader.line_num)
                in_train = {"True": True, "False": False}.get(row.get("prototype_in_train") or "")
                materials[row["material_id"]] = Material(row["material_id"], row["cif"], in_train)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"the table cannot be read ({error})", "give a .csv or .csv.gz file", path) from None
    if not materials:
        raise InputError("the table is empty", "give one with the columns material_id and cif", path)
    return list(materials.values())


def write_materials(path: Path, materials: list[Material]) -> None:
    """Write the columns that the judge reads to the .csv.gz file at `path`."""
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["material_id", "cif"])
        writer.writerows([material.material_id, material.cif] for material in materials)


@contextmanager
def _open_text(path: Path) -> Iterator[TextIO]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        yield file  # type: ignore[misc]
