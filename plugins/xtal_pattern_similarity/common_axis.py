"""Two patterns on one axis: the points of the first, where the second was measured, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.interpolate import PchipInterpolator

from xtal_core.errors import InputError, PatternError
from xtal_core.pattern import FloatArray, Pattern, Radiation

#: Fewest points that two patterns must share.
FEWEST_POINTS = 10

#: Relative difference of mean wavelengths up to which patterns are of the same radiation: Kα1 and the α1/α2 doublet
#: are, different anodes are not.
SAME_RADIATION = 0.005


class OverlapOptions(Protocol):
    """What the options of every metric of patterns hold."""

    @property
    def least_overlap(self) -> float:
        """Least share of the first pattern's points that the second must cover."""
        ...

    @property
    def any_radiation(self) -> bool:
        """Whether patterns of different radiation may be compared."""
        ...


@dataclass(frozen=True, eq=False)
class PeakProfile:
    """A pattern without its background.

    Attributes
    ----------
    q, intensity : (n_points,) Å⁻¹
    uncertainty : (n_points,), optional
        Standard uncertainties of the intensity.
    """

    q: FloatArray
    intensity: FloatArray
    uncertainty: FloatArray | None
    radiation: Radiation
    name: str


@dataclass(frozen=True, eq=False)
class CommonAxis:
    """What of two or more patterns can be compared.

    Attributes
    ----------
    q, first : (n_points,)
        Points of the first pattern that the others cover, and its intensities there.
    others : (n_others, n_points)
        Intensities of the others there: their own where they have the same points, else interpolated by monotone
        cubics (Fritsch and Butland), which make no intensity that is not between two measured ones.
    weights : (n_points,)
        1/σ² of the first pattern, 1 where it has no uncertainties.
    points_left_out
        How many points of the first pattern the others do not cover.
    """

    q: FloatArray
    first: FloatArray
    others: FloatArray
    weights: FloatArray
    points_left_out: int


#: Values (n_others,) from what can be compared.
Formula = Callable[[CommonAxis], FloatArray]


def peak_profiles(patterns: Sequence[Pattern], metric: str) -> list[PeakProfile]:
    """Return `patterns` with the backgrounds that they bring subtracted; no background is estimated.

    Raises PatternError for one without positive intensity, and InputError for what is not a pattern.
    """
    profiles = []
    for position, pattern in enumerate(patterns, start=1):
        if not isinstance(pattern, Pattern):
            raise InputError(f"{metric} compares patterns, not {type(pattern).__name__}", "simulate its pattern")
        name = pattern.source or f"pattern {position}"
        intensity = pattern.intensity if pattern.background is None else pattern.intensity - pattern.background
        if not intensity.max() > 0:
            raise PatternError(f"{name} has no intensity above its background", "give a pattern with reflections")
        profiles.append(PeakProfile(pattern.q, intensity, pattern.uncertainty, pattern.radiation, name))
    return profiles


def compare_each(
    first: Sequence[PeakProfile], second: Sequence[PeakProfile], options: OverlapOptions, formula: Formula
) -> FloatArray:
    """Return the (n_first, n_second) values of `formula`; PatternError for a pair that cannot be compared."""
    values = np.empty((len(first), len(second)))
    for row, one in enumerate(first):
        if len(second) and all(np.array_equal(one.q, other.q) for other in second):
            values[row] = formula(common_axis(one, second, options))
        else:
            values[row] = [formula(common_axis(one, [other], options))[0] for other in second]
    return values


def common_axis(first: PeakProfile, others: Sequence[PeakProfile], options: OverlapOptions) -> CommonAxis:
    """Return what of `first` can be compared with `others`, which lie on the same axis when they are several.

    Raises PatternError where they share too little, were measured with different radiation, or have no intensity.
    """
    if not options.any_radiation:
        _check_radiation(first, others)
    q = others[0].q
    inside = (first.q >= q[0]) & (first.q <= q[-1])
    shared = int(inside.sum())
    if shared < max(FEWEST_POINTS, options.least_overlap * len(first.q)):
        problem = (
            f"{others[0].name} (Q {q[0]:.3f} to {q[-1]:.3f} Å⁻¹) covers {shared} of the {len(first.q)} points of "
            f"{first.name} (Q {first.q[0]:.3f} to {first.q[-1]:.3f} Å⁻¹)"
        )
        raise PatternError(problem, "compare patterns of the same range, or lower the metric's least_overlap")
    if np.array_equal(first.q, q):
        intensities = np.array([other.intensity for other in others])
    else:
        # Slopes next to 0 overflow on the way to their harmonic mean, which is 0.
        with np.errstate(over="ignore"):
            intensities = np.array([PchipInterpolator(other.q, other.intensity)(first.q[inside]) for other in others])
    for profile, values in ((first, first.intensity[None, inside]), *zip(others, intensities[:, None], strict=True)):
        if not values.max() > 0:
            raise PatternError(f"{profile.name} has no intensity where both patterns were measured", "compare others")
    weights = np.ones(shared) if first.uncertainty is None else first.uncertainty[inside] ** -2
    return CommonAxis(first.q[inside], first.intensity[inside], intensities, weights, len(first.q) - shared)


def explain_overlap(first: PeakProfile, second: PeakProfile, common: CommonAxis) -> dict[str, float]:
    """Return what was compared; wavelengths only where they differ."""
    found = {
        "points": float(len(common.q)),
        "points left out": float(common.points_left_out),
        "from Q (1/Å)": float(common.q[0]),
        "to Q (1/Å)": float(common.q[-1]),
    }
    if _differ(first.radiation, second.radiation, 1e-6):
        found["mean wavelength of the first (Å)"] = _mean_wavelength(first.radiation)
        found["mean wavelength of the second (Å)"] = _mean_wavelength(second.radiation)
    return found


def _check_radiation(first: PeakProfile, others: Sequence[PeakProfile]) -> None:
    for other in others:
        if _differ(first.radiation, other.radiation, SAME_RADIATION):
            problem = f"{first.name} was measured with {first.radiation.name}, {other.name} with {other.radiation.name}"
            remedy = "their intensities differ: compare patterns of one radiation, or set the metric's any_radiation"
            raise PatternError(problem, remedy)


def _differ(one: Radiation, other: Radiation, tolerance: float) -> bool:
    return abs(_mean_wavelength(one) / _mean_wavelength(other) - 1) > tolerance


def _mean_wavelength(radiation: Radiation) -> float:
    return float(np.average(radiation.wavelengths, weights=radiation.weights))
