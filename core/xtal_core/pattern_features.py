"""What a pattern tells about itself: its noise, the width of its peaks, how much background it has."""

from __future__ import annotations

import math

import numpy as np

from xtal_core.pattern import FloatArray, Pattern

#: Below this fraction of the strongest intensity a noise-free minimum means that no background is left.
NO_BACKGROUND = 0.1

#: Noise, as a fraction of the strongest intensity, above which a pattern is taken as measured.
MEASURED_NOISE = 1e-4

#: Chebyshev terms a Å⁻¹ of a measured background.
TERMS_PER_Q = 1.5

#: Å⁻¹: over such a length a background falls to its lowest point, and changes little.
BACKGROUND_WINDOW = 0.8


def smooth(q: FloatArray, values: FloatArray, at: FloatArray, sigma: float) -> FloatArray:
    """Return `values` given at `q`, averaged with a Gaussian of `sigma` Å⁻¹, at the points `at`."""
    spacing = np.gradient(q)
    result = np.empty(len(at))
    reach = 5 * sigma
    for start in range(0, len(at), 256):
        points = at[start : start + 256]
        near = slice(np.searchsorted(q, points[0] - reach), np.searchsorted(q, points[-1] + reach))
        kernel = np.exp(-0.5 * ((points[:, None] - q[near]) / sigma) ** 2) * spacing[near]
        total = kernel.sum(1)
        interpolated = np.interp(points, q, values)
        # Where points are sparser than the smoothing there is nothing to average.
        result[start : start + 256] = np.where(total > 1e-12, (kernel @ values[near]) / (total + 1e-300), interpolated)
    return result


def bridged_intensity(pattern: Pattern) -> FloatArray:
    """Return the (n_points,) intensity with a straight line across every excluded region."""
    if pattern.excluded is None:
        return pattern.intensity
    included = pattern.included
    return np.interp(pattern.q, pattern.q[included], pattern.intensity[included])


def noise_level(pattern: Pattern) -> float:
    """Return the standard deviation of the noise of single points, from their second differences."""
    # Where a region was excluded, the points on its two sides become neighbours: too few to matter for a median.
    intensity = pattern.intensity[pattern.included]
    second = intensity[2:] - 2 * intensity[1:-1] + intensity[:-2]
    return float(np.median(np.abs(second)) / 0.6745 / math.sqrt(6))


def is_measured(pattern: Pattern) -> bool:
    """Return whether `pattern` was measured: with noise or, where that was smoothed away, with several wavelengths."""
    return is_noisy(pattern) or len(pattern.radiation.wavelengths) > 1


def is_noisy(pattern: Pattern) -> bool:
    """Return whether neighbouring points of `pattern` scatter visibly."""
    return noise_level(pattern) > MEASURED_NOISE * float(bridged_intensity(pattern).max())


def background_terms(pattern: Pattern) -> int:
    """Return how many Chebyshev terms the background of `pattern` has: those asked for, else those it needs.

    A stored background needs none besides it, and a pattern without background none at all.
    """
    if pattern.chebyshev_terms is not None:
        return pattern.chebyshev_terms
    if pattern.background is not None:
        return 0
    intensity = bridged_intensity(pattern)
    if not is_measured(pattern) and intensity.min() < NO_BACKGROUND * float(intensity.max()):
        return 0
    return int(np.clip(round(TERMS_PER_Q * (pattern.q[-1] - pattern.q[0])), 4, 12))


def peak_width(pattern: Pattern) -> float:
    """Return the standard deviation in Å⁻¹ of the peaks of `pattern`, treated as Gaussians.

    For isolated Gaussians ∫y² / ∫y'² = 2σ², dominated by the strong peaks; a little smoothing keeps noise out of the
    derivative and is subtracted again.
    """
    step = float(np.median(np.diff(pattern.q)))
    sigma = 2 * step
    q = np.arange(pattern.q[0], pattern.q[-1], step)
    y = smooth(pattern.q, bridged_intensity(pattern), q, sigma)
    # Peaks stand on a background that varies slowly: what remains above a running minimum is theirs.
    window = max(3, int(0.6 / step))
    padded = np.pad(y, window // 2, mode="edge")
    floor = np.lib.stride_tricks.sliding_window_view(padded, window).min(1)[: len(y)]
    y = y - smooth(q, floor, q, 0.15)
    slope = np.gradient(y, step)
    width = math.sqrt(max(np.sum(y * y) / (2 * np.sum(slope * slope) + 1e-300), sigma**2 * 1.05))
    return math.sqrt(width**2 - sigma**2)


def without_background(pattern: Pattern, width: float) -> FloatArray:
    """Return the (n_points,) intensity less its background; `width` in Å⁻¹ is that of the peaks.

    The background is the pattern's own where it has one, else the morphological opening of the pattern, which leaves
    out whatever is narrower than `BACKGROUND_WINDOW`.
    """
    intensity = bridged_intensity(pattern)
    if pattern.background is not None:
        return intensity - pattern.background
    if not background_terms(pattern):
        return intensity
    # The lowest of an average: single points of a noisy pattern lie below the background.
    step = float(np.median(np.diff(pattern.q)))
    q = np.arange(pattern.q[0], pattern.q[-1], step)
    averaged = smooth(pattern.q, intensity, q, max(width / 3, 3 * step))
    half = int(max(BACKGROUND_WINDOW, 8 * width) / (2 * step))
    # Slopes go on beyond the ends, once for each step below.
    floor = np.pad(averaged, 3 * half, mode="reflect", reflect_type="odd")
    # The highest of the lowest: a slope stays where it is, which the lowest alone would move aside.
    for extreme in (np.min, np.max):
        floor = extreme(np.lib.stride_tricks.sliding_window_view(floor, 2 * half + 1), axis=1)
    q = q[0] + step * np.arange(-half, len(q) + half)
    return intensity - smooth(q, floor, pattern.q, BACKGROUND_WINDOW / 4)
