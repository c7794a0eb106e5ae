"""Patterns in columns of numbers: .xy, .xye, .dat, .txt, .csv, .chi and their kin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xtal_core.errors import PatternError
from xtal_core.pattern import FloatArray
from xtal_core.readers.column_names import NamedColumn, Role, axis_in_text, name_columns, too_few_names, unit_of_q
from xtal_core.readers.number_table import COLUMNS_REMEDY, parse_number_table
from xtal_core.readers.radiation import radiations_in_text
from xtal_core.readers.recording import Axis, Recording


def read_columns(path: Path, text: str, axis: Axis | None = None) -> Recording:
    """Return the profile in a file of columns.

    The first column is the axis, the second the intensity, a third its standard uncertainty, unless a header line names
    them; more columns need one that does.

    Parameters
    ----------
    path
        For messages, and for conventions that depend on the kind of file.
    text
        What it holds.
    axis
        What the axis is, where the user has said so.

    Raises
    ------
    PatternError
        For a line that is not numbers after the first that is, values that are not finite, lines of unequal length,
        columns that cannot be told apart, and axes other than 2θ in degrees and Q.
    """
    if re.match(r"\s*<", text):
        raise PatternError("is XML, not columns of numbers", f"export it as .xy; {COLUMNS_REMEDY}", path)
    table = parse_number_table(path, text)
    n_columns = table.numbers.shape[1]
    named = name_columns(table.header, n_columns)
    if n_named := too_few_names(table.header, n_columns):
        problem = f"the header names {n_named} columns, the lines have {n_columns}"
        raise PatternError(
            problem, "name them all, and write numbers without thousands separators", path, table.lines[0]
        )
    if axis is None:
        _refuse_other_axes(path, named)
    _refuse_neutrons(path, table.header)
    notes: list[str] = []
    if n_columns == 2:
        places = _place_two(named)
    elif named:
        places = _place_named(path, named, axis, notes)
    else:
        places = _place_unnamed(path, table.numbers, notes)
    axis_column = named[places["axis"]] if named else None
    header = "\n".join(table.header)
    declared = (axis_column.axis if axis_column else None) or axis_in_text(header)
    if axis and declared and axis != declared:
        notes.append(f"the header says that the axis is {declared}; it was read as {axis}, as asked")
    positions = table.numbers[:, places["axis"]]
    unit = unit_of_q(axis_column.name if axis_column else "") or unit_of_q(header)
    if (axis or declared) == "q" and unit == "nm⁻¹":
        positions = positions / 10
        notes.append("Q was converted from nm⁻¹ to Å⁻¹")

    def column(role: Role) -> FloatArray | None:
        return table.numbers[:, places[role]] if role in places else None

    return Recording(
        positions=positions,
        intensity=table.numbers[:, places["intensity"]],
        axis=axis or declared,
        radiations=radiations_in_text(header),
        uncertainty=column("uncertainty"),
        background=column("background"),
        lines=table.lines,
        notes=tuple(notes),
    )


def _refuse_other_axes(path: Path, named: list[NamedColumn]) -> None:
    """Refuse a file whose header names an axis that is neither 2θ in degrees nor Q, and none that is."""
    other = [column.name for column in named if column.unusable_axis]
    if other and not any(column.axis and not column.unusable_axis for column in named):
        raise PatternError(f"the axis is '{other[0]}'", "convert it to 2θ in degrees or Q in Å⁻¹", path)


def _refuse_neutrons(path: Path, header: Sequence[str]) -> None:
    """Refuse a file whose header speaks of neutrons and not of X-rays."""
    speaking = [line.strip() for line in header if re.search(r"\bneutrons?\b", line, re.IGNORECASE)]
    if speaking and not re.search(r"\bx[- ]?rays?\b", "\n".join(header), re.IGNORECASE):
        remedy = "give an X-ray pattern, or write X-ray into the header if it is one"
        raise PatternError(f"the header speaks of neutrons ('{speaking[0][:60]}')", remedy, path)


def _place_two(named: list[NamedColumn]) -> dict[Role, int]:
    """Return where axis and intensity are in a file of two columns: in this order, unless both names say otherwise."""
    if named and named[0].role == "intensity" and named[1].role == "axis":
        return {"axis": 1, "intensity": 0}
    return {"axis": 0, "intensity": 1}


def _place_unnamed(path: Path, numbers: FloatArray, notes: list[str]) -> dict[Role, int]:
    """Return where each quantity is in a file of three columns without names.

    The third is the standard uncertainty; in a file not called .xye, unless it is the same everywhere: so are
    attenuators and counting times, but hardly ever uncertainties of counts.
    """
    n_columns = numbers.shape[1]
    if n_columns > 3:
        remedy = "name them in a header line (2theta, intensity, sigma, background), or keep two or three"
        raise PatternError(f"has {n_columns} columns and no header that names them", remedy, path)
    if path.suffix.lower() != ".xye" and np.ptp(numbers[:, 2]) == 0:
        value = f"{numbers[0, 2]:g}"
        notes.append(f"the third column is {value} everywhere: it was not taken as the standard uncertainty")
        return {"axis": 0, "intensity": 1}
    if path.suffix.lower() != ".xye":
        notes.append("the third column was taken as the standard uncertainty of the intensity")
    return {"axis": 0, "intensity": 1, "uncertainty": 2}


def _place_named(path: Path, named: list[NamedColumn], axis: Axis | None, notes: list[str]) -> dict[Role, int]:
    """Return where each quantity is by its name; of several axes the first, or the one asked for."""
    places: dict[Role, int] = {}
    for column in sorted(named, key=lambda c: (bool(axis and c.axis and c.axis != axis), c.index)):
        if column.role and column.role not in places:
            places[column.role] = column.index
        elif column.role in ("intensity", "uncertainty", "background"):
            names = " and ".join(f"'{c.name}'" for c in named if c.role == column.role)
            raise PatternError(f"columns {names} are all {column.role}", f"keep one {column.role} column", path)
    if "axis" not in places:
        places["axis"] = next(column.index for column in named if column.unusable_axis)
    ignored = [f"'{column.name}'" for column in named if column.index not in places.values()]
    if ignored:
        notes.append(f"columns not used: {', '.join(ignored)}")
    return places
