"""CIF as a file format: data blocks and numbers with standard uncertainties."""

from __future__ import annotations

import math
import re
from pathlib import Path

import gemmi

from xtal_core.errors import InputError

_NUMBER = re.compile(r"([+-]?(?:\d+\.?(\d*)|\.(\d+)))(?:\((\d+)\))?(?:[eE]([+-]?\d+))?")


def parse_cif(text: str, path: str | Path, error: type[InputError]) -> gemmi.cif.Document:
    """Return the data blocks in `text`. Raises `error` with the line that breaks the syntax."""
    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError) as reason:
        found = re.match(r"string:(\d+)\S*(?: in \S+)?:?\s*(.*)", str(reason), re.DOTALL)
        line, problem = (int(found[1]), found[2]) if found else (None, str(reason))
        raise error(f"is not a valid CIF ({problem.strip()})", "correct it there", path, line) from None
    if len(document) == 0:
        raise error("is a CIF without a data block", "start its contents with data_name", path)
    return document


def parse_number(text: str) -> tuple[float, float] | None:
    """Return value and standard uncertainty of a CIF number such as 119(17), NaN without one; None for other texts."""
    match = _NUMBER.fullmatch(text.strip("'\""))
    if match is None:
        return None
    number, decimals, bare_decimals, digits, exponent = match.groups()
    power = int(exponent or 0)
    places = len(decimals or bare_decimals or "")
    value = float(f"{number}e{power}")
    uncertainty = float(f"{digits}e{power - places}") if digits else math.nan
    return (value, uncertainty) if math.isfinite(value) else None
