"""How thick the crystallites are, from the broadening of a refined profile that does not depend on the angle.

Scherrer's equation with the integral breadth: reflections of crystallites of the volume-weighted mean thickness D,
measured along the scattering vector, have the integral breadth β = 2π/D in Q (Stokes and Wilson, Proc. Phys. Soc. 56,
174 (1944)). The Fourier transform A(t) of what is constant in Q in a `xtal_core.measurement.Profile` is known, and the
peak's area over its height is 2π/∫ A(t) dt, so that

    D = 2 ∫₀^τ (1 − t/τ) exp(−σ² t²/2 − γ t) dt,

with the size τ of the sinc² kernel (t/τ → 0 and no upper limit without one), the Gaussian σ and the Lorentzian γ: τ if
there is nothing else, √(2π)/σ for a Gaussian, 2/γ for a Lorentzian. What is refined as microstrain or as the
instrument's takes no part; where the instrument's width is neither refined nor given it does, and D is a lower limit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from xtal_core.candidate import Fit
from xtal_core.measurement import Profile

#: Parameters of the profile that a size follows from.
SIZE_PARAMETERS = ("crystallite_size", "gaussian_sigma", "lorentzian_hwhm")

#: Nodes of the quadrature, and exponent from which on A(t) is nothing.
NODES, NOTHING = 200, 40.0

#: Relative step of numerical derivatives.
STEP = 1e-5


class CrystalliteSize(NamedTuple):
    """Volume-weighted mean thickness in Å and its standard uncertainty, None where that is not known."""

    value: float
    uncertainty: float | None


def crystallite_size(fit: Fit) -> CrystalliteSize | None:
    """Return the size that the profile of `fit` stands for; None where nothing but strain and instrument broadens."""
    value = integral_breadth_size(fit.profile)
    return None if value is None else CrystalliteSize(value, _uncertainty(fit))


def integral_breadth_size(profile: Profile) -> float | None:
    """Return 2π over the integral breadth in Å of what broadens peaks alike at every Q; None where nothing does."""
    tau, sigma, gamma = profile.crystallite_size, profile.gaussian_sigma, profile.lorentzian_hwhm
    limits = [tau] if tau is not None else []
    limits += [np.sqrt(2 * NOTHING) / sigma] if sigma > 0 else []
    limits += [NOTHING / gamma] if gamma > 0 else []
    if not limits:
        return None
    if tau is not None and len(limits) == 1:
        return tau  # 2π over its integral breadth is the size itself
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    t = min(limits) * (nodes + 1) / 2
    transform = np.exp(-0.5 * (sigma * t) ** 2 - gamma * t)
    if tau is not None:
        transform = transform * (1 - t / tau)
    return float(min(limits) * (weights @ transform))


def _uncertainty(fit: Fit) -> float | None:
    """Return the standard uncertainty of the size, propagated from the parameters that were refined."""
    known = fit.uncertainty
    if known is None:
        return None
    gradient = np.zeros(len(known.names))
    for row, name in enumerate(known.names):
        value = getattr(fit.profile, name) if name in SIZE_PARAMETERS else None
        if not value:
            continue
        above, below = (
            integral_breadth_size(replace(fit.profile, **{name: value * (1 + step)})) for step in (STEP, -STEP)
        )
        assert above is not None
        assert below is not None
        gradient[row] = (above - below) / (2 * STEP * value)
    variance = float(gradient @ known.covariance @ gradient)
    return float(np.sqrt(variance)) if variance > 0 else None
