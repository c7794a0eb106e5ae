"""Peak shapes between a few nodes along Q, where widths change along a pattern.

The shape k(δ; Q) of the peak at Q is a smooth function of Q. It is replaced by a polynomial through the shapes at n
Chebyshev nodes, Σₙ Lₙ(Q) k(δ; Qₙ): every reflection is shared among n patterns of constant widths by the weights Lₙ(Q).
The polynomial is one in ln(1 + Q/c), which for c > 0 puts nodes close where Q is small and for c < 0 where it is large;
c and n are those with the fewest nodes for which the shapes come out right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray
from xtal_powder.peak_shape import finest_scale
from xtal_powder.widths import is_constant, local_profiles, widths_at

#: c, in units of the largest Q, that are tried. Widths grow fastest at small Q, or fall fastest at large Q.
BENDS = (math.inf, 1.0, 0.25, -1.05, -1.2, -1.6)

#: Nodes beyond which no more are tried: widths that vary a hundredfold.
MOST_NODES = 40


@dataclass(frozen=True)
class Nodes:
    """Chebyshev nodes in ln(1 + Q/c) between two Q in Å⁻¹; outside, shapes are those at the ends.

    Attributes
    ----------
    count
        How many. One node stands for shapes that are the same everywhere.
    lowest, highest
        Å⁻¹.
    bend
        c in Å⁻¹; infinite for nodes in Q itself.
    """

    count: int
    lowest: float
    highest: float
    bend: float = math.inf

    @property
    def positions(self) -> FloatArray:
        """(count,) Å⁻¹."""
        return self._unbent(self._places())

    def weights(self, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return Lₙ and dLₙ/dQ, (count, …) each, at `q` (…) Å⁻¹."""
        inside = q.clamp(self.lowest, self.highest)
        low, high = self._bent(self.lowest), self._bent(self.highest)
        if math.isinf(self.bend):
            bent, slope = inside, torch.ones_like(inside)
        else:
            bent, slope = torch.log1p(inside / self.bend), 1 / (inside + self.bend)
        x = (2 * bent - (high + low)) / (high - low)
        slope = slope * (q == inside) * (2 / (high - low))
        # Lₙ(x) = (2/N) Σₖ′ Tₖ(xₙ) Tₖ(x), the prime halving the first term; Tₖ′ = k Uₖ₋₁.
        polynomials, derivatives = [torch.ones_like(x), x], [torch.zeros_like(x), torch.ones_like(x)]
        for _ in range(2, self.count):
            polynomials.append(2 * x * polynomials[-1] - polynomials[-2])
            derivatives.append(2 * polynomials[-2] + 2 * x * derivatives[-1] - derivatives[-2])
        coefficients = torch.as_tensor(self._coefficients(), device=q.device)

        def combined(terms: list[torch.Tensor]) -> torch.Tensor:
            return torch.tensordot(coefficients, torch.stack(terms[: self.count]), 1)

        return combined(polynomials), combined(derivatives) * slope

    def _angles(self) -> FloatArray:
        return (np.arange(self.count, dtype=np.float64) + 0.5) * (math.pi / self.count)

    def _coefficients(self) -> FloatArray:
        """Return what Tₖ contributes to Lₙ, (n, k)."""
        halved = np.where(np.arange(self.count) == 0, 0.5, 1.0)
        cosines = np.cos(np.outer(self._angles(), np.arange(self.count)))
        return np.asarray(cosines * halved * (2 / self.count), dtype=np.float64)

    def _places(self) -> FloatArray:
        """Return the nodes in the variable in which they are Chebyshev's."""
        low, high = self._bent(self.lowest), self._bent(self.highest)
        return (low + high) / 2 + (high - low) / 2 * np.cos(self._angles())

    def _bent(self, q: float) -> float:
        return q if math.isinf(self.bend) else math.log1p(q / self.bend)

    def _unbent(self, places: FloatArray) -> FloatArray:
        return places if math.isinf(self.bend) else self.bend * np.expm1(places)


def choose_nodes(profile: Profile, lowest: float, highest: float, wavelength: float, tolerance: float) -> Nodes:
    """Return nodes between `lowest` and `highest` Å⁻¹ that give every shape within `tolerance` of its maximum.

    They are chosen for rounded widths, so that similar profiles share them, and errors can be a little larger.
    """
    if is_constant(profile):
        return Nodes(1, lowest, highest)
    size = profile.crystallite_size
    rounded = Profile(
        crystallite_size=None if size is None else _rounded(size),
        gaussian_sigma=_rounded(profile.gaussian_sigma),
        lorentzian_hwhm=_rounded(profile.lorentzian_hwhm),
        strain_sigma=_rounded(profile.strain_sigma),
        strain_hwhm=_rounded(profile.strain_hwhm),
        instrument_sigma=_rounded(profile.instrument_sigma),
        instrument_hwhm=_rounded(profile.instrument_hwhm),
    )
    return _nodes_of(rounded, lowest, highest, wavelength, tolerance)


def _rounded(value: float) -> float:
    """Return `value` rounded to a power of 2^¼; 0 stays."""
    return 2 ** (round(4 * math.log2(value)) / 4) if value > 0 else 0.0


@lru_cache(maxsize=4096)
def _nodes_of(profile: Profile, lowest: float, highest: float, wavelength: float, tolerance: float) -> Nodes:
    sample = _Sample(profile, lowest, highest, wavelength)
    candidates = [Nodes(count, lowest, highest, bend * highest) for count in range(2, MOST_NODES + 1) for bend in BENDS]
    return next((nodes for nodes in candidates if sample.error(nodes) < tolerance), candidates[-1])


class _Sample:
    """Shapes at some Q, at some distances from their centres, for trying nodes on."""

    def __init__(self, profile: Profile, lowest: float, highest: float, wavelength: float) -> None:
        self.profile, self.wavelength = profile, wavelength
        ends = local_profiles(profile, np.linspace(lowest, highest, 9), wavelength)
        scales = [finest_scale(local) for local in ends]
        self.q = torch.linspace(lowest, highest, 49, dtype=torch.float64)
        self.r = (np.arange(160) + 0.5) / 160 * (10 / min(scales))
        distances = np.append(0.0, np.geomspace(min(scales) / 2, 6 * max(scales), 23))
        self.to_distances = np.cos(np.outer(self.r, distances))
        self.shapes = self._shapes(self.q.numpy())

    def _shapes(self, q: FloatArray) -> FloatArray:
        """Return (n, n_distances): the inverse Fourier transforms of the shapes at `q` (n,), up to a factor."""
        widths, size = widths_at(self.profile, q, self.wavelength), self.profile.crystallite_size
        triangle = 1.0 if size is None else np.maximum(1 - self.r / size, 0)
        exponent = np.outer(widths.variance, self.r**2 / 2) + np.outer(widths.hwhm, self.r)
        return (triangle * np.exp(-exponent)) @ self.to_distances

    def error(self, nodes: Nodes) -> float:
        """Return the largest deviation of an interpolated shape, relative to its maximum."""
        weights = nodes.weights(self.q)[0].numpy()
        deviations = np.abs(weights.T @ self._shapes(nodes.positions) - self.shapes).max(axis=1)
        return float((deviations / self.shapes[:, 0]).max())
