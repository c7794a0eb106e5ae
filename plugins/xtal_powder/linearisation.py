"""Patterns and their derivatives for some cells on one canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from xtal_core.interfaces import Linearisation
from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray, Radiation
from xtal_powder.blocks import Blocks
from xtal_powder.canvas import Canvas
from xtal_powder.intensities import linearised_structure_factors
from xtal_powder.lines import Conditions, line_slopes, lines

#: Row, column of the strain component that each of the six Voigt components stands for.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def linearise_blocks(
    canvas: Canvas,
    radiation: Radiation,
    blocks: Blocks,
    profiles: Sequence[Profile],
    conditions: Conditions,
    directions: Sequence[FloatArray],
    n_directions: int,
    size_factor: float,
) -> Linearisation:
    """Return the patterns and derivatives of the cells of `blocks`.

    `profiles`, `conditions` and `directions` are theirs, one each; derivatives are padded to `n_directions`.
    """
    n_cells, n = len(blocks.cells), n_directions
    strain, displacements = _split_directions(directions, blocks.fractional.shape[1], n)
    strain = torch.as_tensor(strain, device=canvas.device)
    conditions = conditions.at(blocks.owner)
    g = blocks.reciprocal_vectors()
    q = 2 * math.pi * g.norm(dim=-1)
    s_squared = (q / (4 * math.pi)).square()
    # Strain ε changes |g| by −gᵀεg/|g|.
    q_by_strain = torch.stack([g[..., i] * g[..., j] for i, j in VOIGT], -1) * (-4 * math.pi**2 / q)[..., None]
    structure = linearised_structure_factors(
        blocks, s_squared, torch.as_tensor(displacements, device=canvas.device)[blocks.owner]
    )
    squared_by_q = structure.by_s_squared * q / (8 * math.pi**2)
    # Columns that change in height: the intensity itself, its changes along directions and with B. Columns that move:
    # intensity times its movement with the zero shift and with the six strains.
    columns = torch.empty(*q.shape, n + 9, dtype=q.dtype, device=q.device)
    grids = canvas.empty_grids(n_cells, n + 9)
    for line in lines(radiation, q, conditions):
        slopes = line_slopes(radiation, q, conditions, line.wavelength)
        intensity = line.strength * structure.squared
        by_q = line.strength * squared_by_q + intensity * slopes.log_strength_by_q
        columns[..., 0] = intensity
        torch.mul(line.strength[..., None], structure.by_direction, out=columns[..., 1 : n + 1])
        columns[..., 1 : n + 1] += (by_q[..., None] * q_by_strain) @ strain[blocks.owner]
        columns[..., n + 1] = -2 * s_squared * intensity
        columns[..., n + 2] = intensity * slopes.position_by_shift
        torch.mul((intensity * slopes.position_by_q)[..., None], q_by_strain, out=columns[..., n + 3 :])
        canvas.deposit(grids, blocks.owner[:, None], line.position, columns)
    spectra = canvas.spectrum(grids)
    # A peak that moves by δ changes by −δ ∂k/∂Q, which is −i r in Fourier space.
    spectra[:, n + 2 :] *= -1j * canvas.distance
    real = torch.view_as_real(spectra).flatten(2)
    real[:, 1 : n + 1].baddbmm_(strain.transpose(1, 2), real[:, n + 3 :])
    value, by_size, by_hwhm = canvas.kernels(profiles, size_factor, ("value", "by_size", "by_hwhm"))
    sigma = torch.tensor([profile.gaussian_sigma for profile in profiles], dtype=q.dtype, device=q.device)
    # The Gaussian part is exp(−σ²r²/2) in Fourier space.
    by_sigma = value * (-sigma[:, None] * canvas.distance.square())
    widths = canvas.read(spectra[:, :1] * torch.stack([by_size, by_sigma, by_hwhm], 1)).cpu().numpy()
    drawn = canvas.read(spectra[:, : n + 3].mul_(value[:, None])).cpu().numpy()
    by_profile = np.concatenate([widths, drawn[:, n + 1 :]], axis=1)
    return Linearisation(drawn[:, 0], drawn[:, 1 : n + 1].transpose(0, 2, 1), by_profile.transpose(0, 2, 1))


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
