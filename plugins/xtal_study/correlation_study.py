"""How well metrics agree with a reference metric over the pairs that it matches, by the kind of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xtal_study.columns import Measured
from xtal_study.correlation import Correlation, correlate, median, separation
from xtal_study.pairs import DISPLACED, EXPANDED, KINDS, STRAINED, STRAINED_AND_DISPLACED, PairSet
from xtal_study.sources import Refusal
from xtal_study.views import SEPARATOR

#: Pearson correlations with StructureMatcher, over pairs below its threshold, as S. J. L. Billinge showed them
#: ("Revisiting material structure in the time of AI", slides of 9 July 2025).
PUBLISHED = {"pdf-pcc": 0.72, "pdf-rw": 0.83, "pdd": 0.63, "amd": 0.55}

#: Kinds of pairs that were made by modifying a structure; the others were found.
MADE = (DISPLACED, STRAINED, STRAINED_AND_DISPLACED, EXPANDED)

ALL, FOUND, COPIES = "all pairs", "pairs of different structures", "modified copies"


@dataclass(frozen=True)
class Agreement:
    """How one column agrees with a reference column over the pairs of a scope.

    Attributes
    ----------
    reference, column
        Names of the columns.
    scope
        A kind of pairs, or one of `ALL`, `FOUND` and `COPIES`.
    compared, matched, unmatched
        Pairs that both could compare, those of them that the reference matches, and those it does not.
    correlation
        Over the matched pairs.
    matched_same, unmatched_same
        How many of the matched, and of the unmatched pairs the column's metric calls the same structure.
    separation
        Area under the curve of true against false matches, see `xtal_study.correlation.separation`; None without pairs
        of both sorts, or where the column, too, says "no match".
    """

    reference: str
    column: str
    scope: str
    compared: int
    matched: int
    unmatched: int
    correlation: Correlation
    matched_same: int
    unmatched_same: int
    separation: float | None


@dataclass(frozen=True)
class Behaviour:
    """What a metric does where the right answer is known because the pairs were made, or drawn, for it.

    Attributes
    ----------
    column
        Name of the column.
    same
        {kind of pairs: (how many of them the metric calls the same structure, how many it could compare)}.
    follows_noise, follows_strain
        Spearman's correlation of the value with the size of the displacement of displaced copies, and with that of the
        strain of strained copies.
    median_of_expanded
        Median value of copies that differ in volume only; None where most have no match, and without such pairs.
    """

    column: str
    same: Mapping[str, tuple[int, int]]
    follows_noise: Correlation
    follows_strain: Correlation
    median_of_expanded: float | None


@dataclass(frozen=True, eq=False)
class CorrelationStudy:
    """Everything a correlation study found.

    Attributes
    ----------
    pair_set
        What was compared.
    measured
        The columns, those of `references` among them.
    references
        Names of the columns that the others are compared with.
    agreements
        For every reference, every other column and every scope with pairs.
    behaviours
        Of every column.
    structures
        How many were read, candidates included.
    refusals
        Structures that took no part.
    unavailable
        {metric: why it cannot be used here}.
    """

    pair_set: PairSet
    measured: tuple[Measured, ...]
    references: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    behaviours: tuple[Behaviour, ...]
    structures: int
    refusals: tuple[Refusal, ...]
    unavailable: Mapping[str, str]

    @property
    def ordered(self) -> list[Measured]:
        """The columns as tables show them: references, then published metrics, others, each followed by its views."""
        metrics = dict.fromkeys([name.partition(SEPARATOR)[0] for name in self.references])
        metrics |= dict.fromkeys(PUBLISHED) | dict.fromkeys(sorted(m.column.metric for m in self.measured))
        places = list(metrics)
        return sorted(self.measured, key=lambda m: (places.index(m.column.metric), m.column.view))

    def column(self, name: str) -> Measured:
        """Return the column called `name`."""
        return next(measured for measured in self.measured if measured.name == name)

    def behaviour(self, name: str) -> Behaviour:
        """Return what the column called `name` makes of each kind of pairs."""
        return next(behaviour for behaviour in self.behaviours if behaviour.column == name)

    def agreement(self, reference: str, column: str, scope: str) -> Agreement | None:
        """Return how `column` agrees with `reference` over `scope`, if there is such a thing."""
        wanted = (reference, column, scope)
        return next((a for a in self.agreements if (a.reference, a.column, a.scope) == wanted), None)

    def scopes(self) -> list[str]:
        """Return the scopes that hold pairs: kinds, then the pools of several kinds."""
        return [scope for scope, members in scopes_of(self.pair_set).items() if members.any()]


def scopes_of(pair_set: PairSet) -> dict[str, NDArray[np.bool_]]:
    """Return the (n_pairs,) mask of each scope."""
    kinds = np.array([pair.kind for pair in pair_set.pairs], dtype=object)
    made = np.isin(kinds, MADE)
    masks = {kind: kinds == kind for kind in KINDS}
    return masks | {FOUND: ~made, COPIES: made, ALL: np.ones(len(kinds), dtype=bool)}


def find_agreements(
    pair_set: PairSet, measured: Sequence[Measured], references: Sequence[str], resamples: int, seed: int
) -> list[Agreement]:
    """Return how every column agrees with every reference, scope by scope.

    `references` are names of columns in `measured`; for `resamples` and `seed` see `correlate`.
    """
    groups = np.array([pair.group for pair in pair_set.pairs], dtype=str)
    agreements = []
    for reference in (one for one in measured if one.name in references):
        matches = np.isfinite(reference.values)
        for other in measured:
            if other.column.metric == reference.column.metric:
                continue
            compared = reference.compared & other.compared
            for scope, members in scopes_of(pair_set).items():
                chosen = members & compared
                if not chosen.any():
                    continue
                matched, unmatched = chosen & matches, chosen & ~matches
                has_gaps = not np.isfinite(other.values[chosen]).all()
                agreements.append(
                    Agreement(
                        reference=reference.name,
                        column=other.name,
                        scope=scope,
                        compared=int(chosen.sum()),
                        matched=int(matched.sum()),
                        unmatched=int(unmatched.sum()),
                        correlation=correlate(
                            reference.distances[matched], other.distances[matched], groups[matched], resamples, seed
                        ),
                        matched_same=int(other.same[matched].sum()),
                        unmatched_same=int(other.same[unmatched].sum()),
                        separation=None
                        if has_gaps
                        else separation(other.distances[matched], other.distances[unmatched]),
                    )
                )
    return agreements


def find_behaviour(pair_set: PairSet, measured: Measured, resamples: int, seed: int) -> Behaviour:
    """Return what `measured` makes of each kind of pairs; for `resamples` and `seed` see `correlate`."""
    masks = scopes_of(pair_set)
    groups = np.array([pair.group for pair in pair_set.pairs], dtype=str)
    sizes = np.array([np.nan if pair.size is None else pair.size for pair in pair_set.pairs], dtype=float)

    def follows(kind: str) -> Correlation:
        chosen = masks[kind] & measured.compared
        return correlate(sizes[chosen], measured.distances[chosen], groups[chosen], resamples, seed)

    same = {}
    for kind in KINDS:
        chosen = masks[kind] & measured.compared
        if chosen.any():
            same[kind] = int(measured.same[chosen].sum()), int(chosen.sum())
    expanded = median(measured.distances[masks[EXPANDED] & measured.compared])
    return Behaviour(
        column=measured.name,
        same=same,
        follows_noise=follows(DISPLACED),
        follows_strain=follows(STRAINED),
        median_of_expanded=None if np.isinf(expanded) else (expanded if measured.better == "lower" else -expanded),
    )
