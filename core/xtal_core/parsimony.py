"""When a better fit is worth its parameters.

A broad pattern holds few independent facts, and a structure of low symmetry can imitate nearly anything. Candidates
are therefore compared by Schwarz's criterion (Ann. Stat. 6, 461 (1978)), n ln R + k ln n for k parameters fitted to n
independent observations, here divided by n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xtal_core.pattern import Pattern
from xtal_core.pattern_features import is_measured, peak_width

#: Even sharp patterns are not believed to hold more; measured ones hold less, because texture, background and peak
#: shapes err together over many points.
MOST_OBSERVATIONS, MOST_MEASURED_OBSERVATIONS = 40, 25

#: What a unit of a generator's prior weighs against ln R², and what where peaks are narrower than that, in Å⁻¹.
PRIOR_WEIGHT, SHARP_PRIOR_WEIGHT, SHARP_PEAKS = 1.0, 0.5, 0.03

#: R² that rounding, tabulated form factors and numerical peak shapes leave between two calculations of one structure.
CALCULATION_FLOOR = 2e-7

#: R² below which a pattern of laboratory radiation no longer speaks for one structure: texture, composition and peak
#: shapes are not known to better, and distorted structures describe part of what is left.
LABORATORY_FLOOR = 3e-3


@dataclass(frozen=True)
class Parsimony:
    """What fits of one pattern are judged by.

    Attributes
    ----------
    observations
        How many independent values the pattern holds.
    prior_weight
        What a unit of a generator's prior weighs against ln R².
    floor
        R² that is no better than 0.
    """

    observations: float
    prior_weight: float = 1.0
    floor: float = CALCULATION_FLOOR

    def penalised(self, residual: float, n_parameters: float) -> float:
        """Return ln R² + k ln n / n, lower is better: the criterion for a fit of k parameters to n observations."""
        return math.log(residual + self.floor) + n_parameters * math.log(self.observations) / self.observations

    def merit(self, residual: float, n_parameters: float, prior: float) -> float:
        """Return what candidates are sorted by, lower is better: the penalised residual, less the weighted prior."""
        return self.penalised(residual, n_parameters) - self.prior_weight * prior


def parsimony_of(pattern: Pattern) -> Parsimony:
    """Return what fits of `pattern` are judged by."""
    return Parsimony(independent_observations(pattern), prior_weight(pattern), residual_floor(pattern))


def independent_observations(pattern: Pattern) -> float:
    """Return how many independent values `pattern` holds: two for every standard deviation of its peaks."""
    most = MOST_MEASURED_OBSERVATIONS if is_measured(pattern) else MOST_OBSERVATIONS
    return float(np.clip(2 * (pattern.q[-1] - pattern.q[0]) / peak_width(pattern), 10, most))


def prior_weight(pattern: Pattern) -> float:
    """Return what a unit of a generator's prior weighs against ln R² of `pattern`: sharp ones speak for themselves."""
    return SHARP_PRIOR_WEIGHT if peak_width(pattern) < SHARP_PEAKS else PRIOR_WEIGHT


def residual_floor(pattern: Pattern) -> float:
    """Return the R² of `pattern` that is no better than 0: more is left of laboratory radiation, of several lines."""
    return LABORATORY_FLOOR if len(pattern.radiation.wavelengths) > 1 else CALCULATION_FLOOR
