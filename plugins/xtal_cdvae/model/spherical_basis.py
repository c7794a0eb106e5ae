"""Functions of a distance and an angle: DimeNet's two-dimensional basis.

Gasteiger, Groß and Günnemann, "Directional message passing for molecular graphs" (2020), equation 8: spherical Bessel
functions jₗ(zₗₙ d/c) times spherical harmonics of order 0, under an envelope. torch-geometric's own layer writes jₗ out
in sines and powers, which cancel at short distances in single precision, and takes SymPy seconds to find. Here they are
interpolated from a table.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import spherical_jn
from torch import Tensor, nn
from torch_geometric.nn.models.dimenet import Envelope

from xtal_core.pattern import FloatArray

#: Intervals of the table; cubic interpolation is exact to single precision then.
_INTERVALS = 1024

#: Exponent of DimeNet's envelope.
_EXPONENT = 5


class SphericalBasis(nn.Module):
    """`orders` spherical harmonics times `n` Bessel functions each, zero at the cutoff and beyond."""

    table: Tensor
    harmonic_scale: Tensor

    def __init__(self, orders: int, n: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.orders = orders
        self.envelope = Envelope(_EXPONENT)
        self.register_buffer("table", torch.from_numpy(_bessel_table(orders, n)).float(), persistent=False)
        scale = [math.sqrt((2 * order + 1) / (4 * math.pi)) for order in range(orders)]
        self.register_buffer("harmonic_scale", torch.tensor(scale), persistent=False)

    def forward(self, distance: Tensor, cosine: Tensor, edge: Tensor) -> Tensor:
        """Return (n_triplets, orders · n) values.

        Parameters
        ----------
        distance : (n_edges,) Å
        cosine : (n_triplets,)
            Of the angle between two edges.
        edge : (n_triplets,)
            The one whose distance counts.
        """
        x = distance / self.cutoff
        radial = self.envelope(x)[:, None, None] * self._bessel(x)
        harmonics = legendre(cosine, self.orders) * self.harmonic_scale
        return (radial[edge] * harmonics[:, :, None]).flatten(1)

    def _bessel(self, x: Tensor) -> Tensor:
        """Return the (n_edges, orders, n) Bessel functions at `x` (n_edges,), by cubic Hermite interpolation."""
        place = (x * _INTERVALS).clamp(0, _INTERVALS - 1e-3)
        left = place.detach().floor().long()
        t = (place - left)[:, None, None]
        (value, slope), (next_value, next_slope) = self.table[left].unbind(1), self.table[left + 1].unbind(1)
        rest = 1 - t
        return rest**2 * ((1 + 2 * t) * value + t * slope) + t**2 * ((1 + 2 * rest) * next_value - rest * next_slope)


def legendre(cosine: Tensor, orders: int) -> Tensor:
    """Return (n, orders) Legendre polynomials of `cosine` (n,)."""
    polynomials = [torch.ones_like(cosine), cosine]
    for order in range(2, orders):
        after = ((2 * order - 1) * cosine * polynomials[-1] - (order - 1) * polynomials[-2]) / order
        polynomials.append(after)
    return torch.stack(polynomials[:orders], dim=-1)


def _bessel_table(orders: int, n: int) -> FloatArray:
    """Return (intervals + 1, 2, orders, n): normalised Bessel functions and their slopes from interval to interval."""
    x = np.linspace(0, 1, _INTERVALS + 1)[:, None, None]
    order = np.arange(orders)[:, None]
    zeros = bessel_zeros(orders, n)
    # ∫ x² jₗ(zx)² dx from 0 to 1 is jₗ₊₁(z)² / 2 where z is a zero.
    norm = np.sqrt(2) / np.abs(spherical_jn(order + 1, zeros))
    values = norm * spherical_jn(order, zeros * x)
    slopes = norm * zeros * spherical_jn(order, zeros * x, derivative=True) / _INTERVALS
    return np.stack([values, slopes], axis=1)


def bessel_zeros(orders: int, n: int) -> FloatArray:
    """Return (orders, n) the first `n` positive zeros of spherical Bessel functions of order 0 to `orders` − 1."""
    # Those of each order lie between those of the order before.
    zeros: list[FloatArray] = [np.pi * np.arange(1.0, n + orders)]
    for order in range(1, orders):
        zeros.append(np.array([brentq(partial(spherical_jn, order), a, b) for a, b in pairwise(zeros[-1])]))
    return np.stack([of_order[:n] for of_order in zeros])
