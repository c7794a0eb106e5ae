"""Which candidate comes first, and which are the same structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xtal_core.candidate import Candidate, RankedCandidate
from xtal_core.chemistry_checks import contact_penalty
from xtal_core.errors import StructureError, fault_of
from xtal_core.interfaces import SimilarityMetric
from xtal_core.parsimony import Parsimony

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Å; how far atoms may be from symmetric positions for the space group that is reported and written.
SYMMETRY_TOLERANCE = 0.01


class Ranking(NamedTuple):
    """Ranked candidates, and what should be known about how they were grouped."""

    ranked: tuple[RankedCandidate, ...]
    notes: tuple[str, ...]


def rank(
    candidates: Sequence[Candidate],
    metric: SimilarityMetric,
    limit: int,
    parsimony: Parsimony,
) -> Ranking:
    """Return at most `limit` distinct candidates, best first, those that `metric` calls the same structure merged.

    Candidates, which must have their fits, are sorted by the merit that `parsimony` gives them and the penalty on
    impossible contacts. Going down the list, a candidate is either the same as a better one, and counted as its
    duplicate, or kept; it ends when `limit` are kept. A structure that the metric refuses is kept and noted.
    """
    merits = [_merit(candidate, parsimony) for candidate in candidates]
    kept: list[int] = []
    comparable: list[tuple[int, Any]] = []  # place in `kept` and features
    duplicates: list[int] = []
    notes: list[str] = []
    for index in sorted(range(len(candidates)), key=merits.__getitem__):
        if len(kept) == limit:
            break
        with fault_of(metric.name):
            features = _features(candidates[index], metric, notes)
            twin = _same_as(features, comparable, metric)
        if twin is not None:
            duplicates[twin] += 1
            continue
        if features is not None:
            comparable.append((len(kept), features))
        kept.append(index)
        duplicates.append(0)
    ranked = tuple(
        RankedCandidate(
            rank=place + 1,
            candidate=candidates[index],
            merit=merits[index],
            space_group=space_group(candidates[index].structure),
            duplicates=duplicates[place],
        )
        for place, index in enumerate(kept)
    )
    return Ranking(ranked, tuple(notes))


def _merit(candidate: Candidate, parsimony: Parsimony) -> float:
    assert candidate.fit is not None
    merit = parsimony.merit(candidate.fit.residual, candidate.fit.n_parameters, candidate.prior)
    return merit + contact_penalty(candidate.structure)


def space_group(structure: Structure) -> tuple[str, int]:
    """Return international symbol and number of `structure`; P1 where the symmetry search fails."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

    try:
        analyzer = SpacegroupAnalyzer(structure, symprec=SYMMETRY_TOLERANCE)
        return analyzer.get_space_group_symbol(), analyzer.get_space_group_number()
    except SymmetryUndeterminedError:
        return "P1", 1


def _features(candidate: Candidate, metric: SimilarityMetric, notes: list[str]) -> Any | None:
    try:
        (features,) = metric.featurise([candidate.structure])
    except StructureError as error:
        notes.append(f"{metric.name} cannot compare {candidate.origin or candidate.generator} ({error}); kept as it is")
        return None
    return features


def _same_as(features: Any | None, comparable: list[tuple[int, Any]], metric: SimilarityMetric) -> int | None:
    """Return the place of the first kept candidate that is the same structure, if there is one."""
    if features is None or not comparable:
        return None
    values = np.asarray(metric.compare([features], [known for _, known in comparable]))[0]
    # NaN is "no match" and fails both comparisons.
    same = values <= metric.same_below if metric.better == "lower" else values >= metric.same_below
    places = np.flatnonzero(same)
    return comparable[places[0]][0] if len(places) else None
