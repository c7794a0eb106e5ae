"""How close a solution came to the known answer: scored after ranking, which never sees the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xtal_core.candidate import Score, Solution
from xtal_core.comparison import compare_with
from xtal_core.item import Item
from xtal_core.metric_inputs import MetricInputs, choose_metrics
from xtal_core.registry import Registry

if TYPE_CHECKING:
    from pymatgen.core import Structure


def score_against(solution: Solution, reference: Structure, registry: Registry) -> Solution:
    """Return `solution` with every candidate scored against `reference` by all metrics that compare structures.

    Order and everything else stay. A metric that fails, or refuses a structure, is left out there and noted.
    """
    if not solution.ranked:
        return solution
    candidates = [Item(f"candidate {ranked.rank}", ranked.candidate.structure) for ranked in solution.ranked]
    metrics = [
        chosen
        for chosen in choose_metrics([], registry, {})
        if chosen.metric is None or chosen.metric.compares == "structures"
    ]
    rows = compare_with(MetricInputs([Item("the reference", reference), *candidates]), metrics)
    ranked = tuple(
        replace(
            candidate,
            reference_scores=tuple(Score(c.metric, c.value, c.better, c.unit) for c in comparisons if not c.error),
        )
        for candidate, comparisons in zip(solution.ranked, rows, strict=True)
    )
    # What is wrong with the reference, or with a metric, is the same for all candidates.
    failures = dict.fromkeys(f"no {c.metric} against the reference: {c.error}" for row in rows for c in row if c.error)
    return replace(solution, ranked=ranked, notes=(*solution.notes, *failures))
