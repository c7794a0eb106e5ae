"""How precise measured intensities are: as the file says, or as counting makes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xtal_core.pattern import FloatArray, Pattern

#: Scatter of neighbouring points, in units of √counts, of intensities that are taken for counts. Measured patterns of
#: plain counts have 0.9 to 1.25; counts that were multiplied, smoothed or added up are outside.
SCATTER_OF_COUNTS = (0.7, 1.5)


class StandardUncertainties(NamedTuple):
    """Standard uncertainties of measured points, None where nothing is known, and where they came from, in words.

    `values` are (n_points,), positive, those of excluded points included.
    """

    values: FloatArray | None
    how: str


def standard_uncertainties(pattern: Pattern) -> StandardUncertainties:
    """Return the standard uncertainties of the intensities of `pattern`.

    Those of the file; else √y, at least 1, for intensities y that are counts, the variance of a Poisson distribution
    being its mean; else none. Counts are whole numbers which scatter as counts do: whole numbers alone may have been
    multiplied or rounded.
    """
    if pattern.uncertainty is not None:
        return StandardUncertainties(pattern.uncertainty, "standard uncertainties of the file")
    intensity = pattern.intensity
    if (intensity < 0).any() or not np.allclose(intensity, np.rint(intensity), rtol=0, atol=1e-6):
        return StandardUncertainties(None, "unknown: the intensities are not whole numbers")
    scatter = counting_scatter(intensity[pattern.included])
    low, high = SCATTER_OF_COUNTS
    if not low <= scatter <= high:
        how = f"unknown: the intensities are whole numbers, but scatter {scatter:.2g} times as much as counts"
        return StandardUncertainties(None, how)
    return StandardUncertainties(np.sqrt(np.maximum(intensity, 1.0)), "square roots of the counts")


def counting_scatter(intensity: FloatArray) -> float:
    """Return how much neighbouring points (n_points,) differ, relative to √y of counts y: 1 for counts.

    Second differences y₋ − 2y + y₊ of counts have the variance y₋ + 4y + y₊; their median ignores the few points on
    slopes of reflections.
    """
    second = intensity[2:] - 2 * intensity[1:-1] + intensity[:-2]
    variance = np.maximum(intensity[2:] + 4 * intensity[1:-1] + intensity[:-2], 6.0)
    return float(np.median(np.abs(second) / np.sqrt(variance)) / 0.6745)
