"""Distances between patterns in which neither is the observed one: cosine and L1."""

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
from xtal_pattern_similarity.plugin import CosineOptions, L1Options


class CosineMetric(SimilarityMetric):
    """1 − cos = 1 − Σ a b / √(Σ a² Σ b²) of the intensities a and b of two patterns.

    0 for patterns that differ by a factor only, 1 for patterns without a common reflection; above 1 only where
    intensities are negative. No scale enters. Sums run over the points of the first pattern: swapping two patterns of
    different axes changes the value a little, swapping two of the same axis does not.
    """

    name: ClassVar[str] = "pattern-cosine"
    compares: ClassVar[Literal["structures", "patterns"]] = "patterns"

    def __init__(self, options: CosineOptions) -> None:
        self.same_below = options.same_below
        self._options = options

    def featurise(self, items: Sequence[Pattern]) -> list[PeakProfile]:
        """Return the patterns without background. Raises PatternError for one without intensity."""
        return peak_profiles(items, self.name)

    def compare(self, first: Sequence[PeakProfile], second: Sequence[PeakProfile]) -> FloatArray:
        """Return the (n_first, n_second) distances. Raises PatternError for a pair that cannot be compared."""
        return compare_each(first, second, self._options, cosine_distances)

    def explain(self, first: PeakProfile, second: PeakProfile) -> Mapping[str, float]:
        """Return which points were compared."""
        return explain_overlap(first, second, common_axis(first, [second], self._options))


class L1Metric(SimilarityMetric):
    """½ Σ |a/Σ|a| − b/Σ|b|| of the intensities a and b of two patterns: the share of intensity that lies elsewhere.

    Between 0 and 1, which patterns without a common reflection have. Unlike squares, it does not let the strongest
    reflection decide. Sums run over the points of the first pattern: swapping two patterns of different axes changes
    the value a little, swapping two of the same axis does not.
    """

    name: ClassVar[str] = "pattern-l1"
    compares: ClassVar[Literal["structures", "patterns"]] = "patterns"

    def __init__(self, options: L1Options) -> None:
        self.same_below = options.same_below
        self._options = options

    def featurise(self, items: Sequence[Pattern]) -> list[PeakProfile]:
        """Return the patterns without background. Raises PatternError for one without intensity."""
        return peak_profiles(items, self.name)

    def compare(self, first: Sequence[PeakProfile], second: Sequence[PeakProfile]) -> FloatArray:
        """Return the (n_first, n_second) distances. Raises PatternError for a pair that cannot be compared."""
        return compare_each(first, second, self._options, l1_distances)

    def explain(self, first: PeakProfile, second: PeakProfile) -> Mapping[str, float]:
        """Return which points were compared."""
        return explain_overlap(first, second, common_axis(first, [second], self._options))


def cosine_distances(common: CommonAxis) -> FloatArray:
    """Return (n_others,) 1 − cos, from the difference of unit vectors, which keeps its digits near 0."""
    one = common.first / np.linalg.norm(common.first)
    others = common.others / np.linalg.norm(common.others, axis=1, keepdims=True)
    return ((one - others) ** 2).sum(axis=1) / 2


def l1_distances(common: CommonAxis) -> FloatArray:
    """Return (n_others,) half the L1 distances of patterns of area 1."""
    one = common.first / np.abs(common.first).sum()
    others = common.others / np.abs(common.others).sum(axis=1, keepdims=True)
    return np.abs(one - others).sum(axis=1) / 2
