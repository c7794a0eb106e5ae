"""Weights for samples that may hold other phases, whose reflections only ever add intensity.

Least squares takes a foreign reflection for a large error and bends everything to it. If the intensity A ≥ 0 that
other phases add at a point is unknown even in its order of magnitude, p(A) ∝ 1/A, then the probability of a point far
above the calculated pattern falls as 1/(obs − calc), and what is minimised grows there as 2 ln(obs − calc) instead of
(obs − calc)²/σ² (David, J. Appl. Cryst. 34, 691 (2001)). Here the two are joined where their values and slopes meet,

    φ(t) = t² for t ≤ 1,   1 + 2 ln t for t > 1,   t = (obs − calc)/σ,

which least squares minimises when it is repeated with weights multiplied by φ'(t)/(2t) = min(1, 1/t²) of the last fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xtal_core.counting_statistics import standard_uncertainties
from xtal_core.pattern import FloatArray, Pattern


def excess_factor(deviation: FloatArray) -> FloatArray:
    """Return min(1, 1/t²) for deviations t = (obs − calc)/σ above the calculated pattern, and 1 below it."""
    return np.maximum(deviation, 1.0) ** -2


def typical_deviation(pattern: Pattern, calculated: FloatArray) -> FloatArray:
    """Return (n_points,): the σ by which a deviation from the `calculated` pattern counts as large.

    The standard uncertainties of the points, all multiplied by the same number where the model itself errs more: the
    median of |obs − calc|/σ says how much, which foreign reflections on less than half of the points hardly change.
    Where no uncertainties are known, the median of |obs − calc| stands for them.
    """
    included = pattern.included
    deviation = np.abs(pattern.intensity - calculated)
    sigma = standard_uncertainties(pattern).values
    if sigma is None:
        median = float(np.median(deviation[included])) / 0.6745
        return np.full(len(pattern), max(median, 1e-9 * float(np.abs(pattern.intensity).max())))
    return sigma * max(float(np.median((deviation / sigma)[included])) / 0.6745, 1.0)


def downweighted(pattern: Pattern, calculated: FloatArray) -> Pattern:
    """Return `pattern` with larger uncertainties where it lies far above `calculated` (n_points,), background included.

    Fitting the result, and downweighting the original again by that fit until nothing changes, is the robust
    refinement. Agreement factors belong to the original, not to the result.
    """
    sigma = typical_deviation(pattern, calculated)
    return replace(pattern, uncertainty=sigma / np.sqrt(excess_factor((pattern.intensity - calculated) / sigma)))
