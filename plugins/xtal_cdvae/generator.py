"""CDVAE-Search, the baseline of PXRDNet: many random crystals of the right composition, of which the pattern chooses.

Guo et al., "Ab initio structure solutions from nanocrystalline powder diffraction data via diffusion models" (2025),
section "Baseline: CDVAE latent space search". Latent vectors are drawn from N(0, I), nothing is told to them about the
pattern; species and their number are forced.
"""

from __future__ import annotations

from pathlib import Path

import torch

from xtal_cdvae.decoding import Denoising, count_likelihoods, decode, random_generator, threads
from xtal_cdvae.plugin import CDVAESearchOptions
from xtal_cdvae.saved_model import load_cdvae, torch_device
from xtal_core.candidate import Candidate
from xtal_core.cell_contents import cell_contents, shares
from xtal_core.filtering import Filter
from xtal_core.interfaces import Generator, Workbench
from xtal_core.problem import Problem

_STREAM = 2022


class CDVAESearchGenerator(Generator):
    """Proposes crystals of random latent vectors."""

    def __init__(self, options: CDVAESearchOptions) -> None:
        self.options = options
        self._files: list[Path] = []

    def files(self) -> list[Path]:
        """Return the weights that were used; see `UsesFiles`."""
        return self._files

    @torch.no_grad()
    def generate(self, problem: Problem, workbench: Workbench) -> list[Candidate]:
        """Return the crystals whose patterns are most similar; none for cells or elements the model does not know."""
        options = self.options
        device = torch_device(options.device)
        model, file = load_cdvae(options.weights, device)
        self._files = [file.path]
        contents = cell_contents(problem, model.config.max_atoms, model.config.n_species)
        if not contents:
            return []
        generator = random_generator(workbench, device, _STREAM)
        with threads(workbench.jobs):
            z = torch.randn(options.candidates, model.config.latent, generator=generator, device=device)
            counts = shares(contents, count_likelihoods(model, z, contents), options.candidates)
            given = [content for content, count in zip(contents, counts, strict=True) for _ in range(count)]
            denoising = Denoising(options.levels, options.steps_per_level, options.step_size, options.predictor)
            proposals = decode(model, z, given, denoising, workbench, generator)
        screen = Filter(problem, workbench, correct_lattice=options.correct_lattice)
        return screen.best(proposals, options.keep, "cdvae-search")
