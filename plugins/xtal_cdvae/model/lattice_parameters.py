"""Lattices as six numbers that a network can predict: lengths per cube root of the number of atoms, and angles."""

from __future__ import annotations

import torch
from torch import Tensor

#: Degrees: predicted angles further from 0 or 180 than this.
_ANGLE_MARGIN = 20.0

#: Å per cube root of the number of atoms: predicted lengths are not shorter.
_SHORTEST = 0.5

#: Smallest sin² of the angle by which the third vector leaves the plane of the others.
_FLATTEST = 0.01


def lattice_parameters(lattice: Tensor, n_atoms: Tensor) -> Tensor:
    """Return (n, 6) lengths in Å over the cube roots of `n_atoms` (n,), and angles in degrees.

    `lattice` is (n, 3, 3) Å.
    """
    lengths = lattice.norm(dim=-1)
    unit = lattice / lengths[..., None]
    cosines = (unit[:, [1, 2, 0]] * unit[:, [2, 0, 1]]).sum(-1)
    angles = torch.rad2deg(torch.acos(cosines.clamp(-1, 1)))
    return torch.cat([lengths / n_atoms[:, None] ** (1 / 3), angles], dim=-1)


def lattice_of_parameters(parameters: Tensor, n_atoms: Tensor) -> Tensor:
    """Return the (n, 3, 3) Å lattices of `parameters` (n, 6), a along x and b in the plane of x and y.

    Parameters that are those of no cell are taken to the nearest sensible one.
    """
    lengths = parameters[:, :3].clamp(min=_SHORTEST) * n_atoms[:, None] ** (1 / 3)
    angles = torch.deg2rad(parameters[:, 3:].clamp(_ANGLE_MARGIN, 180 - _ANGLE_MARGIN))
    cos_a, cos_b, cos_c = angles.cos().unbind(-1)
    sin_c = angles[:, 2].sin()
    slope = (cos_a - cos_b * cos_c) / sin_c
    flat = torch.stack([cos_b, slope], dim=-1)
    # Angles that do not close: c is tilted out of the plane of a and b.
    length = flat.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    flat = flat * (length.clamp(max=(1 - _FLATTEST) ** 0.5) / length)
    height = (1 - flat.square().sum(-1)).sqrt()
    zero, one = torch.zeros_like(cos_a), torch.ones_like(cos_a)
    unit = torch.stack(
        [
            torch.stack([one, zero, zero], dim=-1),
            torch.stack([cos_c, sin_c, zero], dim=-1),
            torch.stack([flat[:, 0], flat[:, 1], height], dim=-1),
        ],
        dim=1,
    )
    return unit * lengths[..., None]
