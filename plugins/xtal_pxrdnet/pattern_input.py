"""A measured or simulated pattern as the networks want it: 512 values over Q, and where nothing was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from xtal_core.errors import PatternError
from xtal_core.pattern_features import peak_width, smooth, without_background
from xtal_core.problem import Problem
from xtal_core.training_set import LARGEST_Q, N_BINS
from xtal_pxrdnet.broadening import GAUSSIAN_SIGMA, LAST_REFLECTION, N_POINTS, Patterns, coarsened, normalised

#: Å⁻¹: peaks of MP-20-PXRD are at least this wide.
NARROWEST = 0.5 * sum(GAUSSIAN_SIGMA)

#: Å: sizes whose broadening is no longer seen beside that of the Gaussian.
LARGEST_SIZE = 200.0

#: Fraction of the axis that must be covered.
LEAST_COVERED = 0.15


@dataclass(frozen=True)
class NetworkInput:
    """What the networks are shown of a problem: its pattern (one row), and the size of its crystallites in Å."""

    patterns: Patterns
    crystallite_size: float

    def to(self, device: torch.device) -> NetworkInput:
        """Return the same on `device`."""
        return NetworkInput(self.patterns.to(device), self.crystallite_size)


def network_input(problem: Problem) -> NetworkInput:
    """Return what the networks are shown of `problem`.

    Sharp patterns are smoothed to the width of MP-20-PXRD, a background is taken away, and points that were excluded,
    or lie where nothing was measured or the networks know no reflections, are marked as not covered.
    Raises PatternError when too little is left.
    """
    pattern = problem.pattern
    native = peak_width(pattern)
    bins = np.linspace(0.0, LARGEST_Q, N_BINS, endpoint=False) + 0.5 * LARGEST_Q / N_BINS
    inside = (bins >= pattern.q[0]) & (bins <= min(pattern.q[-1], LAST_REFLECTION))
    smoothing = math.sqrt(max(NARROWEST**2 - native**2, (LARGEST_Q / N_BINS) ** 2))
    fine = np.zeros(N_BINS)
    fine[inside] = smooth(pattern.q, without_background(pattern, max(native, NARROWEST)), bins[inside], smoothing)
    if pattern.excluded is not None:
        inside[inside] = np.interp(bins[inside], pattern.q, pattern.included.astype(float)) > 0.5
    covered = inside.reshape(N_POINTS, -1).all(axis=1)
    if covered.mean() < LEAST_COVERED or not fine[inside].max() > 0:
        problem_text = f"the pattern covers too little of Q = 0 to {LAST_REFLECTION:.2f} Å⁻¹ for the networks"
        raise PatternError(problem_text, "measure more of it, or choose another generator", pattern.source or None)
    intensity = coarsened(torch.tensor(np.where(inside, fine, 0.0)[None], dtype=torch.float32))
    patterns = normalised(intensity, torch.tensor(covered[None], dtype=torch.float32))
    return NetworkInput(patterns, problem.crystallite_size or _size_behind(native))


def _size_behind(width: float) -> float:
    """Return the crystallite size in Å that makes peaks of standard deviation `width` Å⁻¹ with MP-20-PXRD's Gaussian.

    √6/τ stands for the standard deviation of sinc²(Qτ/2), which has none: a Gaussian of that width falls off from its
    maximum in the same way.
    """
    excess = math.sqrt(max(width**2 - NARROWEST**2, 0.0))
    return min(math.sqrt(6) / excess, LARGEST_SIZE) if excess else LARGEST_SIZE
