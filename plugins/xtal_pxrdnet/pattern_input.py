"""A measured or simulated pattern as the networks want it: 512 values over Q, and where nothing was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from xtal_core.binned_pattern import binned_pattern
from xtal_core.problem import Problem
from xtal_pxrdnet.broadening import GAUSSIAN_SIGMA, N_POINTS, Patterns, normalised

#: Å⁻¹: peaks of MP-20-PXRD are at least this wide.
NARROWEST = 0.5 * sum(GAUSSIAN_SIGMA)

#: Å: sizes whose broadening is no longer seen beside that of the Gaussian.
LARGEST_SIZE = 200.0


@dataclass(frozen=True)
class NetworkInput:
    """What the networks are shown of a problem: its pattern (one row), and the size of its crystallites in Å."""

    patterns: Patterns
    crystallite_size: float

    def to(self, device: torch.device) -> NetworkInput:
        """Return the same on `device`."""
        return NetworkInput(self.patterns.to(device), self.crystallite_size)


def network_input(problem: Problem) -> NetworkInput:
    """Return what the networks are shown of `problem`: its pattern, sharp peaks as wide as those of MP-20-PXRD.

    Raises PatternError when too little of it was measured.
    """
    binned = binned_pattern(problem.pattern, NARROWEST, N_POINTS)
    shown = (torch.tensor(values[None], dtype=torch.float32) for values in (binned.intensity, binned.covered))
    return NetworkInput(normalised(*shown), problem.crystallite_size or _size_behind(binned.peak_width))


def _size_behind(width: float) -> float:
    """Return the crystallite size in Å that makes peaks of standard deviation `width` Å⁻¹ with MP-20-PXRD's Gaussian.

    √6/τ stands for the standard deviation of sinc²(Qτ/2), which has none: a Gaussian of that width falls off from its
    maximum in the same way.
    """
    excess = math.sqrt(max(width**2 - NARROWEST**2, 0.0))
    return min(math.sqrt(6) / excess, LARGEST_SIZE) if excess else LARGEST_SIZE
