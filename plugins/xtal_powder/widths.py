"""How wide the peaks of a profile are along Q, and how that depends on the profile's parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray

#: Parameters of a profile that change peak shapes; all others change positions and intensities.
SHAPE_PARAMETERS = (
    "crystallite_size",
    "gaussian_sigma",
    "lorentzian_hwhm",
    "strain_sigma",
    "strain_hwhm",
    "instrument_sigma",
    "instrument_hwhm",
)


@dataclass(frozen=True, eq=False)
class Widths:
    """Widths in Å⁻¹ of one profile at some Q: variances of the Gaussian, half widths of the Lorentzian; (n,) each.

    As derivatives: of these, by a parameter.
    """

    variance: FloatArray
    hwhm: FloatArray


def is_constant(profile: Profile) -> bool:
    """Return whether all peaks of `profile` are equally wide."""
    return not (profile.strain_sigma or profile.strain_hwhm or profile.instrument_sigma or profile.instrument_hwhm)


def widths_at(profile: Profile, q: FloatArray, wavelength: float) -> Widths:
    """Return the widths of peaks at `q` (n,) Å⁻¹, as `Profile` defines them."""
    per_degree = _q_per_degree(q, wavelength)
    return Widths(
        profile.gaussian_sigma**2 + (profile.strain_sigma * q) ** 2 + (profile.instrument_sigma * per_degree) ** 2,
        profile.lorentzian_hwhm + profile.strain_hwhm * q + profile.instrument_hwhm * per_degree,
    )


def width_slopes(profile: Profile, q: FloatArray, wavelength: float, parameter: str) -> Widths:
    """Return the derivatives of the widths at `q` (n,) by one of `SHAPE_PARAMETERS`; the size changes neither."""
    none = np.zeros(len(q))
    per_degree = _q_per_degree(q, wavelength)
    match parameter:
        case "gaussian_sigma":
            return Widths(none + 2 * profile.gaussian_sigma, none)
        case "strain_sigma":
            return Widths(2 * profile.strain_sigma * q**2, none)
        case "instrument_sigma":
            return Widths(2 * profile.instrument_sigma * per_degree**2, none)
        case "lorentzian_hwhm":
            return Widths(none, none + 1)
        case "strain_hwhm":
            return Widths(none, q)
        case "instrument_hwhm":
            return Widths(none, per_degree)
    return Widths(none, none)


def local_profiles(profile: Profile, q: FloatArray, wavelength: float) -> list[Profile]:
    """Return for each of `q` (n,) Å⁻¹ the profile of constant widths that has the shape of a peak there."""
    widths = widths_at(profile, q, wavelength)
    return [
        Profile(profile.crystallite_size, math.sqrt(variance), hwhm)
        for variance, hwhm in zip(widths.variance.tolist(), widths.hwhm.tolist(), strict=True)
    ]


def widest(profile: Profile, last: float, wavelength: float) -> Profile:
    """Return a profile of constant widths not below those of any peak up to `last` Å⁻¹."""
    at_zero = widths_at(profile, np.zeros(1), wavelength)
    # The instrument's share is largest at zero, that of strain at the end: together they are too much, not by much.
    return Profile(
        profile.crystallite_size,
        math.sqrt(float(at_zero.variance[0]) + (profile.strain_sigma * last) ** 2),
        float(at_zero.hwhm[0]) + profile.strain_hwhm * last,
    )


def _q_per_degree(q: FloatArray, wavelength: float) -> FloatArray:
    """Return dQ/d(2θ) = 2π cos θ/λ at `q`, in Å⁻¹ a degree; beyond backscattering 0."""
    sine = np.asarray(q) * (wavelength / (4 * math.pi))
    return math.radians(2 * math.pi / wavelength) * np.sqrt(np.maximum(1 - sine**2, 0.0))
