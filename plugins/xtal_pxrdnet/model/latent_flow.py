"""Latent vectors and lattices that a pattern makes likely: a flow, steered by what the pattern encoder found in it.

Several crystals may explain a broad pattern, so that what is to be proposed lies in several places; a single Gaussian
would put it in between. "Vectors" are here what the flow proposes: a latent vector with the parameters of a lattice.
The flow is trained by conditional flow matching along straight lines (Lipman, Chen, Ben-Hamu, Nickel and Le, "Flow
matching for generative modeling", ICLR 2023): the network learns the velocity z₁ − z₀ at (1 − t) z₀ + t z₁, where z₀ is
noise and z₁ a vector that is to be proposed. PXRDNet has nothing of the kind.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_FREQUENCIES = 16


class LatentFlow(nn.Module):
    """Velocity of vectors, and its integration."""

    def __init__(self, length: int, features: int, width: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Linear(length, width)
        self.told = nn.Linear(features + 2 * _FREQUENCIES, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, length))

    def forward(self, z: Tensor, time: Tensor, features: Tensor) -> Tensor:
        """Return the (n, length) velocities at `z` (n, length) and `time` (n,) in [0, 1], given `features`."""
        told = self.told(torch.cat([features, _waves(time)], -1))
        hidden = self.enter(z)
        for block in self.blocks:
            hidden = block(hidden, told)
        return self.leave(hidden)

    def loss(self, target: Tensor, features: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Return the (length,) mean squared errors of the velocity from `noise` towards `target`, both (n, length)."""
        z = (1 - time[:, None]) * noise + time[:, None] * target
        return (self(z, time, features) - (target - noise)).square().mean(0)

    def sample(self, features: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Return (n, length) vectors: `noise` (n, length) carried along the flow in `steps` steps (Heun's method)."""
        z = noise
        for step in range(steps):
            time, after = (torch.full((len(z),), (step + i) / steps, device=z.device) for i in range(2))
            velocity = self(z, time, features)
            ahead = self(z + velocity / steps, after, features)
            z = z + (velocity + ahead) / (2 * steps)
        return z


class _Block(nn.Module):
    """A residual perceptron whose normalised input is scaled and shifted by what is told."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.perceptron = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, hidden: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.modulation(torch.nn.functional.silu(told)).chunk(2, -1)
        return hidden + self.perceptron(self.norm(hidden) * (1 + scale) + shift)


def _waves(time: Tensor) -> Tensor:
    """Return (n, 2 · `_FREQUENCIES`) sines and cosines of `time` (n,)."""
    angles = time[:, None] * torch.exp(torch.linspace(0, math.log(100.0), _FREQUENCIES, device=time.device))
    return torch.cat([angles.sin(), angles.cos()], -1)
