"""Measured G(r): the .gr files of PDFgetX2, PDFgetX3, PDFgetN and their like.

They are text: a header of any content, then lines of r and G, possibly followed by columns for their uncertainties.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray
from xtal_core.readers.text_files import read_text
from xtal_pair_distribution.pair_distribution import UNIFORMITY, PairDistribution

WANTED = "a G(r): lines of r in Å, G in Å⁻² and, if known, the uncertainties of both"

#: What headers call the quantities they state.
NAMES = {"qmin": "q_min", "qmax": "q_max", "qdamp": "q_damp", "qbroad": "q_broad"}

#: What headers call the radiation: PDFgetX3 its mode, PDFgui its scattering type.
RADIATIONS = {"xray": "xray", "x": "xray", "neutron": "neutron", "n": "neutron"}

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_VALUE = rf"(?:{_NUMBER}|[-+]?(?:nan|inf(?:inity)?))"
_ROW = re.compile(rf"\s*{_VALUE}(?:[\s,]+{_VALUE})+\s*,?\s*", re.IGNORECASE)
_START = re.compile(r"\s*#+\s*start data\b", re.IGNORECASE)
_STATED_NUMBER = re.compile(rf"(?<![\w.])({'|'.join(NAMES)})\s*[=:]\s*({_NUMBER})(?![\w.])", re.IGNORECASE)
_STATED_RADIATION = re.compile(r"(?<![\w.])(?:mode|stype)\s*[=:]\s*(\w+)", re.IGNORECASE)
_NEUTRON_PROGRAM = re.compile(r"\bPDFgetN\b|\bGet_NPDF\b", re.IGNORECASE)
#: Labels of the columns, "#L r(nm) G(nm^-2)" for one, with or without TeX.
_NANOMETRES = re.compile(r"\br\s*[\[(/][\s$\\{]*(?:mathrm|rm)?[\s{]*nm\b", re.IGNORECASE)


@dataclass(frozen=True)
class StatedConditions:
    """What the header of a .gr file says about the measurement; None where it says nothing.

    Attributes
    ----------
    q_min, q_max : Å⁻¹
        The range of Q that was Fourier transformed.
    q_damp, q_broad : Å⁻¹
        The resolution.
    radiation
        "xray" or "neutron".
    """

    q_min: float | None = None
    q_max: float | None = None
    q_damp: float | None = None
    q_broad: float | None = None
    radiation: str | None = None

    def known(self) -> dict[str, float | str]:
        """Return what is stated, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def stated_conditions(distribution: PairDistribution) -> StatedConditions:
    """Return what the header of a measured G(r) says.

    Raises InputError where it contradicts itself or states a range of Q that is none.
    """
    per_angstrom = 10.0 if _in_nanometres(distribution.header) else 1.0
    stated: dict[str, float] = {}
    for written, number in _STATED_NUMBER.findall(distribution.header):
        name, value = NAMES[written.lower()], float(number) / per_angstrom
        if stated.setdefault(name, value) != value:
            raise InputError(
                f"the header states {written.lower()} as {stated[name]:g} and as {value:g} Å⁻¹",
                "remove what does not hold",
                distribution.source or None,
            )
    if min(stated.values(), default=0.0) < 0 or stated.get("q_max", np.inf) <= stated.get("q_min", 0.0):
        text = ", ".join(f"{name} = {value:g} Å⁻¹" for name, value in stated.items())
        raise InputError(f"the header states {text}", "correct it", distribution.source or None)
    radiations = {RADIATIONS.get(word.lower()) for word in _STATED_RADIATION.findall(distribution.header)} - {None}
    if not radiations and _NEUTRON_PROGRAM.search(distribution.header):
        radiations = {"neutron"}
    if len(radiations) > 1:
        raise InputError("the header states two radiations", "remove one", distribution.source or None)
    return StatedConditions(radiation=next(iter(radiations), None), **stated)


def read_gr(path: Path) -> PairDistribution:
    """Return the G(r) in the file at `path`, everything above its data being the header.

    Data begin behind a line "start data", or else with the first line of numbers. Lengths are in Å unless the label of
    the first column says nm.
    Raises InputError, with the line, for data that are not lines of two to four finite numbers with r increasing in
    equal steps.
    """
    text = read_text(path, InputError, WANTED)
    lines = text.splitlines(keepends=True)
    start = _first_row(lines, path)
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, line in enumerate(lines[start:], start + 1):
        if not line.strip():
            continue
        rows.append(_parse_row(line, path, number))
        numbers.append(number)
        if len(rows[-1]) != len(rows[0]):
            problem = f"{len(rows[-1])} columns, the lines before have {len(rows[0])}"
            raise InputError(problem, "give as many on every line", path, number)
    if not 2 <= len(rows[0]) <= 4:
        raise InputError(f"{len(rows[0])} columns", f"give {WANTED}", path, numbers[0])
    header = "".join(lines[:start])
    columns = np.array(rows) * _units(header, len(rows[0]))
    _refuse_uneven_steps(columns[:, 0], numbers, path)
    extra = columns[:, 2:] if columns.shape[1] > 2 else None
    return PairDistribution(columns[:, 0], columns[:, 1], str(path), header, extra)


def write_gr(path: Path, distribution: PairDistribution) -> None:
    """Write `distribution` to the file at `path`: its header as it is, then all its columns with all their digits.

    Raises InputError when the file cannot be written.
    """
    extra = [] if distribution.extra is None else list(distribution.extra.T)
    columns = np.stack([distribution.r, distribution.g, *extra], axis=1)
    columns = columns / _units(distribution.header, columns.shape[1])
    header = distribution.header
    if header and not header.endswith("\n"):
        header += "\n"
    text = header + "".join(" ".join(map(repr, row)) + "\n" for row in columns.tolist())
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", "check the folder and its permissions", path
        ) from None


def _first_row(lines: list[str], path: Path) -> int:
    """Return the index of the first line of data."""
    marks = [i for i, line in enumerate(lines) if _START.match(line)]
    for i in range(marks[-1] + 1 if marks else 0, len(lines)):
        if _ROW.fullmatch(lines[i]):
            return i
        if marks and lines[i].strip() and not lines[i].lstrip().startswith("#"):
            break
    raise InputError("holds no lines of r and G", f"give {WANTED}", path)


def _parse_row(line: str, path: Path, number: int) -> list[float]:
    try:
        values = [float(field) for field in line.replace(",", " ").split()]
    except ValueError:
        problem = f"expected numbers, found '{line.strip()[:40]}'"
        raise InputError(problem, "end the file after the data of one G(r)", path, number) from None
    if not np.isfinite(values).all():
        raise InputError("a value is not finite", "remove the lines before or after it", path, number)
    return values


def _refuse_uneven_steps(r: FloatArray, numbers: list[int], path: Path) -> None:
    if len(r) < 2:
        raise InputError("holds a single line of data", f"give {WANTED}", path, numbers[0])
    if r[0] < 0:
        raise InputError(f"r is {r[0]:g} Å", "begin at 0 or above", path, numbers[0])
    steps = np.diff(r)
    uneven = np.flatnonzero((steps <= 0) | (np.abs(steps - np.median(steps)) > UNIFORMITY * np.median(steps)))
    if len(uneven):
        at = uneven[0]
        problem = f"r goes from {r[at]:g} to {r[at + 1]:g} Å, the usual step is {np.median(steps):g} Å"
        raise InputError(problem, "interpolate the data to a uniform grid", path, numbers[at + 1])


def _units(header: str, n_columns: int) -> FloatArray:
    """Return (n_columns,): what numbers in the file are multiplied with to be in Å and Å⁻²."""
    length, density = (10.0, 0.01) if _in_nanometres(header) else (1.0, 1.0)
    return np.array([length, density, *([length] if n_columns == 4 else []), *([density] if n_columns > 2 else [])])


def _in_nanometres(header: str) -> bool:
    """Return whether the labels of the columns, in the last line or in one that begins with #L, say nm."""
    lines = header.splitlines()
    return any(_NANOMETRES.search(line) for i, line in enumerate(lines) if i == len(lines) - 1 or line.startswith("#L"))
