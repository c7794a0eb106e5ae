"""Where the latent vectors and lattices of the candidates come from: a start, a choice, and a search."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xtal_core.interfaces import Workbench
from xtal_pxrdnet.latent_search import Goal, objective, search
from xtal_pxrdnet.model.pxrdnet import N_LATTICE, Proposals, PXRDNet
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

    def start(self, n: int, n_atoms: int) -> Proposals:
        """Return `n` latent vectors to start from, for cells of `n_atoms` atoms; 0 when that is not known."""
        device, length = self.composition.device, self.model.cdvae.config.latent
        if self.options.start == "random":
            return Proposals(torch.randn(n, length, generator=self.generator, device=device), None)
        noise = torch.randn(n, length + N_LATTICE, generator=self.generator, device=device)
        counts = torch.full((n,), n_atoms, device=device)
        patterns, composition = self.shown.patterns.repeated(n), self.composition.expand(n, -1)
        return self.model.propose(patterns, composition, counts, noise, self.options.flow_steps)

    def found(self, n: int, n_atoms: int, workbench: Workbench) -> tuple[Tensor, Tensor]:
        """Return `n` latent vectors (n, latent) for cells of `n_atoms` atoms, and the (n, 3, 3) Å lattices.

        They are the best of those proposed, after a search.
        """
        count = n * self.options.proposals if self.options.start == "amortised" else n
        found = self.start(count, n_atoms)
        if count > n:
            found = found[objective(self.model, found.z, self._goal(count, n_atoms)).argsort(stable=True)[:n]]
        goal = self._goal(n, n_atoms)
        if self.options.latent_steps:
            found = replace(found, z=search(self.model, found.z, goal, self.options.latent_steps, workbench))
        cdvae = self.model.cdvae
        if found.lattice is None or self.options.lattice == "decoded":
            return found.z, cdvae.lattice_from(found.z, goal.n_atoms)
        return found.z, cdvae.lattice_of(found.lattice, goal.n_atoms)

    def _goal(self, n: int, n_atoms: int) -> Goal:
        counts = torch.full((n,), n_atoms, device=self.composition.device)
        return Goal(self.shown.patterns, self.shown.crystallite_size, self.composition, counts)
