"""Solutions whose answer is known, as the verdict is calibrated and checked with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from case_runs import RunFolder
from data_sets import Material
from logistic import Array, Labels
from structure_ranks import ranks_of
from xtal_core.errors import InputError


@dataclass(frozen=True)
class JudgedSolution:
    """A solution of a simulated pattern.

    Attributes
    ----------
    material_id, condition
        Whose pattern it was, and how that was made.
    features
        Those of its verdict; None where a value is not known.
    right
        Whether the first candidate is the material's structure, by StructureMatcher with 0.3, 0.5 and 10°.
    distance
        Merit of the first candidate that is, less that of the first; None where none is.
    """

    material_id: str
    condition: str
    features: Mapping[str, float | None]
    right: bool
    distance: float | None


def judged_solutions(materials: Sequence[Material], folder: RunFolder, condition: str) -> list[JudgedSolution]:
    """Return the solutions in `folder` that have a candidate, of those of `materials` that were solved.

    Raises InputError for solutions that were written by a program without verdicts.
    """
    from pymatgen.core import Structure

    judged = []
    for material in materials:
        outcome = folder.outcome(material.material_id)
        if outcome is None or not outcome.candidates:
            continue
        assert outcome.result is not None
        verdict = outcome.result.get("verdict")
        if verdict is None or verdict["features"] is None:
            raise InputError(f"the solution of {material.material_id} has no verdict", "solve again", folder.path)
        truth = Structure.from_str(material.cif, fmt="cif")
        files = [folder.solutions / material.material_id / c["file"] for c in outcome.candidates]
        rank = ranks_of(truth, files)["match"]
        merits = [candidate["merit"] for candidate in outcome.candidates]
        distance = None if rank is None else merits[rank - 1] - merits[0]
        judged.append(JudgedSolution(material.material_id, condition, verdict["features"], rank == 1, distance))
    return judged


@dataclass(frozen=True)
class Unjudged:
    """How many of the materials of a run have no judged solution.

    Attributes
    ----------
    waiting
        Not solved yet.
    failed
        Solved, but without a candidate, or ended by an error: they have no verdict, and the structure is not found.
    """

    waiting: int
    failed: int


def unjudged(materials: Sequence[Material], folder: RunFolder, judged: Sequence[JudgedSolution]) -> Unjudged:
    """Return how many of `materials` are missing from the `judged` solutions in `folder`, and why."""
    waiting = sum(not (folder.solutions / material.material_id).is_dir() for material in materials)
    return Unjudged(waiting, len(materials) - waiting - len(judged))


def values_of(judged: Sequence[JudgedSolution], names: Sequence[str]) -> Array:
    """Return the (n_solutions, n_names) values of features; what is not known is NaN."""
    rows = [[math.nan if (value := one.features[name]) is None else value for name in names] for one in judged]
    return np.array(rows, float).reshape(-1, len(names))


def labels_of(judged: Sequence[JudgedSolution]) -> Labels:
    """Return (n_solutions,): which are right."""
    return np.array([one.right for one in judged], bool)


def counts_by_condition(judged: Sequence[JudgedSolution]) -> dict[str, dict[str, Any]]:
    """Return how many solutions there are of each condition, and the shares that are right and listed at all."""
    conditions = dict.fromkeys(one.condition for one in judged)
    groups = {name: [one for one in judged if one.condition == name] for name in conditions}
    return {
        name: {
            "n": len(group),
            "right": float(np.mean([one.right for one in group])),
            "listed": float(np.mean([one.distance is not None for one in group])),
        }
        for name, group in groups.items()
    }
