"""The measured pattern as screening and refinement see it: smoothed, on a uniform axis, with its background terms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from xtal_core.agreement import point_weights
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Pattern

#: Below this fraction of the strongest intensity a noise-free minimum means that no background is left.
NO_BACKGROUND = 0.1

#: Noise, as a fraction of the strongest intensity, above which a pattern is taken as measured.
MEASURED_NOISE = 1e-4

#: Chebyshev terms a Å⁻¹ of a measured background.
TERMS_PER_Q = 1.5


@dataclass(frozen=True, eq=False)
class Target:
    """What calculated patterns are fitted to.

    Attributes
    ----------
    measurement
        Uniform axis of n_points, coarse where the smoothing allows it.
    intensity : (n_points,)
        Measured intensity, smoothed; scaled so that its largest value is 1.
    root_weights : (n_points,)
        Square roots of the weights of the points.
    background : (n_points, n_terms)
        Orthonormal columns, already multiplied by `root_weights`, of what the background may be.
    smoothing
        Standard deviation in Å⁻¹ of the Gaussian that was applied; calculated patterns must be broadened by it too.
    unit
        The measured intensity that 1 stands for.
    """

    measurement: Measurement
    intensity: FloatArray
    root_weights: FloatArray
    background: FloatArray
    smoothing: float
    unit: float

    def broadened(self, profile: Profile) -> Profile:
        """Return `profile` with the smoothing of this target added."""
        sigma = math.hypot(profile.gaussian_sigma, self.smoothing)
        return Profile(
            profile.crystallite_size, sigma, profile.lorentzian_hwhm, profile.b_iso, profile.zero_shift
        )

    def without_background(self, patterns: FloatArray, axis: int = -1) -> FloatArray:
        """Return weighted `patterns` with everything that the background could describe projected out."""
        moved = np.moveaxis(np.asarray(patterns), axis, -1) * self.root_weights
        moved = moved - (moved @ self.background) @ self.background.T
        return np.moveaxis(moved, -1, axis)


def make_target(
    pattern: Pattern, smoothing: float, native_width: float, *, reflections_to: float | None = None
) -> Target:
    """Return `pattern` smoothed by a Gaussian of `smoothing` Å⁻¹, for peaks of standard deviation `native_width` Å⁻¹.

    Every measured point contributes; the axis has three points a standard deviation of the smoothed peaks.
    """
    span = pattern.q[-1] - pattern.q[0]
    width = math.hypot(smoothing, native_width)
    n_points = int(np.clip(math.ceil(3 * span / width), 128, 8192)) + 1
    q = np.linspace(pattern.q[0], pattern.q[-1], n_points)
    intensity = pattern.intensity if pattern.background is None else pattern.intensity - pattern.background
    values = smooth(pattern.q, intensity, q, max(smoothing, 0.3 * (q[1] - q[0])))
    unit = float(np.max(values - min(values.min(), 0.0)))
    weights = np.ones(n_points)
    if pattern.uncertainty is not None:
        weights = np.interp(q, pattern.q, point_weights(pattern))
        weights = weights / weights.mean()
    root = np.sqrt(weights)
    x = 2 * (q - q[0]) / span - 1
    n_terms = background_terms(pattern)
    basis = chebyshev.chebvander(x, n_terms - 1) * root[:, None] if n_terms else np.empty((n_points, 0))
    return Target(
        measurement=Measurement(q, pattern.radiation, reflections_to),
        intensity=values / unit,
        root_weights=root,
        background=np.linalg.qr(basis)[0] if n_terms else basis,
        smoothing=smoothing,
        unit=unit,
    )


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


def noise_level(pattern: Pattern) -> float:
    """Return the standard deviation of the noise of single points, from their second differences."""
    second = pattern.intensity[2:] - 2 * pattern.intensity[1:-1] + pattern.intensity[:-2]
    return float(np.median(np.abs(second)) / 0.6745 / math.sqrt(6))


def is_measured(pattern: Pattern) -> bool:
    """Return whether `pattern` is noisy: one without any noise was calculated."""
    return noise_level(pattern) > MEASURED_NOISE * float(pattern.intensity.max())


def background_terms(pattern: Pattern) -> int:
    """Return how many Chebyshev terms the background of `pattern` needs; 0 where none is left."""
    if pattern.background is not None:
        return 0
    top = float(pattern.intensity.max())
    if not is_measured(pattern) and pattern.intensity.min() < NO_BACKGROUND * top:
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
    y = smooth(pattern.q, pattern.intensity, q, sigma)
    # Peaks stand on a background that varies slowly: what remains above a running minimum is theirs.
    window = max(3, int(0.6 / step))
    padded = np.pad(y, window // 2, mode="edge")
    floor = np.lib.stride_tricks.sliding_window_view(padded, window).min(1)[: len(y)]
    y = y - smooth(q, floor, q, 0.15)
    slope = np.gradient(y, step)
    width = math.sqrt(max(np.sum(y * y) / (2 * np.sum(slope * slope) + 1e-300), sigma**2 * 1.05))
    return math.sqrt(width**2 - sigma**2)


def starting_profile(pattern: Pattern, crystallite_size: float | None) -> Profile:
    """Return a first guess of the sample's profile: the size if known, the rest of the peak width as a Gaussian."""
    width = peak_width(pattern)
    size = 0.0 if crystallite_size is None else math.sqrt(6) / crystallite_size
    # Size broadening may explain everything; some Gaussian is kept so that a fit can find its way from there.
    rest = math.sqrt(max(width**2 - size**2, (0.3 * width) ** 2))
    return Profile(crystallite_size=crystallite_size, gaussian_sigma=rest)
