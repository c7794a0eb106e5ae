"""Residuals of one pattern against another: R²wp as the structure-solution papers define it, and Rietveld's Rwp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray, Pattern
from xtal_pattern_similarity.common_axis import (
    CommonAxis,
    PeakProfile,
    common_axis,
    compare_each,
    explain_overlap,
    peak_profiles,
)
from xtal_pattern_similarity.plugin import R2wpOptions, RwpOptions

Scale = Literal["maximum", "least-squares"]


class R2wpMetric(SimilarityMetric):
    """R²wp = Σ (o − c)² / Σ o², no square root and no weights; o is the first pattern, c the second.

    As in PXRDNet (E. A. Riesel et al., and MP-20-PXRD's scores), both patterns are scaled to a maximum of 1 over the
    points compared; with `scale=least-squares`, c is multiplied by Σ o c / Σ c² instead, which makes R²wp as small as
    it can be and never more than 1. Directional, the first pattern being the observed one: a pattern that lacks half
    of its reflections is judged differently from one that has them twice. Sums run over the points of the first
    pattern; see `common_axis`.
    """

    name: ClassVar[str] = "pattern-r2wp"
    compares: ClassVar[Literal["structures", "patterns"]] = "patterns"

    def __init__(self, options: R2wpOptions) -> None:
        self.same_below = options.same_below
        self._options = options

    def featurise(self, items: Sequence[Pattern]) -> list[PeakProfile]:
        """Return the patterns without background. Raises PatternError for one without intensity."""
        return peak_profiles(items, self.name)

    def compare(self, first: Sequence[PeakProfile], second: Sequence[PeakProfile]) -> FloatArray:
        """Return the (n_first, n_second) residuals. Raises PatternError for a pair that cannot be compared."""
        return compare_each(first, second, self._options, self._residuals)

    def explain(self, first: PeakProfile, second: PeakProfile) -> Mapping[str, float]:
        """Return which points were compared, and by what the second pattern was multiplied."""
        common = common_axis(first, [second], self._options)
        return explain_overlap(first, second, common) | {"scale": _factor(common, np.ones(1), self._options.scale)}

    def _residuals(self, common: CommonAxis) -> FloatArray:
        return residuals(*scaled(common, np.ones(len(common.q)), self._options.scale), np.ones(len(common.q)))


class RwpMetric(SimilarityMetric):
    """Rwp = √(Σ w (o − c)² / Σ w o²); o is the first pattern, c the second, w = 1/σ² of the first.

    The weighted profile residual of Rietveld refinement (R. A. Young, The Rietveld Method, 1993, table 1.3). Without
    uncertainties all points weigh the same. By default c is multiplied by Σ w o c / Σ w c², as a refined scale would
    do; with `scale=maximum` both are scaled to a maximum of 1 over the points compared. Directional, the first pattern
    being the observed one: its points, its weights, and its intensity in the denominator.
    """

    name: ClassVar[str] = "pattern-rwp"
    compares: ClassVar[Literal["structures", "patterns"]] = "patterns"

    def __init__(self, options: RwpOptions) -> None:
        self.same_below = options.same_below
        self._options = options

    def featurise(self, items: Sequence[Pattern]) -> list[PeakProfile]:
        """Return the patterns without background. Raises PatternError for one without intensity."""
        return peak_profiles(items, self.name)

    def compare(self, first: Sequence[PeakProfile], second: Sequence[PeakProfile]) -> FloatArray:
        """Return the (n_first, n_second) residuals. Raises PatternError for a pair that cannot be compared."""
        return compare_each(first, second, self._options, self._residuals)

    def explain(self, first: PeakProfile, second: PeakProfile) -> Mapping[str, float]:
        """Return which points were compared, the scale, and whether uncertainties were weights."""
        common = common_axis(first, [second], self._options)
        return explain_overlap(first, second, common) | {
            "scale": _factor(common, common.weights, self._options.scale),
            "weights from uncertainties": first.uncertainty is not None,
        }

    def _residuals(self, common: CommonAxis) -> FloatArray:
        return np.sqrt(residuals(*scaled(common, common.weights, self._options.scale), common.weights))


def scaled(common: CommonAxis, weights: FloatArray, scale: Scale) -> tuple[FloatArray, FloatArray]:
    """Return the first pattern (n_points,) and the others (n_others, n_points) on one scale.

    "maximum": largest value 1; "least-squares": the others multiplied by what makes Σ w (o − c)² smallest, 0 where that
    would be negative.
    """
    if scale == "maximum":
        return common.first / common.first.max(), common.others / common.others.max(axis=1, keepdims=True)
    return common.first, common.others * _least_squares_factors(common, weights)[:, None]


def residuals(observed: FloatArray, calculated: FloatArray, weights: FloatArray) -> FloatArray:
    """Return Σ w (o − c)² / Σ w o² of `calculated` (n_others, n_points)."""
    return ((observed - calculated) ** 2 @ weights) / (observed**2 @ weights)


def _least_squares_factors(common: CommonAxis, weights: FloatArray) -> FloatArray:
    weighted = common.first * weights
    return np.maximum((common.others @ weighted) / (common.others**2 @ weights), 0.0)


def _factor(common: CommonAxis, weights: FloatArray, scale: Scale) -> float:
    """Return what the intensities of the second pattern are multiplied by to compare them with the first's."""
    if scale == "maximum":
        return float(common.first.max() / common.others.max())
    return float(_least_squares_factors(common, np.broadcast_to(weights, common.first.shape))[0])
