"""From latent vectors to crystals: lattices by the decoder, coordinates by denoising, the formula forced."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from xtal_cdvae.model.cdvae import CDVAE
from xtal_cdvae.model.sampling import Guidance, langevin
from xtal_core.cell_contents import CellContent
from xtal_core.filtering import Proposal
from xtal_core.interfaces import Workbench
from xtal_core.pattern import FloatArray


@dataclass(frozen=True)
class Denoising:
    """How coordinates are drawn; see `xtal_cdvae.model.sampling.langevin`.

    The paper takes 50 levels of 100 steps of 1e-4 Å² and no predictor.
    """

    levels: int
    steps_per_level: int
    step_size: float
    predictor: bool


def decode(
    model: CDVAE,
    z: Tensor,
    contents: Sequence[CellContent],
    denoising: Denoising,
    workbench: Workbench,
    generator: torch.Generator,
    guidance: Guidance | None = None,
    lattice: Tensor | None = None,
) -> list[Proposal]:
    """Return a crystal for each of `z` (n, latent), with the atoms of each of n `contents`.

    `lattice` is (n, 3, 3) Å; without it, that of the decoder.
    """
    n_atoms = torch.tensor([len(content) for content in contents], device=z.device)
    numbers = torch.tensor(np.concatenate([content.numbers for content in contents]), device=z.device)
    if lattice is None:
        lattice = model.lattice_from(z, n_atoms)
    fractional = langevin(
        model,
        z,
        numbers,
        n_atoms,
        lattice,
        levels=denoising.levels,
        steps_per_level=denoising.steps_per_level,
        step_size=denoising.step_size,
        predictor=denoising.predictor,
        generator=generator,
        guidance=guidance,
        progress=lambda levels: workbench.progress.track(levels, "denoising crystals", total=denoising.levels),
    )
    parts = fractional.double().cpu().split(n_atoms.tolist())
    return [
        Proposal(
            lattice=cell.numpy(),
            fractional=part.numpy(),
            numbers=content.numbers,
            origin=f"latent vector {index + 1}, Z = {content.z}",
            details={"latent_vector": index + 1, "z": content.z},
        )
        for index, (cell, part, content) in enumerate(zip(lattice.double().cpu(), parts, contents, strict=True))
    ]


def denoise_again(
    model: CDVAE,
    z: Tensor,
    proposals: Sequence[Proposal],
    lattice: Tensor,
    noise: float,
    denoising: Denoising,
    generator: torch.Generator,
    guidance: Guidance | None = None,
) -> list[Proposal]:
    """Return `proposals`, one for each of `z` (n, latent), with their atoms denoised again in other lattices.

    `lattice` is (n, 3, 3) Å. Denoising begins with `noise` Å; levels are as close together as in the first denoising.
    """
    n_atoms = torch.tensor([len(proposal.numbers) for proposal in proposals], device=z.device)
    largest, smallest = model.config.sigma_coords
    share = math.log(noise / smallest) / math.log(largest / smallest)
    fractional = langevin(
        model,
        z,
        torch.tensor(np.concatenate([proposal.numbers for proposal in proposals]), device=z.device),
        n_atoms,
        lattice,
        levels=max(round(share * denoising.levels), 1),
        steps_per_level=denoising.steps_per_level,
        step_size=denoising.step_size,
        predictor=denoising.predictor,
        generator=generator,
        guidance=guidance,
        start=torch.tensor(np.concatenate([proposal.fractional for proposal in proposals]), device=z.device).to(z),
        largest_noise=noise,
    )
    parts = fractional.double().cpu().split(n_atoms.tolist())
    return [
        replace(proposal, lattice=cell.numpy(), fractional=part.numpy(), details=proposal.details | {"again": True})
        for proposal, cell, part in zip(proposals, lattice.double().cpu(), parts, strict=True)
    ]


def count_likelihoods(model: CDVAE, z: Tensor, contents: Sequence[CellContent]) -> FloatArray:
    """Return how likely latent vectors `z` (n, latent) are to tell each of `contents`, by the number of atoms."""
    told = model.crystal_parameters(z).atom_count.softmax(-1).mean(0)
    return np.array([float(told[len(content) - 1]) for content in contents])


def random_generator(workbench: Workbench, device: torch.device, stream: int) -> torch.Generator:
    """Return torch's random numbers for `stream`, reproducible from the seed of the workbench."""
    return torch.Generator(device).manual_seed(int(workbench.random(stream).integers(2**63)))


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use `n` processor cores inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
