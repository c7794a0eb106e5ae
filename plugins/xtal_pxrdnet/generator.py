"""PXRDNet's structure solution: latent vectors for the pattern and the formula, crystals from them, the best kept.

Guo et al., "Ab initio structure solutions from nanocrystalline powder diffraction data via diffusion models" (2025),
section "Generative structure solution process". Where options go beyond the paper `plugin.py` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from xtal_cdvae.decoding import Denoising, count_likelihoods, decode, denoise_again, random_generator, threads
from xtal_cdvae.saved_model import torch_device
from xtal_core.candidate import Candidate
from xtal_core.cell_contents import CellContent, cell_contents, shares
from xtal_core.cells import IntArray
from xtal_core.errors import OptionError
from xtal_core.filtering import Filter, Proposal, is_sound
from xtal_core.interfaces import DifferentiableSimulator, Generator, Workbench
from xtal_core.problem import Problem
from xtal_pxrdnet.guidance import PatternGuidance
from xtal_pxrdnet.latent_vectors import LatentVectors
from xtal_pxrdnet.model.pattern_encoder import fractions
from xtal_pxrdnet.model.pxrdnet import PXRDNet
from xtal_pxrdnet.pattern_input import network_input
from xtal_pxrdnet.plugin import PXRDNetOptions
from xtal_pxrdnet.saved_model import load_pxrdnet

_STREAM = 2025

#: Latent vectors that are asked how many atoms the cell has.
_ASKED = 64


class PXRDNetGenerator(Generator):
    """Proposes crystals of latent vectors that a pattern makes likely."""

    def __init__(self, options: PXRDNetOptions) -> None:
        self.options = options
        self._files: list[Path] = []

    def files(self) -> list[Path]:
        """Return the weights that were used; see `UsesFiles`."""
        return self._files

    @torch.no_grad()
    def generate(self, problem: Problem, workbench: Workbench) -> list[Candidate]:
        """Return the crystals whose patterns are most similar; none for cells or elements the model does not know.

        Raises InputError for weights that cannot be used, and PatternError for a pattern of which the networks would
        see too little.
        """
        options = self.options
        device = torch_device(options.device)
        model, file = load_pxrdnet(options.weights, device)
        self._files = [file.path]
        if options.start == "amortised" and model.proposer is None:
            raise OptionError("these weights propose no latent vectors", "give --set pxrdnet.start=random")
        contents = cell_contents(problem, model.cdvae.config.max_atoms, model.cdvae.config.n_species)
        if not contents:
            return []
        shown = network_input(problem)
        screen = Filter(
            problem,
            workbench,
            correct_lattice=options.correct_lattice,
            expected_strain=options.expected_strain,
            symmetrise=options.symmetrise,
        )
        generator = random_generator(workbench, device, _STREAM)
        composition = _composition(contents[0], model.cdvae.config.n_species)
        vectors = LatentVectors(model, shown.to(device), composition.to(device), options, generator)
        with threads(workbench.jobs):
            # What the cell holds, the pattern tells before any crystal is made.
            likelihoods = count_likelihoods(model.cdvae, vectors.start(_ASKED, 0).z, contents)
            counts = shares(contents, likelihoods, options.candidates)
            chosen = [(content, count) for content, count in zip(contents, counts, strict=True) if count]
            found = [vectors.found(count, len(content), workbench) for content, count in chosen]
            z, lattice = (torch.cat(parts) for parts in zip(*found, strict=True))
            given = [content for content, count in chosen for _ in range(count)]
            denoising = Denoising(options.levels, options.steps_per_level, options.step_size, options.predictor)
            guidance = _guidance(screen, [content.numbers for content in given], options.guidance)
            proposals = decode(model.cdvae, z, given, denoising, workbench, generator, guidance, lattice)
            if options.again:
                proposals += self._again(model, z, proposals, screen, denoising, generator)
        return screen.best(proposals, options.keep, "pxrdnet")

    def _again(
        self,
        model: PXRDNet,
        z: Tensor,
        proposals: Sequence[Proposal],
        screen: Filter,
        denoising: Denoising,
        generator: torch.Generator,
    ) -> list[Proposal]:
        """Return those of `proposals` that are sound, denoised again in lattices that are fitted to the pattern."""
        rows = [row for row, proposal in enumerate(proposals) if is_sound(proposal)]
        if not rows:
            return []
        sound = [proposals[row] for row in rows]
        lattice = torch.from_numpy(screen.fitted(sound).cells.lattices).to(z)
        guidance = _guidance(screen, [proposal.numbers for proposal in sound], self.options.guidance)
        return denoise_again(model.cdvae, z[rows], sound, lattice, self.options.again, denoising, generator, guidance)


def _guidance(screen: Filter, numbers: Sequence[IntArray], weight: float) -> PatternGuidance | None:
    """Return what guides the denoising of crystals with atoms of `numbers`; nothing when not wanted or possible."""
    if not weight or not isinstance(screen.simulator, DifferentiableSimulator):
        return None
    return PatternGuidance(screen, screen.simulator, numbers, weight)


def _composition(content: CellContent, n_species: int) -> Tensor:
    """Return the (n_species,) atomic fractions of `content`."""
    numbers = torch.from_numpy(content.numbers)
    return fractions(numbers, torch.zeros_like(numbers), 1, n_species)[0]
