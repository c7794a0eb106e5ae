"""Coordinates drawn from the denoiser: annealed Langevin dynamics.

Song and Ermon, "Generative modeling by estimating gradients of the data distribution" (2019), algorithm 1; between two
levels, unless left out, the predictor for variance-exploding noise of Song et al., "Score-based generative modeling
through stochastic differential equations" (2021), which lets a few steps a level suffice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from xtal_cdvae.model.cdvae import CDVAE
from xtal_cdvae.model.crystal_batch import CrystalBatch, atom_owner
from xtal_cdvae.model.periodic_graph import cartesian

#: Gradient in Å⁻¹ of a log-likelihood by Cartesian coordinates, (n_atoms, 3), at fractional coordinates (n_atoms, 3)
#: and lattices (n, 3, 3) with noise of a standard deviation in Å.
Guidance = Callable[[Tensor, Tensor, float], Tensor]

#: Shows the progress through what it is given.
Track = Callable[[Iterable[float]], Iterable[float]]


def noise_levels(largest: float, smallest: float, n: int) -> list[float]:
    """Return `n` standard deviations, a geometric sequence downwards."""
    if n == 1:
        return [smallest]
    return [largest * (smallest / largest) ** (i / (n - 1)) for i in range(n)]


@torch.no_grad()
def langevin(
    model: CDVAE,
    z: Tensor,
    atomic_numbers: Tensor,
    n_atoms: Tensor,
    lattice: Tensor,
    *,
    levels: int | None = None,
    steps_per_level: int = 100,
    step_size: float = 1e-4,
    generator: torch.Generator,
    guidance: Guidance | None = None,
    predictor: bool = False,
    progress: Track | None = None,
    start: Tensor | None = None,
    largest_noise: float | None = None,
) -> Tensor:
    """Return (n_atoms.sum(), 3) fractional coordinates in [0, 1) of crystals whose species and lattices are given.

    Atoms start anywhere, or from `start` with noise. The defaults are those of PXRDNet.

    Parameters
    ----------
    model
        In evaluation mode.
    z : (n, latent)
    atomic_numbers : (n_atoms.sum(),)
    n_atoms : (n,)
    lattice : (n, 3, 3) Å
    levels
        Noise levels; those of the model's settings unless given.
    steps_per_level
        Langevin steps at each; with the predictor none is enough.
    step_size
        Å², of the steps at the last level; others are longer as the square of their noise.
    generator
        On the device of `z`.
    guidance
        Added to the network's gradient.
    predictor
        Whether to move from level to level by a predictor.
    progress
        Given the levels, returns them while it shows how far they are.
    start : (n_atoms.sum(), 3)
        Fractional coordinates to which noise of the first level is added.
    largest_noise
        Å, of the first level; that of the model's settings unless given.
    """
    frame = model.frame(lattice, n_atoms)
    inverse = torch.linalg.inv(lattice)
    owner = atom_owner(n_atoms)
    largest, smallest = model.config.sigma_coords
    largest = largest if largest_noise is None else largest_noise
    sigmas = noise_levels(largest, smallest, model.config.levels if levels is None else levels)
    if start is None:
        frac = torch.rand(len(atomic_numbers), 3, generator=generator, device=z.device)
    else:
        noise = largest * torch.randn(start.shape, generator=generator, device=z.device)
        frac = wrapped(start + cartesian(noise, inverse, owner))
    following = dict(zip(sigmas, [*sigmas[1:], 0.0], strict=True))

    def score(sigma: float) -> Tensor:
        crystals = CrystalBatch(atomic_numbers, frac, lattice, n_atoms)
        found = model.denoise(z, z.new_full((len(z),), sigma), crystals, frame).displacement / sigma**2
        return found if guidance is None else found + guidance(frac, lattice, sigma)

    def moved(gradient: Tensor, step: float, noise: float) -> Tensor:
        random = torch.randn(frac.shape, generator=generator, device=z.device)
        move = step * gradient + noise * random
        return wrapped(frac + cartesian(move, inverse, owner))

    for sigma in sigmas if progress is None else progress(sigmas):
        step = step_size * (sigma / smallest) ** 2
        for _ in range(steps_per_level):
            frac = moved(score(sigma), step, math.sqrt(2 * step))
        after = following[sigma]
        # The last step of all goes all the way to the clean position.
        if predictor or not after:
            frac = moved(score(sigma), sigma**2 - after**2, after * math.sqrt(1 - (after / sigma) ** 2))
    return frac


def wrapped(frac: Tensor) -> Tensor:
    """Return fractional coordinates in [0, 1)."""
    frac = frac - frac.floor()
    # What was a rounding error below 0 is 1 now.
    return torch.where(frac < 1, frac, torch.zeros_like(frac))
