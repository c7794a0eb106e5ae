"""Densities drawn from CrystalNet for a pattern and a formula, at any resolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xtal_core.pattern import FloatArray, Pattern
from xtal_core.problem import Formula
from xtal_crystalnet.model.crystalnet import CrystalNet
from xtal_crystalnet.pattern_input import formula_input, pattern_input
from xtal_crystalnet.saved_model import SavedModel

#: Densities, points times maps, that are calculated together: what fits a processor's cache.
_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Draws:
    """Several densities that a network thinks possible.

    Attributes
    ----------
    network
        What calculates them.
    embedding : (n, 2 latent)
        One row a draw.
    lattice : (3, 3) Å, optional
        What the network predicts, as rows; None if it does not.
    """

    network: CrystalNet
    embedding: Tensor
    lattice: FloatArray | None

    def __len__(self) -> int:
        return len(self.embedding)

    @torch.no_grad()
    def at(self, points: FloatArray) -> FloatArray:
        """Return the (n, n_points) densities in e⁻/Å³ at fractional coordinates `points` (n_points, 3)."""
        network = self.network
        conditions = network.conditions(self.embedding)
        tensor = torch.as_tensor(points, dtype=torch.float32, device=self.embedding.device)
        size = max(1, _AT_ONCE // len(self))
        parts = [network.decoded(network(conditions, part[None])) for part in tensor.split(size)]
        return torch.cat(parts, 1).double().cpu().numpy()

    def maps(self, shape: tuple[int, int, int]) -> FloatArray:
        """Return the (n, *shape) densities in e⁻/Å³ on a grid, element [i, j, k] at (i/n1, j/n2, k/n3)."""
        points = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1).reshape(-1, 3)
        return self.at(points).reshape(-1, *shape)


@torch.no_grad()
def draw_densities(model: SavedModel, pattern: Pattern, formula: Formula, n: int, random: np.random.Generator) -> Draws:
    """Return `n` densities for a pattern and a formula; the first is that of the mean embedding.

    Raises PatternError for a pattern that shows too little, and InputError for elements the network does not know.
    """
    network = model.network
    device = network.frequencies.device
    shown = pattern_input(pattern, model.narrowest).to(device)
    composition = formula_input(formula, network.config.n_species).to(device)
    return drawn(network, shown, composition, n, random)


@torch.no_grad()
def drawn(network: CrystalNet, patterns: Tensor, composition: Tensor, n: int, random: np.random.Generator) -> Draws:
    """Return `n` densities for one pattern (1, 2, `N_SEEN`) and one composition (1, n_species)."""
    generator = torch.Generator(patterns.device).manual_seed(int(random.integers(2**63)))
    told = network.embeddings(patterns, composition)
    rows = [torch.cat([each.mean for each in told], 1)]
    rows += [torch.cat([each.sample(generator) for each in told], 1) for _ in range(n - 1)]
    lattice = None
    if network.lattice is not None:
        lattice = network.lattice_scale.lattice(network.lattice_metrics(*told))[0].cpu().numpy()
    return Draws(network, torch.cat(rows), lattice)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use `n` processor cores inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
