"""Solutions whose answer is known, made up and drawn at random."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from case_runs import Outcome
from judged_solutions import JudgedSolution
from xtal_core.verdict_features import VerdictFeatures

FEATURES = asdict(VerdictFeatures(1.0, 0.02, 2.0, 0.3, 4.0, 1.0, 1.5, 0.9, None))


def cif_of(structure):
    return str(structure.to(fmt="cif"))


def keep(folder, name, structures, features=FEATURES):
    """Keep a solution with these candidates, of the merits −5, −4, … ."""
    files = [(f"{place:02d}.cif", cif_of(structure)) for place, structure in enumerate(structures, start=1)]
    candidates = [{"file": file, "merit": place - 5.0} for place, (file, _) in enumerate(files)]
    result = {"candidates": candidates, "verdict": {"features": features}}
    folder.keep(Outcome(name, 1.0, 1.0, None, result), files)


def judged(n, seed=0):
    """Return solutions that are right when the gap is wide; four of each material."""
    random = np.random.default_rng(seed)
    made = []
    for index in range(n):
        gap = float(random.uniform(0, 5))
        right = bool(random.random() < 1 / (1 + np.exp(-4 * (gap - 1))))
        features = FEATURES | {"gap": gap, "misfit": float(random.uniform(0, 8)), "noisy": float(index % 2)}
        distance = 0.0 if right else gap if random.random() < 0.8 else None
        made.append(JudgedSolution(f"material {index // 4}", f"condition {index % 2}", features, right, distance))
    return made
