"""What a pattern and a formula have to say: normal distributions of embeddings (figure 6, A and B; equations 1, 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from xtal_crystalnet.model.config import CrystalNetConfig
from xtal_crystalnet.patterns import N_SEEN

#: Standard deviations are at least this.
SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Embedding:
    """A normal distribution without correlations, one row a crystal.

    Attributes
    ----------
    mean, deviation : (n, latent)
    """

    mean: Tensor
    deviation: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Return (n, latent), equation 2."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + noise * self.deviation

    def kl(self) -> Tensor:
        """Return the mean over the batch of equation 6 with the sign of a divergence: 0 for N(0, I), else positive."""
        variance = self.deviation**2
        return 0.5 * (self.mean**2 + variance - 1 - variance.log()).mean()


class VariationalEncoder(nn.Module):
    """Two networks of one shape, for the mean and for the standard deviation."""

    def __init__(self, mean: nn.Module, deviation: nn.Module) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, x: Tensor) -> Embedding:
        """Return the embeddings of `x` (n, …)."""
        return Embedding(self.mean(x).float(), softplus(self.deviation(x).float()) + SMALLEST_DEVIATION)


class PatternEncoder(nn.Module):
    """A densely connected convolutional network (Huang et al. 2017) over the points of a pattern.

    Every convolution is followed by layer normalisation and ReLU, the last linear layer by batch normalisation.
    """

    def __init__(self, growth: int, layers: int, latent: int) -> None:
        super().__init__()
        channels = 2 * growth
        steps: list[nn.Module] = [_convolution(2, channels, 7, stride=4)]
        for _ in range(3):
            steps.append(_DenseBlock(channels, growth, layers))
            after = (channels + layers * growth) // 2
            steps += [_convolution(channels + layers * growth, after, 1), nn.AvgPool1d(2)]
            channels = after
        self.convolutions = nn.Sequential(*steps, nn.Flatten())
        self.end = nn.Sequential(nn.Linear(channels * (N_SEEN // 32), latent), nn.BatchNorm1d(latent))

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, latent) for patterns (n, 2, `N_SEEN`): intensity, and where something was measured."""
        return self.end(self.convolutions(x))


class _DenseBlock(nn.Module):
    """Convolutions of which each sees what all before it found."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_convolution(channels + i * growth, growth, 5) for i in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


def _convolution(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    # One group of all channels is layer normalisation.
    convolution = nn.Conv1d(before, after, kernel, stride, kernel // 2)
    return nn.Sequential(convolution, nn.GroupNorm(1, after), nn.ReLU())


def pattern_encoder(config: CrystalNetConfig) -> VariationalEncoder:
    """Return the encoder of patterns."""
    return VariationalEncoder(
        *(PatternEncoder(config.growth, config.dense_layers, config.latent) for _ in range(2)),
    )


def formula_encoder(config: CrystalNetConfig) -> VariationalEncoder:
    """Return the encoder of compositions (n, n_species): linear layers, each followed by batch normalisation."""
    return VariationalEncoder(*(_formula_network(config) for _ in range(2)))


def _formula_network(config: CrystalNetConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = config.n_species
    for after in (config.formula_width, config.formula_width):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
        before = after
    return nn.Sequential(*layers, nn.Linear(before, config.latent), nn.BatchNorm1d(config.latent))
