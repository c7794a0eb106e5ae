"""The measured pattern as screening and refinement see it: smoothed, on a uniform axis, with its background terms."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from xtal_core.agreement import background_basis
from xtal_core.errors import PatternError
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.pattern_features import background_terms, peak_width, smooth


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
        Square roots of the weights of the points; 0 where nearly all that was averaged is excluded.
    background : (n_points, n_terms)
        Orthonormal columns, already multiplied by `root_weights`, of what the background may be, the blank included.
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

    @property
    def observed(self) -> FloatArray:
        """(n_points,): weighted intensity with everything that the background could describe projected out."""
        return self.without_background(self.intensity)

    def broadened(self, profile: Profile) -> Profile:
        """Return `profile` with the smoothing of this target added."""
        return replace(profile, gaussian_sigma=math.hypot(profile.gaussian_sigma, self.smoothing))

    def without_background(self, patterns: FloatArray, axis: int = -1) -> FloatArray:
        """Return weighted `patterns` with everything that the background could describe projected out."""
        moved = np.moveaxis(np.asarray(patterns), axis, -1) * self.root_weights
        moved = moved - (moved @ self.background) @ self.background.T
        return np.moveaxis(moved, -1, axis)


def make_target(
    pattern: Pattern, smoothing: float, native_width: float, *, reflections_to: float | None = None
) -> Target:
    """Return `pattern` smoothed by a Gaussian of `smoothing` Å⁻¹, for peaks of standard deviation `native_width` Å⁻¹.

    Every measured point contributes; the axis has three points a standard deviation of the smoothed peaks. Averaging
    over the nearest points takes some smoothing even where none is asked for: `Target.smoothing` says how much it was.
    """
    span = pattern.q[-1] - pattern.q[0]
    width = math.hypot(smoothing, native_width)
    n_points = int(np.clip(math.ceil(3 * span / width), 128, 8192)) + 1
    q = np.linspace(pattern.q[0], pattern.q[-1], n_points)
    intensity = pattern.intensity if pattern.background is None else pattern.intensity - pattern.background
    # A Gaussian of 0.7 steps over sampled values is the integral to 1e-4.
    smoothing = max(smoothing, 0.3 * (q[1] - q[0]), 0.7 * float(np.median(np.diff(pattern.q))))
    values, share = _smooth_included(pattern, intensity, q, smoothing)
    counting = values[share > 0.5]
    if not len(counting):
        problem = f"what is left of the pattern is narrower than its smoothing by {smoothing:.3f} Å⁻¹"
        raise PatternError(problem, "exclude less", pattern.source or None)
    unit = float(np.max(counting) - min(counting.min(), 0.0))
    weights = np.ones(n_points)
    if pattern.uncertainty is not None:
        weights = np.interp(q, pattern.q, pattern.uncertainty**-2)
    # An average over the points on one side only is not that of the calculated pattern: beside an excluded region the
    # weight falls to 0 where half of the average would be missing.
    weights = weights * np.maximum(2 * share - 1, 0) ** 2
    weights = weights / weights.mean()
    root = np.sqrt(weights)
    basis = background_basis(q, background_terms(pattern))
    if pattern.blank is not None:
        basis = np.column_stack([basis, smooth(pattern.q, pattern.blank, q, smoothing)])
    return Target(
        measurement=Measurement(q, pattern.radiation, reflections_to),
        intensity=values / unit,
        root_weights=root,
        background=np.linalg.qr(basis * root[:, None])[0],
        smoothing=smoothing,
        unit=unit,
    )


def _smooth_included(
    pattern: Pattern, intensity: FloatArray, q: FloatArray, smoothing: float
) -> tuple[FloatArray, FloatArray]:
    """Return the smoothed (n_points,) `intensity` at `q`, and which share of what was averaged is included.

    Excluded points take no part in the average; where there is nothing else, it is 0.
    """
    if pattern.excluded is None:
        return smooth(pattern.q, intensity, q, smoothing), np.ones(len(q))
    included = pattern.included.astype(float)
    share = smooth(pattern.q, included, q, smoothing)
    total = smooth(pattern.q, included * intensity, q, smoothing)
    return np.divide(total, share, out=np.zeros(len(q)), where=share > 1e-6), share


def starting_profile(pattern: Pattern, crystallite_size: float | None) -> Profile:
    """Return a first guess of the sample's profile: the size if known, the rest of the peak width as a Gaussian."""
    width = peak_width(pattern)
    size = 0.0 if crystallite_size is None else math.sqrt(6) / crystallite_size
    # Size broadening may explain everything; some Gaussian is kept so that a fit can find its way from there.
    rest = math.sqrt(max(width**2 - size**2, (0.3 * width) ** 2))
    return Profile(crystallite_size=crystallite_size, gaussian_sigma=rest)
