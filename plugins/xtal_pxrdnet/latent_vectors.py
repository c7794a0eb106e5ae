"""Where the latent vectors of the candidates come from: a start, a choice, and a search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xtal_core.interfaces import Workbench
from xtal_pxrdnet.latent_search import Goal, objective, search
from xtal_pxrdnet.model.pxrdnet import PXRDNet
from xtal_pxrdnet.pattern_input import NetworkInput
from xtal_pxrdnet.plugin import PXRDNetOptions


@dataclass(frozen=True, eq=False)
class LatentVectors:
    """Draws latent vectors that explain a pattern.

    Attributes
    ----------
    model, shown
        The networks, and what they are shown; on one device.
    composition : (n_species,)
        Atomic fractions of the formula.
    options
        Of the generator.
    generator
        Random numbers, on the same device.
    """

    model: PXRDNet
    shown: NetworkInput
    composition: Tensor
    options: PXRDNetOptions
    generator: torch.Generator

    def start(self, n: int, n_atoms: int) -> Tensor:
        """Return `n` latent vectors to start from, for cells of `n_atoms` atoms; 0 when that is not known."""
        device = self.composition.device
        noise = torch.randn(n, self.model.cdvae.config.latent, generator=self.generator, device=device)
        if self.options.start == "random":
            return noise
        counts = torch.full((n,), n_atoms, device=device)
        patterns, composition = self.shown.patterns.repeated(n), self.composition.expand(n, -1)
        return self.model.propose(patterns, composition, counts, noise, self.options.flow_steps)

    def found(self, n: int, n_atoms: int, workbench: Workbench) -> Tensor:
        """Return `n` latent vectors for cells of `n_atoms` atoms: the best of those proposed, after a search."""
        count = n * self.options.proposals if self.options.start == "amortised" else n
        z = self.start(count, n_atoms)
        if count > n:
            z = z[objective(self.model, z, self._goal(count, n_atoms)).argsort(stable=True)[:n]]
        if self.options.latent_steps:
            z = search(self.model, z, self._goal(n, n_atoms), self.options.latent_steps, workbench)
        return z

    def _goal(self, n: int, n_atoms: int) -> Goal:
        counts = torch.full((n,), n_atoms, device=self.composition.device)
        return Goal(self.shown.patterns, self.shown.crystallite_size, self.composition, counts)
