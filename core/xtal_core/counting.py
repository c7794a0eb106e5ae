"""Calculated patterns as a diffractometer would count them: on a background, with counting noise."""

from __future__ import annotations

import numpy as np

from xtal_core.pattern import FloatArray


def counted(
    two_theta: FloatArray,
    intensity: FloatArray,
    *,
    strongest: float,
    background: float = 0.0,
    random: np.random.Generator | None = None,
) -> FloatArray:
    """Return a calculated pattern in counts.

    Parameters
    ----------
    two_theta, intensity : (n_points,)
        Degrees, and any unit; not negative, with a positive maximum.
    strongest
        Counts at the maximum, without background.
    background
        Its height at the first point, as a fraction of the maximum; see `background_shape`.
    random
        Where counting noise comes from: each point becomes a draw from the Poisson distribution about its value. None
        adds no noise.
    """
    expected = strongest * (intensity / intensity.max() + background * background_shape(two_theta))
    return expected if random is None else random.poisson(expected).astype(float)


def background_shape(two_theta: FloatArray) -> FloatArray:
    """Return a smooth background like that of a flat sample in air: 1 at the first point, falling to about a third."""
    x = (two_theta - two_theta[0]) / (two_theta[-1] - two_theta[0])
    return 0.3 + 0.7 * np.exp(-3 * x)
