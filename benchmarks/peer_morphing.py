"""diffpy.morph at work; runs in the peers' Python (see peers.py)."""

from __future__ import annotations

import numpy as np
from diffpy.morph.morphpy import morph_arrays


def refine(
    morphed: np.ndarray,
    target: np.ndarray,
    x_min: float,
    x_max: float,
    scale: float = 1.0,
    stretch: float = 0.0,
    smear: float = 0.05,
) -> dict[str, float] | None:
    """Return the refined morph of one (n, 2) table of r and G(r) onto another one, None where refinement fails.

    It refines scale, stretch, smear, from the values given, and, as it does by default, the slope of the baseline.
    """
    try:
        start = {"scale": scale, "stretch": stretch, "smear_pdf": smear}
        result, _ = morph_arrays(morphed, target, **start, xmin=x_min, xmax=x_max)
    except SystemExit:  # how its option parser ends when the refinement has not converged
        return None
    return _numbers(result)


def evaluate(
    morphed: np.ndarray,
    target: np.ndarray,
    x_min: float,
    x_max: float,
    scale: float,
    stretch: float,
    smear: float,
    slope: float,
) -> dict[str, float]:
    """Return what a given morph results in."""
    given = {"scale": scale, "stretch": stretch, "smear_pdf": smear, "slope": slope, "exclude": ["baselineslope"]}
    result, _ = morph_arrays(morphed, target, **given, xmin=x_min, xmax=x_max, apply=True)
    return _numbers(result)


def _numbers(result: dict[str, object]) -> dict[str, float]:
    return {name: float(value) for name, value in result.items() if isinstance(value, int | float)}
