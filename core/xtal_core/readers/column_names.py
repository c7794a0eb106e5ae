"""What the header of a file of columns calls them: axis, intensity, standard uncertainty, background."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xtal_core.readers.recording import Axis

Role = Literal["axis", "intensity", "uncertainty", "background"]

#: Names that are a two-theta axis, a Q axis, an intensity, …; each is matched against a whole column name.
_TWO_THETA = r"(?:2|two)[\s_*.-]*(?:theta|θ|th).*|t_?theta.*|tth.*|angle\b.*|pos(?:ition)?\W*°?\s*2\s*th.*"
_Q = r"\|?q\|?(?:[\s_,/(\[].*)?"
_OTHER_AXIS = (
    r"theta.*|θ.*|d|d[\s_-]*(?:spacing|\(|\[).*|tof.*|time[\s_-]*of[\s_-]*flight.*|energy.*|channel.*"
    r"|r(?:[\s_]*[\[(].*)?"
)
_INTENSITY = (
    r"(?:i|int|inten|intensit(?:y|ies)|counts?|cps|yobs|iobs)(?:[\s_(\[].*)?|(?:i|y|int|intensity)[\s_-]*(?:obs|exp|meas).*"
    r"|obs(?:erved)?(?:[\s_-]+(?:intensity|counts))?|measured(?:[\s_-]+(?:intensity|counts))?"
)
_UNCERTAINTY = (
    r"s|σ|sig|sigmas?|e\.?s\.?d\.?s?|s\.?u\.?|err|errors?|uncertaint(?:y|ies)|std(?:dev)?|standard[\s_-]*(?:uncertainty|deviation)"
    r"|(?:sigma|sig|σ|err|error|esd|su|std|unc(?:ertainty)?|d|e)[\s_(-]*(?:i|y|int|intensity|obs|counts|yobs|iobs)[)\s]*"
    r"|(?:i|int|intensity|counts)[\s_-]+(?:sigma|err|error|esd|su|uncertainty)"
)
_BACKGROUND = (
    r"(?:y[\s_-]*)?(?:bkg|bkgd|bgr?|back|background)(?:[\s_-]*(?:calc|intensity))?|(?:calc[\s_-]*)?background.*"
)

_TWO_THETA_IN_TEXT = re.compile(r"(?:\b2|\btwo)[\s_*-]*(?:theta|θ)|\btth\b|(?:\b|_)2th_deg|°\s*2\s*th", re.IGNORECASE)
_Q_IN_TEXT = re.compile(
    r"(?:\bq|_q|\bscattering vector|\bmomentum transfer)[\s_,(\[]*"
    r"(?:in\s+|inverse\s+|1/|(?:å|ang(?:strom)?s?|a|nm)[\s_]*(?:\^?\(?[-−⁻]|\*\*))",
    re.IGNORECASE,
)
_EXPONENT = r"[\s_]*(?:\^|\*\*)?[\s{(]*[-−⁻]\s*[1¹]"
_PER_NANOMETRE = re.compile(
    rf"\b_?nm{_EXPONENT}|_nm{_EXPONENT}|1\s*/\s*nm|(?:inverse|inv\.?|per)\s+n(?:m\b|anomet)", re.IGNORECASE
)
_PER_ANGSTROM = re.compile(
    rf"(?:å|\ba|_a|ang(?:strom)?s?){_EXPONENT}|1\s*/\s*(?:å|a)|(?:inverse|inv\.?|per)\s+(?:å|a)", re.IGNORECASE
)
_RADIANS = re.compile(r"\brad(?:ians?)?\b|_rad\b", re.IGNORECASE)


@dataclass(frozen=True)
class NamedColumn:
    """A column of the file and what its name makes of it; `role` is None for one that is not understood."""

    index: int
    name: str
    role: Role | None
    axis: Axis | None = None

    @property
    def unusable_axis(self) -> bool:
        """Whether this is an axis, but neither 2θ in degrees nor Q (θ, d, time of flight, radians, …)."""
        if self.axis == "two-theta":
            return bool(_RADIANS.search(self.name))
        return self.role is None and bool(re.fullmatch(_OTHER_AXIS, self.name, re.IGNORECASE))


def name_columns(header: Sequence[str], n_columns: int) -> list[NamedColumn]:
    """Return the columns named by the last header line that names `n_columns` of them.

    A line names columns when it holds no number, and an axis and an intensity are among its words; of two columns, one
    is enough where no line names both. The list is empty when no line does.
    """
    partly: list[NamedColumn] = []
    for line in reversed(header):
        for names in _splits(line):
            if len(names) != n_columns or any(re.fullmatch(r"[\d.,+-]+", name) for name in names):
                continue
            columns = [_classify(index, name) for index, name in enumerate(names)]
            has_axis = any(column.role == "axis" or column.unusable_axis for column in columns)
            has_intensity = any(column.role == "intensity" for column in columns)
            if has_axis and has_intensity:
                return columns
            if n_columns == 2 and (has_axis or has_intensity):
                partly = partly or columns
    return partly


def too_few_names(header: Sequence[str], n_columns: int) -> int | None:
    """Return how many columns the last header line names if it separates fewer than `n_columns` beyond doubt."""
    if not header or not any(separator in header[-1] for separator in ";\t,"):
        return None
    names = _splits(header[-1])[0]
    roles = {column.role for column in map(_classify, range(len(names)), names)}
    return len(names) if len(names) < n_columns and {"axis", "intensity"} <= roles else None


def axis_in_text(text: str) -> Axis | None:
    """Return the axis that a header speaks of, if it speaks of only one."""
    two_theta, q = bool(_TWO_THETA_IN_TEXT.search(text)), bool(_Q_IN_TEXT.search(text))
    if two_theta == q:
        return None
    return "two-theta" if two_theta else "q"


def unit_of_q(text: str) -> Literal["nm⁻¹", "Å⁻¹"] | None:
    """Return the unit of Q that `text` names, if any."""
    if _PER_NANOMETRE.search(text):
        return "nm⁻¹"
    return "Å⁻¹" if _PER_ANGSTROM.search(text) else None


def _splits(line: str) -> list[list[str]]:
    """Return the ways in which a header line can be cut into column names, the most explicit first."""
    # "#L" is how SPEC marks the line of column names.
    bare = re.sub(r"^#L\s", "", line.strip()).lstrip("#!%;/'\"*").strip()
    ways = [bare.split(separator) for separator in (";", "\t", ",") if separator in bare]
    ways += [re.split(r"\s{2,}", bare), bare.split()]
    return [[field.strip(" \t\"'") for field in way] for way in ways]


def _classify(index: int, name: str) -> NamedColumn:
    def called(pattern: str) -> bool:
        return re.fullmatch(pattern, name, re.IGNORECASE) is not None

    if called(_TWO_THETA):
        return NamedColumn(index, name, "axis", "two-theta")
    if called(_Q):
        return NamedColumn(index, name, "axis", "q")
    if called(_UNCERTAINTY):
        return NamedColumn(index, name, "uncertainty")
    if called(_BACKGROUND):
        return NamedColumn(index, name, "background")
    if called(_INTENSITY):
        return NamedColumn(index, name, "intensity")
    return NamedColumn(index, name, None)
