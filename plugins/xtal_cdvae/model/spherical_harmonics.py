"""Real spherical harmonics, scaled such that their products sum up to Legendre polynomials."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def spherical_harmonics(directions: Tensor, orders: int) -> list[Tensor]:
    """Return, for l = 0 … `orders` − 1, (n, 2l + 1) harmonics of unit vectors `directions` (n, 3).

    Σₘ Yₗₘ(u) Yₗₘ(v) is Pₗ(u·v) (addition theorem). Polynomials in x, y and z: nothing is singular at the poles.
    """
    x, y, z = directions.unbind(-1)
    # cos(mφ) sinᵐθ and sin(mφ) sinᵐθ
    cosines, sines = [torch.ones_like(x)], [torch.zeros_like(x)]
    for _ in range(1, orders):
        cosines.append(x * cosines[-1] - y * sines[-1])
        sines.append(x * sines[-1] + y * cosines[-2])
    harmonics: list[list[Tensor]] = [[] for _ in range(orders)]
    for m in range(orders):
        # Associated Legendre functions without sinᵐθ, by their recurrence in l.
        legendre = torch.full_like(z, math.prod(range(1, 2 * m, 2)))
        before = torch.zeros_like(z)
        for order in range(m, orders):
            if order > m:
                after = ((2 * order - 1) * z * legendre - (order + m - 1) * before) / (order - m)
                before, legendre = legendre, after
            if m == 0:
                harmonics[order].append(legendre)
            else:
                scaled = math.sqrt(2 * math.factorial(order - m) / math.factorial(order + m)) * legendre
                harmonics[order] += [scaled * cosines[m], scaled * sines[m]]
    return [torch.stack(of_order, dim=-1) for of_order in harmonics]
