"""Preferred orientation after March and Dollase."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from xtal_powder.blocks import Blocks
from xtal_powder.lines import Conditions

#: Row, column of the strain component that each of the six Voigt components stands for.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True, eq=False)
class Texture:
    """What texture multiplies intensities by (n_blocks, n_reflections), and its derivatives.

    `by_coefficient` is shaped likewise, `by_strain` (n_blocks, n_reflections, 6) is in the order of `VOIGT`.
    """

    factor: torch.Tensor
    by_coefficient: torch.Tensor
    by_strain: torch.Tensor


def textured(squared: torch.Tensor, blocks: Blocks, g: torch.Tensor, conditions: Conditions) -> torch.Tensor:
    """Return |F|² (n_blocks, n_scales, n_reflections) of the reflections `g` with the texture of `conditions`.

    `conditions` are those of the blocks, or one for all.
    """
    if not conditions.textured.any():
        return squared
    axes = axes_of(blocks, conditions.march_axis)
    return squared * march_factors(g, axes, conditions.march_coefficient)[:, None]


def axes_of(blocks: Blocks, miller: torch.Tensor) -> torch.Tensor:
    """Return the normals (n_blocks, 3), Cartesian, of the planes with the indices `miller` (n_blocks or 1, 3)."""
    return (miller[:, None] @ blocks.inverse_lattices.transpose(1, 2))[:, 0]


def march_factors(g: torch.Tensor, axes: torch.Tensor, coefficient: torch.Tensor) -> torch.Tensor:
    """Return (r² cos²α + sin²α/r)^(−3/2) for r = `coefficient` (n_blocks or 1, 1), (n_blocks, n_reflections).

    α is the angle between `g` (n_blocks, n_reflections, 3) and `axes` (n_blocks, 3). Dollase, J. Appl. Cryst. 19, 267
    (1986). Reflections are enumerated one by one, so that equivalent ones need no averaging.
    """
    return _base(_cosines(g, axes).square(), coefficient).pow_(-1.5)


def linearised_march_factors(g: torch.Tensor, axes: torch.Tensor, coefficient: torch.Tensor) -> Texture:
    """Return `march_factors` and derivatives; a strain ε turns both g and the axis, by −ε g and −ε h."""
    cosine = _cosines(g, axes)
    square = cosine.square()
    base = _base(square, coefficient)
    slope = -1.5 * base**-2.5
    g_unit = g / g.norm(dim=-1, keepdim=True)
    h_unit = (axes / axes.norm(dim=-1, keepdim=True))[:, None]
    square_by_strain = [
        2 * square * (g_unit[..., i] * g_unit[..., j] + h_unit[..., i] * h_unit[..., j])
        - 2 * cosine * (g_unit[..., i] * h_unit[..., j] + g_unit[..., j] * h_unit[..., i])
        for i, j in VOIGT
    ]
    by_square = slope * (coefficient**2 - 1 / coefficient)
    return Texture(
        factor=base**-1.5,
        by_coefficient=slope * (2 * coefficient * square - (1 - square) / coefficient**2),
        by_strain=torch.stack(square_by_strain, -1) * by_square[..., None],
    )


def _cosines(g: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
    """Return the cosines of the angles between `g` and `axes`."""
    return (g @ axes[..., None])[..., 0] / (g.norm(dim=-1) * axes.norm(dim=-1, keepdim=True))


def _base(square: torch.Tensor, coefficient: torch.Tensor) -> torch.Tensor:
    """Return r² cos²α + sin²α/r."""
    return square * coefficient**2 + (1 - square) / coefficient
