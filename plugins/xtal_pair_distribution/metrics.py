"""Similarity of pair distribution functions: the residual Rw and Pearson's correlation, after morphing.

Items are structures and measured G(r), in any mixture. Two structures are compared under the conditions of the options.
For a structure and a measurement, G(r) of the structure is calculated as measured: on its grid, with its range of Q and
resolution as far as its file states them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_pair_distribution.gr_file import read_gr
from xtal_pair_distribution.morph_fit import MorphFit
from xtal_pair_distribution.pair_distribution import PairDistribution
from xtal_pair_distribution.pair_morphing import Feature, PairMorphing
from xtal_pair_distribution.plugin import PearsonOptions, RwOptions

#: Endings of files with a measured G(r).
SUFFIXES = (".gr",)


def symmetrised_rw(one: FloatArray, other: FloatArray) -> float:
    """Return √(2 Σ(a − b)²/(Σa² + Σb²)): 0 for equal curves, √2 where one is 0 or both are unrelated.

    There is no published formula; this one treats both alike and, for small differences, is the plain Rw.
    """
    difference = one - other
    # Summed in the same way as what it is divided by: a curve beside 0 is √2 to the last digit.
    return float(np.sqrt(2 * (difference @ difference) / (one @ one + other @ other)))


def plain_rw(target: FloatArray, other: FloatArray) -> float:
    """Return √(Σ(a − b)²/Σa²), a being the target."""
    return float(np.sqrt(np.sum((target - other) ** 2) / (target @ target)))


def pearson_distance(one: FloatArray, other: FloatArray) -> float:
    """Return (1 − r)/2 for Pearson's correlation r: 0 for proportional curves, ½ for unrelated ones, at most 1.

    A curve without any variation correlates with nothing: r is 0.
    """
    a, b = one - one.mean(), other - other.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    correlation = float(a @ b / norm) if norm > 0 else 0.0
    return min(max((1 - correlation) / 2, 0.0), 1.0)


class SymmetrisedRwMetric(SimilarityMetric):
    """√(2 Σ(a − b)²/(Σa² + Σb²)) of two G(r), a and b, after morphing: the mean of morphing b onto a and a onto b.

    The mean, because a morph has a direction: smearing cannot sharpen. Where one of the two is measured, the structure
    is morphed onto it and there is no mean. It is 0 for G(r) that a morph makes equal, and at most √2.
    """

    name: ClassVar[str] = "pdf-rw"
    symmetric: ClassVar[bool] = True
    item_suffixes: tuple[str, ...] = SUFFIXES

    def __init__(self, options: RwOptions) -> None:
        self.same_below = options.same_below
        self._morphing = PairMorphing(options)

    def featurise(self, items: Sequence[Any]) -> list[Feature]:
        """Return G(r) of structures and measurements. Raises StructureError for a structure that has none."""
        return self._morphing.featurise(items)

    def compare(self, first: Sequence[Feature], second: Sequence[Feature]) -> FloatArray:
        """Return the (n_first, n_second) residuals."""
        return _matrix(self._morphing, first, second, symmetrised_rw)

    def read_item(self, path: Path) -> PairDistribution:
        """Return the measured G(r) in a .gr file."""
        return read_gr(path)

    def explain(self, first: Feature, second: Feature) -> Mapping[str, float]:
        """Return the fitted morphs and the plain Rw of each direction."""
        return _explanation(self._morphing, first, second, both=True)


class PlainRwMetric(SimilarityMetric):
    """√(Σ(a − b)²/Σa²) of two G(r) after morphing b onto a: a is the first item or, if only one is measured, that one.

    This is the Rw of fits and of diffpy.morph. It is not symmetric.
    """

    name: ClassVar[str] = "pdf-rw"
    item_suffixes: tuple[str, ...] = SUFFIXES

    def __init__(self, options: RwOptions) -> None:
        self.same_below = options.same_below
        self._morphing = PairMorphing(options)

    def featurise(self, items: Sequence[Any]) -> list[Feature]:
        """Return G(r) of structures and measurements. Raises StructureError for a structure that has none."""
        return self._morphing.featurise(items)

    def compare(self, first: Sequence[Feature], second: Sequence[Feature]) -> FloatArray:
        """Return the (n_first, n_second) residuals."""
        return _matrix(self._morphing, first, second, plain_rw, both=False)

    def read_item(self, path: Path) -> PairDistribution:
        """Return the measured G(r) in a .gr file."""
        return read_gr(path)

    def explain(self, first: Feature, second: Feature) -> Mapping[str, float]:
        """Return the fitted morph."""
        return _explanation(self._morphing, first, second, both=False)


class PearsonMetric(SimilarityMetric):
    """(1 − r)/2 of two G(r) after morphing, r being Pearson's correlation: the mean of both directions, as in `pdf-rw`.

    Morphs are those of least squares, whose scale leaves r as it is. The value is between 0 and 1.
    """

    name: ClassVar[str] = "pdf-pcc"
    symmetric: ClassVar[bool] = True
    item_suffixes: tuple[str, ...] = SUFFIXES

    def __init__(self, options: PearsonOptions) -> None:
        self.same_below = options.same_below
        self._morphing = PairMorphing(options)

    def featurise(self, items: Sequence[Any]) -> list[Feature]:
        """Return G(r) of structures and measurements. Raises StructureError for a structure that has none."""
        return self._morphing.featurise(items)

    def compare(self, first: Sequence[Feature], second: Sequence[Feature]) -> FloatArray:
        """Return the (n_first, n_second) distances."""
        return _matrix(self._morphing, first, second, pearson_distance)

    def read_item(self, path: Path) -> PairDistribution:
        """Return the measured G(r) in a .gr file."""
        return read_gr(path)

    def explain(self, first: Feature, second: Feature) -> Mapping[str, float]:
        """Return the fitted morphs and the plain Rw of each direction."""
        return _explanation(self._morphing, first, second, both=True)


def rw_metric(options: RwOptions) -> SimilarityMetric:
    """Return the metric `pdf-rw` in the form that the options ask for."""
    return SymmetrisedRwMetric(options) if options.form == "symmetrised" else PlainRwMetric(options)


def _matrix(
    morphing: PairMorphing,
    first: Sequence[Feature],
    second: Sequence[Feature],
    value: Callable[[FloatArray, FloatArray], float],
    *,
    both: bool = True,
) -> FloatArray:
    """Return the (n_first, n_second) means over directions of `value(target, morphed)`."""
    morphing.prepare(first, second)
    values = np.empty((len(first), len(second)))
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            fits = morphing.directed_fits(one, other, both=both)
            values[row, column] = sum(value(fit.target, fit.morphed) for _, fit in fits) / len(fits)
    return values


def _explanation(morphing: PairMorphing, first: Feature, second: Feature, *, both: bool) -> dict[str, float]:
    explanation = {}
    for direction, fit in morphing.directed_fits(first, second, both=both):
        explanation |= {f"{direction}: {name}": value for name, value in _quantities(fit).items()}
    return explanation


def _quantities(fit: MorphFit) -> dict[str, float]:
    """Return a morph as named numbers; the damping, which most pairs have none of, only where there is one."""
    morph = fit.morph
    damping = {"damping (Å⁻¹)": morph.damping} if morph.damping else {}
    quantities = {"scale": morph.scale, "stretch": morph.stretch, "smear (Å)": morph.smear, **damping}
    return {**quantities, "plain Rw": plain_rw(fit.target, fit.morphed)}
