"""Lines of numbers after a header: whichever separators, decimal commas and comments they are written with."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xtal_core.errors import PatternError
from xtal_core.pattern import FloatArray

COLUMNS_REMEDY = "give lines of 2θ or Q, intensity and, if known, its standard uncertainty"

_NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eEdD][+-]?\d+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_INTEGER_OR_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?")
_COMMENT = re.compile(r"\s*(?:#|!|;|//|%|'|\"|\*)")
_TRAILING_COMMENT = re.compile(r"\s*(?:#|!|//|%).*$")


@dataclass(frozen=True, eq=False)
class NumberTable:
    """The numbers of a file and the words before them.

    Attributes
    ----------
    header
        Lines before the first row, comments included.
    numbers : (n_rows, n_columns)
    lines : (n_rows,)
        Where each row is, counted from 1.
    """

    header: tuple[str, ...]
    numbers: FloatArray
    lines: tuple[int, ...]


@dataclass(frozen=True)
class _Row:
    """A line of numbers; `comma` and `point` say which decimal signs are in it, `comma_first` if in the first field."""

    line: int
    values: list[float]
    comma: bool
    comma_first: bool
    point: bool


def parse_number_table(path: Path, text: str) -> NumberTable:
    """Return the rows of numbers in `text`, all of one length, and what is before them.

    Raises PatternError, with the line, for anything but numbers and comments once the rows began, values that are not
    finite, rows of unequal length, and decimal commas that could be thousands separators.
    """
    lines = text.split("\n")
    n_header, announced = _fit2d_header(lines) if path.suffix.lower() == ".chi" else (0, None)
    header = list(enumerate(lines[:n_header], 1))
    rows: list[_Row] = []
    for number, line in enumerate(lines[n_header:], n_header + 1):
        if not line.strip():
            continue
        row = _parse_row(number, line)
        if row is None or (not rows and len(row.values) < 2):
            if not rows:
                header.append((number, line))
            elif not _is_comment(line):
                raise _not_numbers(path, number, line)
            continue
        if rows and len(row.values) != len(rows[0].values):
            problem = f"{len(row.values)} column(s), the lines before have {len(rows[0].values)}"
            raise PatternError(problem, "give as many on every line", path, number)
        if not np.isfinite(row.values).all():
            raise PatternError("a value is not finite", "remove the point or give its value", path, number)
        rows.append(row)
    if not rows:
        raise PatternError("holds no two columns of numbers", COLUMNS_REMEDY, path)
    if announced is not None and announced != len(rows):
        problem = f"the header announces {announced} points, {len(rows)} follow"
        raise PatternError(problem, "get the whole file, or correct the number", path, 4)
    _refuse_broken_start(path, header[n_header:], rows)
    _refuse_unclear_commas(path, rows)
    return NumberTable(
        header=tuple(line for _, line in header),
        numbers=np.array([row.values for row in rows]),
        lines=tuple(row.line for row in rows),
    )


def _fit2d_header(lines: Sequence[str]) -> tuple[int, int | None]:
    """Return how many lines the header of a FIT2D .chi file has and the number of points that its last line announces.

    The header is a title, the names of both axes and the number of points; (0, None) where the file has none.
    """
    if len(lines) < 5 or _parse_row(2, lines[1]) or _parse_row(3, lines[2]):
        return 0, None
    count = re.match(r"\s*(\d+)\s*(?:[\s,].*)?$", lines[3])
    return (4, int(count[1])) if count else (0, None)


def _parse_row(number: int, line: str) -> _Row | None:
    """Return the numbers on a line, or None when it is blank, a comment or holds anything else."""
    if _is_comment(line):
        return None
    fields, comma_is_decimal = _fields(_TRAILING_COMMENT.sub("", line).strip())
    values = []
    for field in fields:
        if _NUMBER.fullmatch(field):
            values.append(float(re.sub("[dD]", "e", field).replace(",", ".")))
        elif _NOT_FINITE.fullmatch(field):
            values.append(float(field))
        else:
            return None
    if not values:
        return None
    return _Row(
        line=number,
        values=values,
        comma=comma_is_decimal and any("," in field for field in fields),
        comma_first=comma_is_decimal and "," in fields[0],
        point=any("." in field for field in fields),
    )


def _is_comment(line: str) -> bool:
    """Return whether a line is a comment; one that starts with a number in quotation marks is not."""
    return _COMMENT.match(line) is not None and re.match(r'\s*"\s*[+-]?[\d.,]', line) is None


def _fields(line: str) -> tuple[list[str], bool]:
    """Return the fields of a line, and whether a comma in them is a decimal comma because something else separates."""
    words = line.split()
    comma_is_decimal = True
    if '"' in line:
        # What separates stands outside of the quotation marks; a comma within is part of a number.
        outside = re.sub(r'"[^"]*"', "", line)
        separator = next((sign for sign in ";\t," if sign in outside), " ")
        (fields,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
        comma_is_decimal = separator != "," or re.search(r'"[^"]*,[^"]*"', line) is not None
    elif ";" in line:
        fields = line.split(";")
    elif "," not in line:
        fields = words
    elif "\t" in line and not re.search(r",\s", line):
        fields = line.split("\t")
    elif len(words) > 1 and all(_INTEGER_OR_DECIMAL_COMMA.fullmatch(word) for word in words):
        fields = words
    else:
        fields = line.split(",")
        comma_is_decimal = False
    fields = [field.strip().strip("\"'").strip() for field in fields]
    if len(fields) > 1 and not fields[-1]:  # a trailing separator
        fields.pop()
    return fields, comma_is_decimal


def _refuse_broken_start(path: Path, header: Sequence[tuple[int, str]], rows: Sequence[_Row]) -> None:
    """Refuse header lines that are rows with something wrong in them.

    These are single numbers, unless they are the number of rows, and a last line that starts like a row.
    """
    for number, line in header:
        alone = _parse_row(number, line)
        if alone is not None and alone.values != [len(rows)]:
            raise _not_numbers(path, number, line)
    if header and not _is_comment(header[-1][1]):
        number, line = header[-1]
        fields, _ = _fields(line.strip())
        if len(fields) == len(rows[0].values) and _NUMBER.fullmatch(fields[0]) and re.search("[.,]", fields[0]):
            raise _not_numbers(path, number, line)


def _refuse_unclear_commas(path: Path, rows: Sequence[_Row]) -> None:
    """Refuse commas that may be thousands separators: beside decimal points, or never in the first column."""
    first_comma = next((row.line for row in rows if row.comma), None)
    first_point = next((row.line for row in rows if row.point), None)
    if first_comma is None:
        return
    remedy = "write all numbers with a decimal point and no thousands separator"
    if first_point is not None:
        line = max(first_comma, first_point)
        raise PatternError("decimal commas and decimal points are mixed", remedy, path, line)
    if not any(row.comma_first for row in rows):
        raise PatternError("a comma may be a decimal sign or a thousands separator", remedy, path, first_comma)


def _not_numbers(path: Path, number: int, line: str) -> PatternError:
    shown = line.strip() if len(line.strip()) <= 40 else f"{line.strip()[:40]}…"
    return PatternError(f"'{shown}' is not a line of numbers in columns", "remove or correct it", path, number)
