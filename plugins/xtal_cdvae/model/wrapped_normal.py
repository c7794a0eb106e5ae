"""Gaussian noise on the positions of a crystal, where all images of an atom are the same atom.

Jing et al., "Torsional diffusion for molecular conformer generation" (2022), and Jiao et al., "Crystal structure
prediction by joint equivariant diffusion" (2023), have the wrapped normal distribution of one coordinate. Here it is
that of Cartesian noise wrapped into a cell, which is the same in every cell of a lattice.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from xtal_cdvae.model.crystal_batch import atom_owner
from xtal_cdvae.model.periodic_graph import cartesian, half_diagonal, places, translations

#: Terms beyond this many standard deviations, in either space, are below the rounding error.
_REACH = 6.5

#: Standard deviation, relative to the cube root of the volume, above which a sum over waves is the shorter one.
_BROAD = 0.4


@torch.no_grad()
def wrapped_displacement(displacement: Tensor, lattice: Tensor, n_atoms: Tensor, sigma: Tensor) -> Tensor:
    """Return (n_atoms.sum(), 3) Å: σ² times the score of the wrapped normal distribution at `displacement`.

    That is the mean displacement back to where an atom came from, given that its images cannot be told apart.

    Parameters
    ----------
    displacement : (n_atoms.sum(), 3) Å
        By the noise, of any image.
    lattice : (n, 3, 3) Å
    n_atoms : (n,)
    sigma : (n,) Å
        Standard deviation of the noise.
    """
    owner = atom_owner(n_atoms)
    broad = sigma > _BROAD * torch.linalg.det(lattice).abs() ** (1 / 3)
    back = torch.empty_like(displacement)
    for chosen, method in ((broad, _sum_over_waves), (~broad, _sum_over_images)):
        atoms = chosen[owner]
        back[atoms] = method(displacement[atoms], lattice[chosen], atom_owner(n_atoms[chosen]), sigma[chosen])
    return back


@torch.no_grad()
def nearest_displacement(displacement: Tensor, lattice: Tensor, n_atoms: Tensor) -> Tensor:
    """Return (n_atoms.sum(), 3) Å from where `displacement` (n_atoms.sum(), 3) Å led to the nearest image."""
    owner = atom_owner(n_atoms)
    atom, vector = _image_vectors(displacement, lattice, owner, half_diagonal(lattice))
    distance = vector.norm(dim=-1)
    least = distance.new_full((len(owner),), torch.inf).scatter_reduce_(0, atom, distance, "amin")
    chosen = (distance == least[atom]).nonzero()[:, 0]
    nearest = torch.empty_like(displacement)
    nearest[atom[chosen]] = -vector[chosen]
    return nearest


def _sum_over_images(displacement: Tensor, lattice: Tensor, owner: Tensor, sigma: Tensor) -> Tensor:
    """Return the mean displacement back as an average over images, each weighted by its Gaussian."""
    # The nearest image may be half a diagonal away; others count by how much farther they are.
    cutoff = (half_diagonal(lattice) ** 2 + (_REACH * sigma) ** 2).sqrt()
    atom, vector = _image_vectors(displacement, lattice, owner, cutoff)
    exponent = -vector.square().sum(-1) / (2 * sigma[owner[atom]] ** 2)
    largest = exponent.new_full((len(owner),), -torch.inf).scatter_reduce_(0, atom, exponent, "amax")
    weight = (exponent - largest[atom]).exp()
    total = weight.new_zeros(len(owner)).index_add_(0, atom, weight)
    return -torch.zeros_like(displacement).index_add_(0, atom, weight[:, None] * vector) / total[:, None]


def _sum_over_waves(displacement: Tensor, lattice: Tensor, owner: Tensor, sigma: Tensor) -> Tensor:
    """Return the same from the Fourier series Σ exp(−σ²G²/2) cos(G·x) of the density (Poisson's summation formula)."""
    reciprocal = 2 * math.pi * torch.linalg.inv(lattice).mT
    wave, crystal = translations(reciprocal, _REACH / sigma)
    vector = cartesian(wave, reciprocal, crystal)
    atom, chosen = _of_each_atom(crystal, owner, len(lattice))
    vector = vector[chosen]
    weight = (-0.5 * (sigma[owner[atom], None] * vector).square().sum(-1)).exp()
    phase = (vector * displacement[atom]).sum(-1)
    density = weight.new_zeros(len(owner)).index_add_(0, atom, weight * phase.cos())
    slope = torch.zeros_like(displacement).index_add_(0, atom, -(weight * phase.sin())[:, None] * vector)
    return sigma[owner, None] ** 2 * slope / density[:, None]


def _image_vectors(displacement: Tensor, lattice: Tensor, owner: Tensor, cutoff: Tensor) -> tuple[Tensor, Tensor]:
    """Return the atoms and vectors in Å of all images of `displacement` within `cutoff` (n,) Å, and some others."""
    fractional = cartesian(displacement, torch.linalg.inv(lattice), owner)
    fractional = fractional - fractional.round()
    translation, crystal = translations(lattice, cutoff)
    atom, chosen = _of_each_atom(crystal, owner, len(lattice))
    return atom, cartesian(fractional[atom] + translation[chosen], lattice, owner[atom])


def _of_each_atom(crystal: Tensor, owner: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return pairs (atom, row) of each atom and each of the rows, sorted by `crystal`, that its crystal has."""
    per_crystal = torch.bincount(crystal, minlength=n)
    starts = per_crystal.cumsum(0) - per_crystal
    counts = per_crystal[owner]
    atom = torch.repeat_interleave(torch.arange(len(owner), device=owner.device), counts)
    return atom, starts[owner[atom]] + places(counts)
