"""The peak shape sinc² ⊗ Gaussian ⊗ Lorentzian in closed form, with its derivatives.

In real space the three parts are a triangle of half-base τ, exp(−σ²r²/2) and exp(−γr), so that the shape is

    k(Q) = (1/π) Re ∫₀^τ (1 − r/τ) exp(−σ²r²/2 − p r) dr,   p = γ − iQ,

of unit area. It needs the moments Mₙ = ∫₀^τ rⁿ exp(−σ²r²/2 − p r) dr only: M₀ follows from the scaled complementary
error function (Faddeeva's w), higher ones by integration by parts. A crystal without size limit is τ → ∞ (Voigt).

Derivatives with respect to Q and σ are left to Fourier space, where they are products: k obeys the heat equation,
∂k/∂σ = σ ∂²k/∂Q².
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import wofz

from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray

ComplexArray = NDArray[np.complex128]

#: σ²τ²/2 + γτ above which nothing is left of the integrand at r = τ.
NO_END = 39.0

#: Below this σ τ the Gaussian is treated to first order in σ², whose error is (σ τ)⁴.
SMALL_GAUSSIAN = 0.02

#: Beyond this |p|/σ moments are taken from their asymptotic series, of this many terms.
FAR = 100.0
TERMS = 3


@dataclass(frozen=True, eq=False)
class PeakShape:
    """Shapes and their derivatives by τ (0 where there is none) and γ; arrays are (n_profiles, n_offsets), in Å."""

    value: FloatArray
    by_size: FloatArray
    by_hwhm: FloatArray


def peak_shape(offsets: FloatArray, profiles: Sequence[Profile], size_factor: float = 1.0) -> PeakShape:
    """Return the unit-area peak shapes of `profiles` at `offsets` (n_offsets,) in Å⁻¹.

    `size_factor` multiplies τ: 1 is the text's sinc²(Qτ/2), 2 the published code's sinc²(Qτ).
    """
    sized = np.array([profile.crystallite_size is not None for profile in profiles])
    tau = np.array([size_factor * (profile.crystallite_size or 1.0) for profile in profiles])[:, None]
    sigma = np.array([profile.gaussian_sigma for profile in profiles])[:, None]
    gamma = np.array([profile.lorentzian_hwhm for profile in profiles])[:, None]
    p = gamma - 1j * np.asarray(offsets, float)
    endless = ~sized | ((sigma * tau) ** 2 / 2 + gamma * tau > NO_END)[:, 0]
    sharp = ~endless & (sigma * tau < SMALL_GAUSSIAN)[:, 0]
    moments = np.empty((3, *p.shape), complex)
    for rows, moments_of in (
        (endless, _endless_moments),
        (sharp, _sharp_moments),
        (~endless & ~sharp, _finite_moments),
    ):
        if rows.any():
            moments[:, rows] = moments_of(p[rows], sigma[rows], tau[rows])
    curvature = np.where(sized[:, None], 1 / tau, 0.0)
    return PeakShape(
        value=(moments[0] - curvature * moments[1]).real / np.pi,
        by_size=curvature**2 * size_factor * moments[1].real / np.pi,
        by_hwhm=(curvature * moments[2] - moments[1]).real / np.pi,
    )


def support(profile: Profile) -> float:
    """Return the distance in Å⁻¹ from its centre beyond which a peak is nowhere above 1e-10 of its maximum.

    It is infinite but for pure Gaussians: the tails of the other two parts fall with the square of the distance only.
    """
    pure = profile.crystallite_size is None and profile.lorentzian_hwhm == 0
    return 7 * profile.gaussian_sigma if pure else math.inf


def reach(profile: Profile, size_factor: float = 1.0) -> float:
    """Return how far in Å⁻¹ beyond an axis a reflection still matters: two side lobes, six σ and ten γ."""
    lobes = 0.0 if profile.crystallite_size is None else 4 * math.pi / (profile.crystallite_size * size_factor)
    return lobes + 6 * profile.gaussian_sigma + 10 * profile.lorentzian_hwhm


def finest_scale(profile: Profile, size_factor: float = 1.0) -> float:
    """Return the width in Å⁻¹, as a standard deviation, that a grid has to resolve; 0 for an unbroadened profile."""
    # sinc²(Qτ/2) has the curvature of a Gaussian of σ = √6/τ at its top; widths of the three parts add in quadrature.
    size = 0.0 if profile.crystallite_size is None else math.sqrt(6) / (profile.crystallite_size * size_factor)
    return math.sqrt(size**2 + profile.gaussian_sigma**2 + (profile.lorentzian_hwhm / 2) ** 2)


def _endless_moments(p: ComplexArray, sigma: FloatArray, tau: FloatArray) -> ComplexArray:  # noqa: ARG001
    """Return M₀ … M₂ for τ → ∞; σ or Re p must be positive."""
    moments = np.empty((3, *p.shape), complex)
    # Mₙ = Σₖ (−σ²/2)ᵏ (n + 2k)!/k! / pⁿ⁺²ᵏ⁺¹, far from the centre.
    near = np.abs(p) < FAR * sigma
    inverse = 1 / np.where(near, 1.0, p)
    step = -(sigma**2) / 2 * inverse**2
    power = inverse
    for n in range(3):
        series = np.full_like(p, math.factorial(n + 2 * TERMS) / math.factorial(TERMS))
        for k in reversed(range(TERMS)):
            series = series * step + math.factorial(n + 2 * k) / math.factorial(k)
        moments[n] = series * power
        power = power * inverse
    q, s = p[near], np.broadcast_to(sigma, p.shape)[near]
    m0 = math.sqrt(math.pi / 2) / s * wofz(1j * q / (s * math.sqrt(2)))
    m1 = (1 - q * m0) / s**2
    moments[:, near] = m0, m1, (m0 - q * m1) / s**2
    return moments


def _finite_moments(p: ComplexArray, sigma: FloatArray, tau: FloatArray) -> ComplexArray:
    """Return M₀ … M₂ for a finite crystallite and a Gaussian that is not negligible."""
    root = sigma * math.sqrt(2)
    end = np.exp(-((sigma * tau) ** 2) / 2 - p * tau)
    m0 = math.sqrt(math.pi / 2) / sigma * (wofz(1j * p / root) - end * wofz(1j * (sigma**2 * tau + p) / root))
    m1 = (1 - end - p * m0) / sigma**2
    m2 = (m0 - p * m1 - tau * end) / sigma**2
    return np.stack([m0, m1, m2])


def _sharp_moments(p: ComplexArray, sigma: FloatArray, tau: FloatArray) -> ComplexArray:
    """Return M₀ … M₂ for a Gaussian so narrow that exp(−σ²r²/2) ≈ 1 − σ²r²/2.

    Without it Mₙ = τⁿ⁺¹ ∫₀¹ uⁿ exp(−x u) du with x = p τ.
    """
    x = p * tau
    small = np.abs(x) < 1.0
    safe = np.where(small, 1.0, x)
    end = np.exp(-safe)
    closed = (1 - end) / safe
    moments = []
    for n in range(5):
        if n:
            closed = (n * closed - end) / safe
        series = np.zeros_like(x)
        term = np.ones_like(x)
        for k in range(20):
            series = series + term / (k + n + 1)
            term = term * np.where(small, -x, 0) / (k + 1)
        moments.append(tau ** (n + 1) * np.where(small, series, closed))
    return np.stack([moments[n] - sigma**2 / 2 * moments[n + 2] for n in range(3)])
