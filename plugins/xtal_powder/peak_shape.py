"""The peak shape sinc² ⊗ Gaussian ⊗ Lorentzian in closed form, with its derivatives.

In real space the three parts are a triangle of half-base τ, exp(−σ²r²/2) and exp(−γr), so that the shape is

    k(Q) = (1/π) Re ∫₀^τ (1 − r/τ) exp(−σ²r²/2 − p r) dr,   p = γ − iQ,

of unit area. It needs the moments Mₙ = ∫₀^τ rⁿ exp(−σ²r²/2 − p r) dr only: M₀ follows from the scaled complementary
error function (Faddeeva's w), higher ones by integration by parts. A crystal without size limit is τ → ∞ (Voigt).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import wofz

from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray

#: Below this σ τ the Gaussian is treated to first order in σ², whose error is (σ τ)⁴.
SMALL_GAUSSIAN = 0.02


@dataclass(frozen=True, eq=False)
class PeakShape:
    """The shape and its derivatives at the offsets asked for; every array has their shape, values in Å.

    `by_offset`, `by_size`, `by_sigma` and `by_hwhm` are derivatives with respect to Q, τ, σ and γ.
    """

    value: FloatArray
    by_offset: FloatArray
    by_size: FloatArray
    by_sigma: FloatArray
    by_hwhm: FloatArray


def peak_shape(offsets: FloatArray, profile: Profile, size_factor: float = 1.0) -> PeakShape:
    """Return the unit-area peak shape at `offsets` in Å⁻¹.

    `size_factor` multiplies τ: 1 is the text's sinc²(Qτ/2), 2 the published code's sinc²(Qτ).
    """
    sigma, gamma = profile.gaussian_sigma, profile.lorentzian_hwhm
    p = gamma - 1j * np.asarray(offsets, float)
    if profile.crystallite_size is None:
        m = _infinite_moments(p, sigma)
        triangle = [m[0], m[1], m[2]]
        by_size = np.zeros(p.shape)
        correction = 0.0
    else:
        tau = profile.crystallite_size * size_factor
        if sigma * tau >= SMALL_GAUSSIAN:
            m = _finite_moments(p, sigma, tau)
            correction = 0.0
        else:
            m = _sharp_moments(p, tau)
            correction = sigma * sigma / 2
        triangle = [m[n] - m[n + 1] / tau for n in range(3)]
        by_size = m[1].real / tau**2 * size_factor
        if correction:
            triangle[0] = triangle[0] - correction * triangle[2]
    return PeakShape(
        value=triangle[0].real / np.pi,
        by_offset=-triangle[1].imag / np.pi,
        by_size=by_size / np.pi,
        by_sigma=-sigma * triangle[2].real / np.pi,
        by_hwhm=-triangle[1].real / np.pi,
    )


def reach(profile: Profile, size_factor: float = 1.0) -> float:
    """Return how far in Å⁻¹ from its centre a peak still counts: two side lobes, four σ and ten γ."""
    lobes = 0.0 if profile.crystallite_size is None else 4 * math.pi / (profile.crystallite_size * size_factor)
    return lobes + 4 * profile.gaussian_sigma + 10 * profile.lorentzian_hwhm


def finest_scale(profile: Profile, size_factor: float = 1.0) -> float:
    """Return the width in Å⁻¹, as a standard deviation, that a grid has to resolve; 0 for an unbroadened profile."""
    # sinc²(Qτ/2) has the curvature of a Gaussian of σ = √6/τ at its top; widths of the three parts add in quadrature.
    size = 0.0 if profile.crystallite_size is None else math.sqrt(6) / (profile.crystallite_size * size_factor)
    return math.sqrt(size**2 + profile.gaussian_sigma**2 + (profile.lorentzian_hwhm / 2) ** 2)


def _infinite_moments(p: np.ndarray, sigma: float) -> list[np.ndarray]:
    """Return M₀ … M₂ for τ → ∞; σ or Re p must be positive."""
    if sigma == 0:
        return [1 / p, 1 / p**2, 2 / p**3]
    m0 = math.sqrt(math.pi / 2) / sigma * wofz(1j * p / (sigma * math.sqrt(2)))
    m1 = (1 - p * m0) / sigma**2
    m2 = (m0 - p * m1) / sigma**2
    return [m0, m1, m2]


def _finite_moments(p: np.ndarray, sigma: float, tau: float) -> list[np.ndarray]:
    """Return M₀ … M₃ for a finite crystallite and a Gaussian that is not negligible."""
    root = sigma * math.sqrt(2)
    end = np.exp(-((sigma * tau) ** 2) / 2 - p * tau)
    m0 = math.sqrt(math.pi / 2) / sigma * (wofz(1j * p / root) - end * wofz(1j * (sigma**2 * tau + p) / root))
    m1 = (1 - end - p * m0) / sigma**2
    m2 = (m0 - p * m1 - tau * end) / sigma**2
    m3 = (2 * m1 - p * m2 - tau**2 * end) / sigma**2
    return [m0, m1, m2, m3]


def _sharp_moments(p: np.ndarray, tau: float) -> list[np.ndarray]:
    """Return M₀ … M₃ without a Gaussian: τⁿ⁺¹ ∫₀¹ uⁿ exp(−x u) du, x = p τ."""
    x = p * tau
    small = np.abs(x) < 1.0
    safe = np.where(small, 1.0, x)
    end = np.exp(-safe)
    closed = (1 - end) / safe
    moments = []
    for n in range(4):
        if n:
            closed = (n * closed - end) / safe
        series = np.zeros_like(x)
        term = np.ones_like(x)
        for k in range(20):
            series = series + term / (k + n + 1)
            term = term * np.where(small, -x, 0) / (k + 1)
        moments.append(tau ** (n + 1) * np.where(small, series, closed))
    return moments
