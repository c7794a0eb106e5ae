"""How close a solution came to the known answer: scored after ranking, which never sees the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.candidate import Score, Solution
from xtal_core.errors import XtalError, fault_of
from xtal_core.registry import Registry

if TYPE_CHECKING:
    from pymatgen.core import Structure


def score_against(solution: Solution, reference: Structure, registry: Registry) -> Solution:
    """Return `solution` with every candidate scored against `reference` by all metrics that compare structures.

    Order and everything else stay. A metric that fails, or refuses one of the structures, is left out and noted.
    """
    structures = [ranked.candidate.structure for ranked in solution.ranked]
    scores: list[list[Score]] = [[] for _ in structures]
    notes = list(solution.notes)
    if not structures:
        return solution
    for name in registry.names("metric"):
        try:
            metric = registry.create("metric", name)
            if metric.compares != "structures":
                continue
            with fault_of(name):
                values = np.asarray(metric.compare(metric.featurise([reference]), metric.featurise(structures)))[0]
        except XtalError as error:
            notes.append(f"no {name} against the reference: {error}")
            continue
        for row, value in zip(scores, values, strict=True):
            row.append(Score(name, None if np.isnan(value) else float(value), metric.better, metric.unit))
    ranked = tuple(replace(r, reference_scores=tuple(s)) for r, s in zip(solution.ranked, scores, strict=True))
    return replace(solution, ranked=ranked, notes=tuple(notes))
