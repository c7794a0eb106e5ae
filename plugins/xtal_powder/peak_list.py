"""Reflections as pymatgen lists them: merged where their angles agree, the weakest left out.

pymatgen's `XRDCalculator` adds up reflections whose 2θ round to the same multiple of 1e-5°, keeps the angle of the one
with the smallest Q, and drops sums below 1e-5 of the largest. Neither is physics, and both show in patterns: equivalent
reflections of a cell given with few digits move by up to 1e-5°, and dropped ones are missed where many overlap. Here it
is an option, for those who have to reproduce pymatgen's peaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from xtal_core.cells import CellBatch
from xtal_powder.blocks import blocks_of
from xtal_powder.intensities import squared_structure_factors
from xtal_powder.scattering import check_elements, lorentz_polarisation

#: Degrees 2θ: pymatgen's TWO_THETA_TOL.
ANGLE_STEP = 1e-5


@dataclass(frozen=True, eq=False)
class Peaks:
    """Merged reflections (n_peaks,) of several cells: whose they are, where in Å⁻¹, and how strong."""

    owner: torch.Tensor
    position: torch.Tensor
    intensity: torch.Tensor


def merged_peaks(
    owner: torch.Tensor, position: torch.Tensor, intensity: torch.Tensor, wavelength: float, floor: float
) -> Peaks:
    """Return the reflections of each cell, merged, without those below `floor` times the strongest of their cell.

    `position` (n_blocks, n_reflections) Å⁻¹ refers to `wavelength`; a cell's peaks follow one another, sorted by Q.
    """
    cell = owner[:, None].expand_as(position)[intensity > 0]
    q, strength = position[intensity > 0], intensity[intensity > 0]
    two_theta = torch.rad2deg(2 * torch.asin(q * (wavelength / (4 * math.pi))))
    n_steps = int(180 / ANGLE_STEP) + 2
    keys, peak = torch.unique(cell * n_steps + torch.round(two_theta / ANGLE_STEP).long(), return_inverse=True)
    cell = keys // n_steps
    total = torch.zeros(len(keys), dtype=q.dtype, device=q.device).index_add_(0, peak, strength)
    first = torch.full_like(total, math.inf).scatter_reduce_(0, peak, q, "amin")
    largest = torch.zeros(int(owner.max()) + 1, dtype=q.dtype, device=q.device)
    largest.scatter_reduce_(0, cell, total, "amax")
    kept = total > floor * largest[cell]
    return Peaks(cell[kept], first[kept], total[kept])


def peaks_of(
    cells: CellBatch, wavelength: float, largest_two_theta: float, floor: float, device: torch.device
) -> Peaks:
    """Return the merged reflections of `cells` up to `largest_two_theta` in degrees, for one wavelength in Å.

    A cell's peaks follow one another, but cells come in any order.
    """
    check_elements(set(np.unique(cells.numbers).tolist()))
    largest_q = 4 * math.pi / wavelength * math.sin(math.radians(largest_two_theta / 2))
    g_max = np.full(len(cells), largest_q / (2 * math.pi))
    nothing = torch.zeros(0, dtype=torch.float64, device=device)
    found = [Peaks(nothing.long(), nothing, nothing)]
    for blocks in blocks_of(cells, g_max, device):
        q = 2 * math.pi * blocks.reciprocal_vectors().norm(dim=-1)
        squared = squared_structure_factors(blocks, (q / (4 * math.pi)).square()[:, None])[:, 0]
        part = merged_peaks(blocks.owner, q, squared * lorentz_polarisation(q, wavelength), wavelength, floor)
        owner = torch.as_tensor(blocks.cells, device=device)[part.owner]
        found.append(Peaks(owner, part.position, part.intensity))
    return Peaks(*(torch.cat([getattr(part, name) for part in found]) for name in ("owner", "position", "intensity")))
