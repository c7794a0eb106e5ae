"""From a latent vector to the powder pattern: F_ψ of PXRDNet (Guo et al. 2025, figure 8).

Fully connected layers spread the latent vector over the axis of the pattern; a block of convolutions, each of which
sees what all before it found (Huang et al., "Densely connected convolutional networks", 2017), shapes it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xtal_pxrdnet.broadening import N_POINTS

_CHANNELS = 8
_DENSE_LAYERS = 4
_KERNEL = 3


class PatternRegressor(nn.Module):
    """Predicts patterns from latent vectors and crystallite sizes.

    The paper trains a network for each size. Here one serves many, and is told 1/τ beside the latent vector; where it
    was trained with a single size this is a constant.
    """

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.spread = nn.Sequential(
            nn.Linear(latent + 1, N_POINTS),
            nn.BatchNorm1d(N_POINTS),
            nn.ReLU(),
            nn.Linear(N_POINTS, N_POINTS),
            nn.BatchNorm1d(N_POINTS),
            nn.ReLU(),
        )
        self.first = _convolution(1)
        self.dense = nn.ModuleList(_convolution(_CHANNELS * (i + 1)) for i in range(_DENSE_LAYERS))
        self.last = nn.Conv1d(_CHANNELS, 1, _KERNEL, padding="same")

    def forward(self, z: Tensor, crystallite_size: Tensor) -> Tensor:
        """Return the (n, `N_POINTS`) patterns, maximum 1, of `z` (n, latent) and `crystallite_size` (n,) Å."""
        # 10 Å become 1, an infinite crystal 0.
        told = torch.cat([z, (10 / crystallite_size)[:, None]], -1)
        found = [self.first(self.spread(told)[:, None])]
        newest = found[0]
        for layer in self.dense:
            newest = layer(torch.relu(torch.cat(found, 1)))
            found.append(newest)
        return self.last(torch.relu(newest))[:, 0]


def _convolution(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(channels, _CHANNELS, _KERNEL, padding="same"), nn.BatchNorm1d(_CHANNELS))
