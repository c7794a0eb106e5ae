"""Brings the two sides of a pair into one form: the same conditions, the same distances, morphed onto each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from xtal_core.errors import OptionError
from xtal_pair_distribution.conditions import Conditions
from xtal_pair_distribution.curves import Curve, MeasuredFeature, StructureFeature, Window, calculate
from xtal_pair_distribution.gr_file import stated_conditions
from xtal_pair_distribution.morph_fit import MorphFit, fit_morph, unmorphed
from xtal_pair_distribution.morphing import MorphLimits
from xtal_pair_distribution.pair_distribution import PairDistribution
from xtal_pair_distribution.plugin import (
    STRETCH_BETWEEN_STRUCTURES,
    STRETCH_ONTO_MEASUREMENT,
    PairDistributionOptions,
)

Feature = StructureFeature | MeasuredFeature

#: Å⁻¹: the poorest resolution a measurement may turn out to have. Laboratory instruments have about 0.06.
LARGEST_DAMPING = 0.1

#: Multiples of the largest smear by which a calculated G(r) is longer than it is needed, lest its end matter.
SMEARED_END = 4.0

#: Which side is morphed onto which.
Direction = Literal["second onto first", "first onto second"]


class DirectedFit(NamedTuple):
    """One side of a pair morphed onto the other."""

    direction: Direction
    fit: MorphFit


class PairMorphing:
    """Featurises items and morphs pairs of them as the options say."""

    def __init__(self, options: PairDistributionOptions) -> None:
        if options.r_min >= options.r_max:
            raise OptionError(f"r_min is {options.r_min} Å and r_max {options.r_max} Å", "give a larger r_max")
        self._options = options
        self._limits = _limits(options, STRETCH_BETWEEN_STRUCTURES)
        self._measured_limits = _limits(options, STRETCH_ONTO_MEASUREMENT)
        self._base = Conditions(
            radiation=options.radiation,
            q_min=options.q_min,
            q_max=options.q_max,
            q_damp=options.q_damp or 0.0,
            q_broad=options.q_broad,
            delta1=options.delta1,
            delta2=options.delta2,
            u_iso=options.u_iso,
            r_min=options.r_step,
            r_max=_needed_end(options.r_max, self._limits),
            r_step=options.r_step,
        )

    def featurise(self, items: Sequence[Any]) -> list[Feature]:
        """Return what comparing needs of structures and measured G(r).

        Raises StructureError, naming the structure, for one whose G(r) cannot be calculated.
        """
        features = [self._feature(item, position) for position, item in enumerate(items, start=1)]
        calculate([feature for feature in features if isinstance(feature, StructureFeature)], self._base)
        return features

    def prepare(self, first: Sequence[Feature], second: Sequence[Feature]) -> None:
        """Calculate, in batches, what comparing all of `first` with all of `second` needs."""
        for side, other in ((first, second), (second, first)):
            structures = [feature for feature in side if isinstance(feature, StructureFeature)]
            for feature in other:
                if isinstance(feature, MeasuredFeature):
                    calculate(structures, self._conditions(feature))
            if any(isinstance(feature, StructureFeature) for feature in other):
                calculate(structures, self._base)

    def directed_fits(self, first: Feature, second: Feature, *, both: bool = True) -> list[DirectedFit]:
        """Return the second side morphed onto the first and, for `both`, the first onto the second.

        A measurement is never morphed onto a structure: how sharp a calculated G(r) is, and how far it reaches, are
        choices that the measurement decides. The structure is morphed onto it, whichever comes first.
        Raises InputError when the two have no common range.
        """
        self.prepare([first], [second])
        if isinstance(first, MeasuredFeature) and isinstance(second, StructureFeature):
            return [DirectedFit("second onto first", self._fit_to_measurement(second, first))]
        if isinstance(first, StructureFeature) and isinstance(second, MeasuredFeature):
            return [DirectedFit("first onto second", self._fit_to_measurement(first, second))]
        one, other = self._curve(first), self._curve(second)
        limits = self._measured_limits if isinstance(first, MeasuredFeature) else self._limits
        window = self._shared_window(one, other, limits)
        fits = [DirectedFit("second onto first", self._fit(other, one, window, limits))]
        if both:
            fits.append(DirectedFit("first onto second", self._fit(one, other, window, limits)))
        return fits

    def _feature(self, item: Any, position: int) -> Feature:
        if isinstance(item, PairDistribution):
            return MeasuredFeature(Curve(item, density=0.0), stated_conditions(item))
        return StructureFeature.from_structure(item, f"structure {position}")

    def _curve(self, feature: Feature) -> Curve:
        return feature.curve if isinstance(feature, MeasuredFeature) else feature.curves[self._base]

    def _fit_to_measurement(self, structure: StructureFeature, measured: MeasuredFeature) -> MorphFit:
        r = measured.curve.distribution.r
        window = max(self._options.r_min, float(r[0])), min(self._options.r_max, float(r[-1]))
        limits = self._measured_limits
        if self._options.morph and self._options.q_damp is None and measured.stated.q_damp is None:
            limits = replace(limits, damping=LARGEST_DAMPING)
        return self._fit(structure.curves[self._conditions(measured)], measured.curve, window, limits)

    def _fit(self, source: Curve, target: Curve, window: Window, limits: MorphLimits) -> MorphFit:
        sides = source.morphable(window, limits), target.target(window)
        return fit_morph(*sides) if self._options.morph else unmorphed(*sides)

    def _conditions(self, measured: MeasuredFeature) -> Conditions:
        """Return the conditions of a measurement, on its own grid, continued as far as stretching and smearing need."""
        r, step = measured.curve.distribution.r, measured.curve.distribution.step
        return replace(
            self._base,
            **measured.stated.known(),
            r_min=float(r[0] - step * np.floor(r[0] / step * (1 - 1e-9))),
            r_max=_needed_end(min(self._options.r_max, float(r[-1])), self._measured_limits),
            r_step=step,
        )

    def _shared_window(self, one: Curve, other: Curve, limits: MorphLimits) -> Window:
        """Return the range over which any morph of either G(r) can be compared with the other one."""
        first = max(float(curve.distribution.r[0]) for curve in (one, other))
        last = min(float(curve.distribution.r[-1]) for curve in (one, other))
        stretch = limits.stretch
        return max(self._options.r_min, first * (1 + stretch)), min(self._options.r_max, last * (1 - stretch))


def _limits(options: PairDistributionOptions, stretch: float) -> MorphLimits:
    """Return the limits that the options set, `stretch` where they leave it open."""
    if not options.morph:
        return MorphLimits(0.0, 0.0)
    return MorphLimits(stretch if options.max_stretch is None else options.max_stretch, options.max_smear)


def _needed_end(r_max: float, limits: MorphLimits) -> float:
    """Return how far in Å a G(r) must reach to be compared up to `r_max` whatever the morph."""
    return r_max / (1 - limits.stretch) + SMEARED_END * limits.smear
