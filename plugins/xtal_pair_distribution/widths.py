"""Sums of Gaussians of many different widths, as convolutions with Gaussians of a few."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xtal_core.pattern import FloatArray

#: Largest error of a Gaussian's Fourier transform when it is interpolated between widths.
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class WidthNodes:
    """Squared widths between which Gaussians of any width in a range are interpolated.

    The Fourier transform exp(−sQ²/2) of a Gaussian of squared width s is an entire function of τ = log s that stays
    bounded for |Im τ| < π/2. Interpolation at Chebyshev's points of τ therefore converges like ρ⁻ⁿ for every Q, with
    ρ = π/L + √(1 + (π/L)²) and L the length of the range of τ: three points for widths that differ by a few percent,
    ten for a factor of four.

    Attributes
    ----------
    squares : (n,) Å²
        Squared widths, decreasing.
    """

    squares: FloatArray

    @classmethod
    def spanning(cls, low: float, high: float) -> WidthNodes:
        """Return nodes for squared widths from `low` to `high` Å²."""
        length = math.log(high / low)
        if length < 1e-12:
            return cls(np.array([low]))
        ratio = math.pi / length
        n = math.ceil(-math.log(TOLERANCE) / math.asinh(ratio)) + 1
        angles = (2 * np.arange(n) + 1) * np.pi / (2 * n)
        return cls(math.sqrt(low * high) * np.exp(0.5 * length * np.cos(angles)))

    def shares(self, squares: FloatArray, amounts: FloatArray) -> FloatArray:
        """Return how much (n, m) of each node stands for `amounts` (m,) of Gaussians of squared widths (m,) in Å²."""
        n = len(self.squares)
        if n == 1:
            return amounts[None].copy()
        # The barycentric formula: J.-P. Berrut, L. N. Trefethen, SIAM Review 46, 501 (2004), eqs. 4.2 and 5.4.
        sign_and_sine = (-1.0) ** np.arange(n) * np.sin((2 * np.arange(n) + 1) * np.pi / (2 * n))
        terms = np.log(squares) - np.log(self.squares)[:, None]
        # At a node, 0 would be divided by 0; from here, the result is the same to all digits.
        terms += 1e-300
        np.divide(sign_and_sine[:, None], terms, out=terms)
        terms *= amounts / terms.sum(axis=0)
        return terms
