"""Leaving a candidate's symmetry, and finding a better one.

The right structure is often a distorted, or a differently distorted, relative of a known type. Refined without
symmetry it is found; symmetrised again (spglib, at several tolerances) it shows the space group it really has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from xtal_fit.symmetry import free_directions, idealise
from xtal_fit.trial import Trial

#: Å; random displacements that take a structure off its symmetric positions, where gradients vanish.
PERTURBATIONS = (0.05, 0.25)

#: Å; tolerances at which the space group of a freely refined structure is looked for.
TOLERANCES = (0.03, 0.1, 0.2, 0.35)


def released(trials: Sequence[Trial], random: np.random.Generator) -> list[Trial]:
    """Return the trials in P1, each once for every perturbation."""
    free = []
    for trial in trials:
        for size in PERTURBATIONS:
            shifts = random.normal(size=trial.fractional.shape) * size / np.sqrt(3)
            moved = replace(trial, fractional=trial.fractional + shifts @ np.linalg.inv(trial.lattice))
            free.append(moved.released())
    return free


def symmetrised(trials: Sequence[Trial]) -> list[Trial]:
    """Return every higher symmetry that the trials come close to, as trials that keep it."""
    found = []
    for trial in trials:
        seen = {1}
        for tolerance in TOLERANCES:
            ideal = idealise(trial.lattice, trial.fractional, trial.numbers, tolerance)
            if ideal is None or ideal[2] in seen:
                continue
            lattice, fractional, space_group = ideal
            seen.add(space_group)
            directions = free_directions(lattice, fractional, trial.numbers)
            found.append(
                replace(trial, lattice=lattice, fractional=fractional, directions=directions, residual=np.inf)
            )
    return found
