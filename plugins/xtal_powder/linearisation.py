"""Patterns and their derivatives for some cells on one easel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from xtal_core.interfaces import Linearisation
from xtal_core.pattern import FloatArray, Radiation
from xtal_powder.blocks import Blocks
from xtal_powder.drawing import Deposit, Easel, Shapes
from xtal_powder.intensities import linearised_structure_factors
from xtal_powder.lines import Conditions, line_slopes, lines
from xtal_powder.texture import VOIGT, axes_of, linearised_march_factors
from xtal_powder.widths import SHAPE_PARAMETERS

#: Profile parameters that move reflections, and those that change their intensities.
SHIFTS = ("zero_shift", "sample_displacement")
HEIGHTS = ("b_iso", "march_coefficient")


def linearise_blocks(
    easel: Easel,
    shapes: Sequence[Shapes],
    radiation: Radiation,
    blocks: Blocks,
    conditions: Conditions,
    directions: Sequence[FloatArray],
    n_directions: int,
    parameters: Sequence[str],
) -> Linearisation:
    """Return the patterns and derivatives of the cells of `blocks`.

    `shapes`, made for those of `parameters` that change shapes, `conditions` and `directions` are theirs, one each;
    derivatives are padded to `n_directions`.
    """
    shifts = [name for name in parameters if name in SHIFTS]
    heights = [name for name in parameters if name in HEIGHTS]
    strain, displacements = _split_directions(directions, blocks.fractional.shape[1], n_directions)
    # Directions are often strains first, displacements of atoms after them: the latter move no reflection.
    n_strains = int(np.flatnonzero(strain.any((0, 1))).max(initial=-1)) + 1
    conditions = conditions.at(blocks.owner)
    g = blocks.reciprocal_vectors()
    q = 2 * math.pi * g.norm(dim=-1)
    s_squared = (q / (4 * math.pi)).square()
    structure = linearised_structure_factors(
        blocks, s_squared, torch.as_tensor(displacements, device=easel.device)[blocks.owner]
    )
    by_strain = torch.as_tensor(strain[..., :n_strains], device=easel.device)[blocks.owner]
    # Strain ε changes |g| by −gᵀεg/|g|.
    q_by_direction = torch.stack([g[..., i] * g[..., j] for i, j in VOIGT], -1) @ by_strain
    q_by_direction *= (-4 * math.pi**2 / q)[..., None]
    squared, by_direction = structure.squared, structure.by_direction
    by_direction[..., :n_strains].addcmul_((structure.by_s_squared * q / (8 * math.pi**2))[..., None], q_by_direction)
    by_coefficient = torch.zeros_like(q)
    if conditions.textured.any():
        axes = axes_of(blocks, conditions.march_axis)
        texture = linearised_march_factors(g, axes, conditions.march_coefficient)
        by_coefficient = squared * texture.by_coefficient * conditions.textured
        by_direction *= texture.factor[..., None]
        by_direction[..., :n_strains] += squared[..., None] * (texture.by_strain @ by_strain)
        squared = squared * texture.factor
    by_height = {"b_iso": -2 * s_squared * squared, "march_coefficient": by_coefficient}
    # Columns: intensities, derivatives along which reflections move, derivatives along which they do not.
    first, n_columns = 1 + len(shifts), 1 + len(shifts) + n_directions + len(heights)
    deposits = []
    for line in lines(radiation, q, conditions):
        slopes = line_slopes(radiation, q, conditions, line.wavelength)
        intensity = line.strength * squared
        columns = torch.zeros(*q.shape, n_columns, dtype=q.dtype, device=q.device)
        moves = torch.empty(*q.shape, len(shifts) + n_strains, dtype=q.dtype, device=q.device)
        columns[..., 0] = intensity
        for column, name in enumerate(shifts):
            moves[..., column] = intensity * slopes.position_by_shift[name]
        torch.mul((intensity * slopes.position_by_q)[..., None], q_by_direction, out=moves[..., len(shifts) :])
        torch.mul(line.strength[..., None], by_direction, out=columns[..., first : first + n_directions])
        columns[..., first : first + n_strains].addcmul_(
            (intensity * slopes.log_strength_by_q)[..., None], q_by_direction
        )
        for column, name in enumerate(heights, start=first + n_directions):
            columns[..., column] = line.strength * by_height[name]
        deposits.append(Deposit(blocks.owner[:, None], line.position, columns, moves))
    drawn, by_shape = (part.cpu().numpy() for part in easel.draw(deposits, len(blocks.cells), shapes))
    shape_parameters = [name for name in parameters if name in SHAPE_PARAMETERS]
    by_name = dict(zip(shape_parameters, by_shape.swapaxes(0, 1), strict=True))
    by_name |= dict(zip(shifts, drawn[:, 1:first].swapaxes(0, 1), strict=True))
    by_name |= dict(zip(heights, drawn[:, first + n_directions :].swapaxes(0, 1), strict=True))
    profile = np.zeros((len(blocks.cells), drawn.shape[-1], len(parameters)))
    for column, name in enumerate(parameters):
        profile[..., column] = by_name[name]
    return Linearisation(drawn[:, 0], drawn[:, first : first + n_directions].swapaxes(1, 2), profile)


def _split_directions(directions: Sequence[FloatArray], n_atoms: int, n: int) -> tuple[FloatArray, FloatArray]:
    """Return strains (n_cells, 6, n) and displacements (n_cells, 3, n_atoms, n)."""
    strains = np.zeros((len(directions), 6, n))
    displacements = np.zeros((len(directions), 3, n_atoms, n))
    for direction, strain, displacement in zip(directions, strains, displacements, strict=True):
        rows, columns = direction.shape
        atoms = rows // 3 - 2
        strain[:, :columns] = direction[:6]
        displacement[:, :atoms, :columns] = direction[6:].reshape(atoms, 3, columns).transpose(1, 0, 2)
    return strains, displacements
