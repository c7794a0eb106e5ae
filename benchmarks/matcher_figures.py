"""Measurements of the StructureMatcher metric beside pymatgen's StructureMatcher."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from xtal_core.pattern import FloatArray
from xtal_structure_matcher.metric import StructureMatcherMetric
from xtal_structure_matcher.plugin import StructureMatcherOptions

#: pymatgen's own tolerances, and those of CDVAE and DiffCSP.
TOLERANCES: dict[str, dict[str, Any]] = {
    "0.2, 0.3, 5°": {"ltol": 0.2, "stol": 0.3, "angle_tol": 5.0},
    "0.3, 0.5, 10°": {"ltol": 0.3, "stol": 0.5, "angle_tol": 10.0},
}

Pair = tuple[Structure, Structure]


def same_formula_pairs(structures: Sequence[Structure]) -> list[Pair]:
    """Return all pairs of structures with the same formula."""
    groups: dict[str, list[Structure]] = defaultdict(list)
    for structure in structures:
        groups[structure.composition.reduced_formula].append(structure)
    return [pair for group in groups.values() for pair in combinations(group, 2)]


def perturbed(structure: Structure, random: np.random.Generator) -> Structure:
    """Return a strained copy with atoms displaced by up to about 0.5 Å, near and beyond what still matches."""
    strain = np.eye(3) + random.normal(0, random.uniform(0, 0.08), (3, 3))
    shifts = random.normal(0, random.uniform(0, 0.5), (len(structure), 3))
    lattice = structure.lattice.matrix @ strain
    return Structure(lattice, structure.species, structure.frac_coords + shifts @ np.linalg.inv(lattice))


def make_pairs(structures: Sequence[Structure], polymorphs: Sequence[Structure], n: int) -> dict[str, list[Pair]]:
    """Return `n` pairs that might match: half of them polymorphs, a quarter each of the other kinds."""
    random = np.random.default_rng(3)
    quarter = n // 4
    candidates = same_formula_pairs(polymorphs)
    chosen = random.choice(len(candidates), min(n - 2 * quarter, len(candidates)), replace=False)
    supercells, copies = [], []
    for index in range(quarter):
        one = structures[int(random.integers(len(structures)))]
        copies.append((one, perturbed(one, random)))
        slightly = Structure(one.lattice, one.species, one.frac_coords + random.normal(0, 0.005, (len(one), 3)))
        multiple = slightly.make_supercell(random.permutation([1, 1, 2]).tolist(), in_place=False)
        supercells.append((one, multiple) if index % 2 else (multiple, one))
    return {
        "same formula": [candidates[i] for i in chosen],
        "perturbed copies": copies,
        "supercells": supercells,
    }


def measure_verdicts(structures: Sequence[Structure], polymorphs: Sequence[Structure], n: int) -> list[dict[str, Any]]:
    """Return how many verdicts and values of `n` pairs are pymatgen's, by kind of pair and tolerances."""
    rows = []
    for kind, pairs in make_pairs(structures, polymorphs, n).items():
        # Every second pair with the other tolerances.
        for part, (label, tolerances) in enumerate(TOLERANCES.items()):
            chosen = pairs[part :: len(TOLERANCES)]
            metric = StructureMatcherMetric(StructureMatcherOptions(**tolerances))
            expected = np.array([_pymatgen(StructureMatcher(**tolerances), *pair) for pair in chosen])
            features = [metric.featurise(pair) for pair in chosen]
            found = np.array([metric.compare([one], [other])[0, 0] for one, other in features])
            both = np.isfinite(expected) & np.isfinite(found)
            rows.append(
                {
                    "pairs": kind,
                    "tolerances": label,
                    "number": len(chosen),
                    "matches": int(np.isfinite(expected).sum()),
                    "other_verdicts": int((np.isfinite(expected) != np.isfinite(found)).sum()),
                    "largest": float(np.abs(expected - found)[both].max(initial=0.0)),
                }
            )
    return rows


def measure_matrix(structures: Sequence[Structure], label: str) -> dict[str, Any]:
    """Return the processor time of all pairs of `structures`, in both orders, reduction of the cells included."""
    metric, matcher = StructureMatcherMetric(StructureMatcherOptions()), StructureMatcher()
    start = time.process_time()
    features = metric.featurise(structures)
    found = metric.compare(features, features)
    ours = time.process_time() - start
    start = time.process_time()
    expected = np.array([[_pymatgen(matcher, one, other) for other in structures] for one in structures])
    theirs = time.process_time() - start
    return {
        "structures": label,
        "number": len(structures),
        "formulas": len({structure.composition.reduced_formula for structure in structures}),
        "seconds": ours,
        "pymatgen_seconds": theirs,
        "ratio": theirs / ours,
        "largest": _largest_difference(expected, found),
    }


def _largest_difference(expected: FloatArray, found: FloatArray) -> float | None:
    """Return the largest difference of values, None where a verdict differs."""
    if (np.isfinite(expected) != np.isfinite(found)).any():
        return None
    return float(np.nanmax(np.abs(expected - found), initial=0.0))


def _pymatgen(matcher: StructureMatcher, one: Structure, other: Structure) -> float:
    match = matcher.get_rms_dist(one, other)
    return np.nan if match is None else match[0]
