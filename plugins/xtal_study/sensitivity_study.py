"""Which metric sees which modification, and how large it finds it beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xtal_core.pattern import FloatArray
from xtal_study.columns import Bench, Measured, measure
from xtal_study.correlation import median
from xtal_study.sensitivity_cases import EXPANSION, MODIFICATIONS, NOISE, ONE_ATOM, UNCHANGED, Case
from xtal_study.sources import Refusal
from xtal_study.views import Column

#: Å of noise on all atoms that responses are compared with, and the share of its response below which a metric is said
#: not to see a modification.
YARDSTICK, UNSEEN = 0.1, 1e-3


@dataclass(frozen=True)
class Response:
    """What one column says to one modification, over all structures.

    Attributes
    ----------
    column, modification, family, size
        Which.
    structures
        How many structures could be modified so and compared.
    median
        Median value; "no match" counts as further than every number. None when it is the median.
    no_match, same
        How many have no match, and how many the metric calls the same structure.
    response
        How far the median is from that of the unchanged structures, in units of the same for noise of `YARDSTICK` on
        all atoms; None where one of them is "no match", or noise is not seen.
    seen
        In how many the value differs from that of the unchanged structure by more than `UNSEEN` of the median
        difference that the yardstick makes, or there is no match.
    """

    column: str
    modification: str
    family: str
    size: float | None
    structures: int
    median: float | None
    no_match: int
    same: int
    response: float | None
    seen: int


@dataclass(frozen=True)
class Equivalence:
    """How far one atom, or all, must move to be as far, by one column, as thermal expansion of 1 % of the volume.

    Attributes
    ----------
    column
        Which.
    one_atom, noise
        Å, interpolated between the displacements tried; None where expansion is not seen, or beyond them.
    """

    column: str
    one_atom: float | None
    noise: float | None


@dataclass(frozen=True, eq=False)
class SensitivityStudy:
    """Everything a sensitivity study found.

    Attributes
    ----------
    cases
        What was compared.
    measured
        The columns, values in the order of the cases.
    responses
        Of every column to every modification that could be made of at least one structure.
    equivalences
        Of every column.
    refusals, unavailable
        Structures that took no part, and {metric: why it cannot be used here}.
    """

    cases: tuple[Case, ...]
    measured: tuple[Measured, ...]
    responses: tuple[Response, ...]
    equivalences: tuple[Equivalence, ...]
    refusals: tuple[Refusal, ...]
    unavailable: dict[str, str]

    @property
    def structures(self) -> int:
        """How many structures were modified."""
        return len({case.name for case in self.cases})

    def of_column(self, name: str) -> list[Response]:
        """Return the responses of the column called `name`."""
        return [response for response in self.responses if response.column == name]

    def symmetry_kept(self, modification: str) -> tuple[int, int]:
        """Return in how many structures `modification` keeps the space group, and how many could be modified so."""
        chosen = [case for case in self.cases if case.modification == modification]
        return sum(case.keeps_symmetry for case in chosen), len(chosen)


def measure_cases(columns: Sequence[Column], cases: Sequence[Case], bench: Bench) -> list[Measured]:
    """Return the values of `columns` between the original and the modified structure of each of `cases`."""
    structures, place = [], {}
    pairs = []
    for case in cases:
        if id(case.original) not in place:
            place[id(case.original)] = len(structures)
            structures.append(case.original)
        pairs.append((place[id(case.original)], len(structures)))
        structures.append(case.modified)
    return measure(columns, structures, pairs, bench)


def find_responses(cases: Sequence[Case], measured: Measured) -> list[Response]:
    """Return what `measured`, its values in the order of `cases`, says to each modification."""
    groups = {m.name: np.array([case.modification == m.name for case in cases]) for m in MODIFICATIONS}
    groups = {name: members & measured.compared for name, members in groups.items()}
    medians = {name: median(measured.distances[members]) for name, members in groups.items()}
    yardstick = next(m.name for m in MODIFICATIONS if m.family == NOISE and m.size == YARDSTICK)
    unchanged = _value_of_the_unchanged(cases, measured)
    differences = np.abs(measured.distances - unchanged)
    unit = median(differences[groups[yardstick]])
    responses = []
    for modification in MODIFICATIONS:
        members = groups[modification.name]
        if not members.any():
            continue
        middle = median(differences[members])
        values = measured.values[members]
        floor = UNSEEN * unit if np.isfinite(unit) else 0.0
        responses.append(
            Response(
                column=measured.name,
                modification=modification.name,
                family=modification.family,
                size=modification.size,
                structures=int(members.sum()),
                median=_finite(medians[modification.name] * (1 if measured.better == "lower" else -1)),
                no_match=int(np.isnan(values).sum()),
                same=int(measured.same[members].sum()),
                response=_finite(middle / unit) if 0 < unit < np.inf else None,
                seen=int((~(differences[members] <= floor)).sum()),
            )
        )
    return responses


def find_equivalence(column: str, responses: Sequence[Response], expansion: float = 0.01) -> Equivalence:
    """Return which displacements the `responses` of `column` equate with thermal expansion by `expansion`."""
    target = next((r.response for r in responses if r.family == EXPANSION and r.size == expansion), None)
    found = {}
    for family in (ONE_ATOM, NOISE):
        curve = [(r.size, r.response) for r in responses if r.family == family and r.size and r.response is not None]
        found[family] = None if target is None else size_of_response(curve, target)
    return Equivalence(column, found[ONE_ATOM], found[NOISE])


def size_of_response(curve: Sequence[tuple[float, float]], target: float) -> float | None:
    """Return the size at which `curve`, (size, response) by increasing size, first reaches `target`.

    Interpolated linearly in the logarithms. None for a target below `UNSEEN` and one outside of the curve.
    """
    for (left, low), (right, high) in pairwise(curve):
        if target >= UNSEEN and 0 < low <= target <= high:
            share = 0.0 if high == low else np.log(target / low) / np.log(high / low)
            return float(left * (right / left) ** share)
    return None


def _value_of_the_unchanged(cases: Sequence[Case], measured: Measured) -> FloatArray:
    """Return the (n_cases,) value that the metric gives the structure of each case compared with its own copy."""
    own = {case.name: value for case, value in zip(cases, measured.distances, strict=True) if case.family == UNCHANGED}
    return np.array([own[case.name] for case in cases])


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
