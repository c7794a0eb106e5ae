"""A pattern in the bins of training sets, as neural networks are shown it, be it simulated or measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xtal_core.errors import PatternError
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.pattern_features import is_noisy, noise_level, peak_width, smooth, without_background
from xtal_core.training_set import LARGEST_Q, LAST_REFLECTION, N_BINS

#: Noisy patterns are smoothed by this fraction of the width of their peaks.
NOISY_SHARE = 0.35

#: Of a noisy pattern, the fraction of points taken to be background, and how far above 0 these may be, in standard
#: deviations of the noise of single points.
FLOOR, MOST_NOISE = 0.25, 4.0

#: Fraction of the axis that must have been measured.
LEAST_COVERED = 0.15


@dataclass(frozen=True, eq=False)
class BinnedPattern:
    """A pattern from Q = 0 to `LARGEST_Q`.

    Attributes
    ----------
    intensity : (n_points,)
        The largest in each bin, without background, in the units of the pattern; 0 where nothing was measured.
    covered : (n_points,) bool
        Where something was measured and not excluded, and reflections are known to training sets.
    peak_width
        Å⁻¹: standard deviation of the peaks of the pattern as it was.
    """

    intensity: FloatArray
    covered: NDArray[np.bool_]
    peak_width: float


def binned_pattern(pattern: Pattern, narrowest: float, n_points: int) -> BinnedPattern:
    """Return `pattern` in `n_points` bins, a divisor of `N_BINS`.

    Sharp peaks are smoothed until they are `narrowest` Å⁻¹ wide, noisy ones by `NOISY_SHARE` of their width at least.
    Raises PatternError when too little is left.
    """
    native = peak_width(pattern)
    step = LARGEST_Q / N_BINS
    q = np.linspace(0.0, LARGEST_Q, N_BINS, endpoint=False) + 0.5 * step
    inside = (q >= pattern.q[0]) & (q <= min(pattern.q[-1], LAST_REFLECTION))
    noise = noise_level(pattern) if is_noisy(pattern) else 0.0
    smoothing = math.sqrt(max(narrowest**2 - native**2, (NOISY_SHARE * native) ** 2 if noise else 0.0, step**2))
    fine = np.zeros(N_BINS)
    fine[inside] = smooth(pattern.q, without_background(pattern, max(native, narrowest)), q[inside], smoothing)
    if noise and inside.any():
        # The lowest points of a noisy pattern are below its background: what was taken away is too little.
        fine[inside] -= min(max(float(np.quantile(fine[inside], FLOOR)), 0.0), MOST_NOISE * noise)
    if pattern.excluded is not None:
        inside[inside] = np.interp(q[inside], pattern.q, pattern.included.astype(float)) > 0.5
    covered = inside.reshape(n_points, -1).all(axis=1)
    if covered.mean() < LEAST_COVERED or not fine[inside].max(initial=0.0) > 0:
        problem = f"the pattern covers too little of Q = 0 to {LAST_REFLECTION:.2f} Å⁻¹ for the networks"
        raise PatternError(problem, "measure more of it, or choose another generator", pattern.source or None)
    largest = np.where(inside, fine, 0.0).clip(0).reshape(n_points, -1).max(axis=1)
    return BinnedPattern(np.where(covered, largest, 0.0), covered, native)
