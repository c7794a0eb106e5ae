"""What every metric of powder patterns must fulfil."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray, Pattern, Radiation
from xtal_core.testing.similarity import SimilarityConformance

#: Å⁻¹; standard deviation of the reflections.
WIDTH = 0.02

#: Positions in Å⁻¹ and heights of the reflections of three patterns.
REFLECTIONS = (
    ((1.9, 2.2, 3.1, 3.8, 4.4), (100.0, 60.0, 45.0, 80.0, 20.0)),
    ((1.5, 2.2, 2.9, 4.1), (30.0, 100.0, 55.0, 40.0)),
    ((2.0, 2.3, 3.4, 3.9, 4.7), (70.0, 20.0, 100.0, 10.0, 35.0)),
)


class PatternMetricConformance(SimilarityConformance):
    """Tests of a metric of patterns: subclass it as `Test…` and create the metric.

    See `SimilarityConformance` for the tolerances.

    Attributes
    ----------
    resampling
        How far, in units of the metric, values may change when the second pattern is given on another axis.
    """

    compares = "patterns"
    resampling: ClassVar[float] = 0.01

    def items(self) -> list[Pattern]:
        """Return noise-free patterns of Gaussian reflections."""
        return [self.pattern(positions, heights) for positions, heights in REFLECTIONS]

    def distorted(self, item: Pattern) -> Pattern:
        """Return `item` as if its cell edges were 0.3 % shorter."""
        return replace(item, intensity=np.interp(item.q / 1.003, item.q, item.intensity))

    def pattern(self, positions: tuple[float, ...], heights: tuple[float, ...], q: FloatArray | None = None) -> Pattern:
        """Return Gaussian reflections at `positions` Å⁻¹ of `heights`, on 2θ 15–85° of Cu Kα1 unless `q` is given."""
        radiation = Radiation.from_line("CuKa1")
        q = radiation.q_from_two_theta(np.linspace(15.0, 85.0, 1401)) if q is None else q
        peaks = np.exp(-((q[:, None] - np.array(positions)) ** 2) / (2 * WIDTH**2))
        return Pattern(q, peaks @ np.array(heights), radiation)

    def test_the_unit_of_intensity_does_not_matter(self) -> None:
        """Counts, counts a second and relative intensities are the same pattern."""
        metric = self.create_metric()
        one, other, _ = self.items()
        scaled = [replace(pattern, intensity=1e-3 * pattern.intensity) for pattern in (one, other)]
        expected = self.value(metric, one, other)
        for first, second in ((one, scaled[1]), (scaled[0], other)):
            np.testing.assert_allclose(self.value(metric, first, second), expected, rtol=0, atol=self.tolerance)

    def test_a_stored_background_does_not_matter(self) -> None:
        """A background that comes with a pattern is no part of what is compared."""
        metric = self.create_metric()
        one, other, _ = self.items()
        background = 300 - 30 * one.q
        raised = [replace(p, intensity=p.intensity + background, background=background) for p in (one, other)]
        expected = self.value(metric, one, other)
        np.testing.assert_allclose(self.value(metric, *raised), expected, rtol=0, atol=self.tolerance)

    def test_the_axis_of_the_second_pattern_matters_little(self) -> None:
        """A finer, uniform axis that reaches further gives the same values but for the resampling."""
        metric = self.create_metric()
        one, other, _ = self.items()
        for pattern, (positions, heights) in ((one, REFLECTIONS[0]), (other, REFLECTIONS[1])):
            resampled = self.pattern(positions, heights, np.linspace(0.9, 5.9, 2600))
            expected = self.value(metric, one, pattern)
            np.testing.assert_allclose(self.value(metric, one, resampled), expected, rtol=0, atol=self.resampling)

    def test_patterns_without_a_common_range_are_refused(self) -> None:
        """Nothing measured at the same Q is bad input."""
        metric = self.create_metric()
        positions, heights = REFLECTIONS[0]
        low, high = (self.pattern(positions, heights, np.linspace(*ends, 500)) for ends in ((1.0, 2.5), (3.0, 5.0)))
        features = metric.featurise([low, high])
        with pytest.raises(InputError):
            metric.compare(features[:1], features[1:])

    def test_a_pattern_without_intensity_is_refused(self) -> None:
        """Neither zeros nor background alone can be compared."""
        metric = self.create_metric()
        pattern = self.items()[0]
        for empty in (replace(pattern, intensity=0 * pattern.q), replace(pattern, background=pattern.intensity)):
            with pytest.raises(InputError):
                metric.featurise([empty])
