"""Functions of a distance that vanish smoothly at a cutoff."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class RadialBasis(nn.Module):
    """Spherical Bessel functions of order 0 with `n` zeros up to the cutoff, times an envelope.

    Gasteiger, Groß and Günnemann, "Directional message passing for molecular graphs" (2020), equation 7; the envelope
    (1 − x²)³ is flat at both ends. Finite everywhere, even where two atoms meet.
    """

    zeros: Tensor

    def __init__(self, n: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.register_buffer("zeros", torch.arange(1.0, n + 1), persistent=False)

    def forward(self, distance: Tensor) -> Tensor:
        """Return (…, n) values at `distance` (…) Å."""
        x = (distance / self.cutoff).clamp(max=1)[..., None]
        # √2 sin(nπx) / x
        waves = math.sqrt(2) * math.pi * self.zeros * torch.sinc(self.zeros * x)
        return waves * (1 - x.square()) ** 3
