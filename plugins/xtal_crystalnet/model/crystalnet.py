"""CrystalNet: the density at any point of a cell, from a pattern and a formula (figures 6 and 7).

Guo et al., "Towards end-to-end structure solutions from information-compromised diffraction data via generative deep
learning" (2023). Fourier features with the period of the cell, the logarithm of the density and the lattice head go
beyond the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xtal_crystalnet.model.config import CrystalNetConfig
from xtal_crystalnet.model.encoders import Embedding, formula_encoder, pattern_encoder
from xtal_crystalnet.model.lattice_metric import LatticeScale

#: Width of the lattice head.
_HEAD_WIDTH = 256


@dataclass(frozen=True)
class Conditions:
    """What the regressor is told, one row a map.

    Attributes
    ----------
    scale, shift : (n, width)
        γ and β of equation 4.
    """

    scale: Tensor
    shift: Tensor


class CrystalNet(nn.Module):
    """Encoders of pattern and formula, their fusion, and the regressor of the density."""

    frequencies: Tensor

    def __init__(self, config: CrystalNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.pattern_encoder = pattern_encoder(config)
        self.formula_encoder = formula_encoder(config)
        self.scale = _fusion(2 * config.latent, width)
        self.shift = _fusion(2 * config.latent, width)
        frequencies = _waves(config.n_frequencies) if config.periodic else _random_frequencies(config)
        self.register_buffer("frequencies", frequencies)
        self.position = nn.Sequential(
            nn.Linear(2 * len(frequencies), width), *_norm(config), nn.ReLU(), nn.Linear(width, width)
        )
        self.regressor = _Regressor(config)
        self.lattice_scale = LatticeScale()
        self.lattice = (
            nn.Sequential(nn.Linear(2 * config.latent, _HEAD_WIDTH), nn.ReLU(), nn.Linear(_HEAD_WIDTH, 6))
            if config.lattice_head
            else None
        )

    def embeddings(self, patterns: Tensor, composition: Tensor) -> tuple[Embedding, Embedding]:
        """Return the embeddings of `patterns` (n, 2, `N_SEEN`) and of `composition` (n, n_species)."""
        if self.config.square_root:
            patterns = patterns.sqrt()
        return self.pattern_encoder(patterns), self.formula_encoder(composition)

    def conditions(self, embedding: Tensor) -> Conditions:
        """Return what the regressor is told by `embedding` (n, 2 latent), that of the pattern first."""
        return Conditions(self.scale(embedding), self.shift(embedding))

    def lattice_metrics(self, pattern: Embedding, formula: Embedding) -> Tensor:
        """Return (n, 6) the scaled numbers of the lattices, see `lattice_metric`, that the means of embeddings tell."""
        assert self.lattice is not None
        return self.lattice(torch.cat([pattern.mean, formula.mean], 1)).float()

    def positions(self, points: Tensor) -> Tensor:
        """Return (…, width) the encoding of fractional coordinates `points` (…, 3), equation 3."""
        # Half precision would leave phases unknown by a tenth.
        with torch.autocast(points.device.type, enabled=False):
            phase = (points - torch.floor(points + 0.5)) @ self.frequencies.T
        features = torch.cat([phase.sin(), phase.cos()], -1)
        return self.position(features.flatten(0, -2)).unflatten(0, points.shape[:-1])

    def forward(self, conditions: Conditions, points: Tensor) -> Tensor:
        """Return (n, n_points) densities, as `encoded` writes them, at `points` (n, n_points, 3) of n maps.

        `points` may have one row for all maps, whose positions are then encoded once.
        """
        conditioned = conditions.scale[:, None] * self.positions(points) + conditions.shift[:, None]
        return self.regressor(conditioned.flatten(0, 1)).view(len(conditions.scale), -1)

    def encoded(self, density: Tensor) -> Tensor:
        """Return what networks and loss see of a `density` in e⁻/Å³."""
        scale = self.config.density_scale
        return torch.log1p(density.clamp(min=0) / scale) if scale else density

    def decoded(self, output: Tensor) -> Tensor:
        """Return the density in e⁻/Å³ that `output` of the regressor stands for."""
        scale = self.config.density_scale
        return torch.expm1(output).clamp(min=0) * scale if scale else output


class _Regressor(nn.Module):
    """Linear layers over points, the input again before the middle one (as in DeepSDF and NeRF)."""

    def __init__(self, config: CrystalNetConfig) -> None:
        super().__init__()
        width = config.width
        self.again = config.blocks // 2
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width if i == self.again else width, width), *_norm(config), nn.ReLU())
            for i in range(config.blocks)
        )
        self.end = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        given = x
        for i, layer in enumerate(self.layers):
            x = layer(torch.cat([x, given], -1) if i == self.again else x)
        with torch.autocast(x.device.type, enabled=False):
            return self.end(x.float())[:, 0]


def _fusion(before: int, width: int) -> nn.Sequential:
    """Return four linear layers, each followed by batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers)


def _norm(config: CrystalNetConfig) -> list[nn.Module]:
    return [nn.BatchNorm1d(config.width)] if config.norm == "batch" else []


def _random_frequencies(config: CrystalNetConfig) -> Tensor:
    """Return the paper's (n_frequencies, 3) frequencies, always the same."""
    generator = torch.Generator().manual_seed(0)
    return config.frequency_sigma * torch.randn(config.n_frequencies, 3, generator=generator)


def _waves(n: int) -> Tensor:
    """Return the (n, 3) frequencies of the `n` longest waves with the period of the cell, one of each pair ±k."""
    reach = torch.arange(-8, 9)
    k = torch.cartesian_prod(reach, reach, reach)
    first = (k[:, 0] > 0) | ((k[:, 0] == 0) & ((k[:, 1] > 0) | ((k[:, 1] == 0) & (k[:, 2] >= 0))))
    k = k[first]
    order = torch.argsort((k**2).sum(1), stable=True)[:n]
    return 2 * math.pi * k[order].float()
