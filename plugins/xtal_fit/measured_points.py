"""The measured points as they are, weighted by their uncertainties: what the last stage of a refinement fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from xtal_core.agreement import background_columns, measurement_for, resample
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Pattern

#: Points of the calculated axis for every standard deviation of a peak; the cubic through them errs by less than 1e-3.
POINTS_PER_WIDTH = 4

#: Points of the calculated axis at most.
MOST_POINTS = 32768


@dataclass(frozen=True, eq=False)
class MeasuredPoints:
    """What calculated patterns are fitted to, point by point.

    Attributes
    ----------
    measurement
        Uniform axis on which patterns are calculated.
    q : (n_points,) Å⁻¹
        The measured points, onto which they are interpolated.
    root_weights : (n_points,)
        Square roots of the weights of the points.
    background : (n_points, n_terms)
        Orthonormal columns, already multiplied by `root_weights`, of what the background may be.
    observed : (n_points,)
        Weighted measured intensity with everything that the background could describe projected out.
    mean_weight
        By which the weights were divided to have the mean 1, if they are 1/σ²; None where σ is not known.
    smoothing
        None is applied: 0.
    """

    measurement: Measurement
    q: FloatArray
    root_weights: FloatArray
    background: FloatArray
    observed: FloatArray
    mean_weight: float | None
    smoothing: float = 0.0

    @property
    def n_included(self) -> int:
        """How many points are not excluded."""
        return int(np.count_nonzero(self.root_weights))

    def broadened(self, profile: Profile) -> Profile:
        """Return `profile`: nothing is smoothed."""
        return profile

    def without_background(self, patterns: FloatArray, axis: int = -1) -> FloatArray:
        """Return `patterns` on the calculated axis as weighted measured points, the background projected out."""
        values = resample(np.moveaxis(np.asarray(patterns), axis, -1), self.measurement, self.q) * self.root_weights
        return np.moveaxis(values - (values @ self.background) @ self.background.T, -1, axis)


def measured_points(
    pattern: Pattern, uncertainty: FloatArray | None, width: float, *, reflections_to: float | None = None
) -> MeasuredPoints:
    """Return the points of `pattern` for peaks of standard deviation `width` Å⁻¹.

    `uncertainty` holds their (n_points,) standard uncertainties; None gives them all the same weight. Excluded points
    have none.
    """
    n_points = math.ceil(POINTS_PER_WIDTH * (pattern.q[-1] - pattern.q[0]) / width)
    measurement = measurement_for(pattern)
    if len(measurement.q) < n_points:
        measurement = measurement_for(pattern, min(n_points, MOST_POINTS))
    weights = pattern.included * (1.0 if uncertainty is None else uncertainty**-2.0)
    mean_weight = float(weights[pattern.included].mean())
    root = np.sqrt(weights / mean_weight)
    basis, _ = np.linalg.qr(background_columns(pattern) * root[:, None])
    intensity = pattern.intensity if pattern.background is None else pattern.intensity - pattern.background
    observed = root * intensity
    return MeasuredPoints(
        measurement=replace(measurement, reflections_to=reflections_to),
        q=pattern.q,
        root_weights=root,
        background=basis,
        observed=observed - basis @ (basis.T @ observed),
        mean_weight=None if uncertainty is None else mean_weight,
    )
