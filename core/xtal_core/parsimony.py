"""When a better fit is worth its parameters.

A broad pattern holds few independent facts, and a structure of low symmetry can imitate nearly anything. Candidates
are therefore compared by Schwarz's criterion (Ann. Stat. 6, 461 (1978)), n ln R + k ln n for k parameters fitted to n
independent observations, here divided by n.
"""

from __future__ import annotations

import math

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


def independent_observations(pattern: Pattern) -> float:
    """Return how many independent values `pattern` holds: two for every standard deviation of its peaks."""
    most = MOST_MEASURED_OBSERVATIONS if is_measured(pattern) else MOST_OBSERVATIONS
    return float(np.clip(2 * (pattern.q[-1] - pattern.q[0]) / peak_width(pattern), 10, most))


def prior_weight(pattern: Pattern) -> float:
    """Return what a unit of a generator's prior weighs against ln R² of `pattern`: sharp ones speak for themselves."""
    return SHARP_PRIOR_WEIGHT if peak_width(pattern) < SHARP_PEAKS else PRIOR_WEIGHT


def penalised_residual(residual: float, n_parameters: float, observations: float) -> float:
    """Return ln R² + k ln n / n, lower is better: the criterion for a fit of k parameters to n observations."""
    return math.log(residual + CALCULATION_FLOOR) + n_parameters * math.log(observations) / observations
