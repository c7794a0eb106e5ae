"""Patterns for training, made from sticks whenever they are looked at: broadened, coarsened, disturbed, cut.

Guo et al., "Ab initio structure solutions from nanocrystalline powder diffraction data via diffusion models" (2025),
equations 1 to 3. Convolving with sinc²(Qτ/2) is multiplying the Fourier transform, a function of the distance r, by the
triangle 1 − r/τ; a Gaussian of standard deviation σ multiplies it by exp(−σ²r²/2). Both take one transform for patterns
of different sizes. Sizes, widths, noise, background and the range of Q that was measured are drawn anew each time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d

from xtal_core.training_set import LARGEST_Q, LAST_REFLECTION, N_BINS

#: Points of a pattern as the networks see it, from Q = 0 to `LARGEST_Q`.
N_POINTS = 512

#: Å⁻¹: the Gaussian of MP-20-PXRD, between 0.010 and 0.011 of the axis.
GAUSSIAN_SIGMA = (0.010 * LARGEST_Q, 0.011 * LARGEST_Q)

#: Standard deviation of the noise, the largest intensity being 1.
NOISE = 0.001

#: Padding with as many zeros keeps what leaves the axis at one end from entering at the other.
_LENGTH = 3 * N_BINS

#: Cosines that a residual background consists of.
_N_COSINES = 5


@dataclass(frozen=True)
class Patterns:
    """Patterns as the networks see them.

    Attributes
    ----------
    intensity : (n, `N_POINTS`)
        The largest covered value is 1; 0 where nothing was measured.
    covered : (n, `N_POINTS`)
        1 where something was measured, else 0.
    """

    intensity: Tensor
    covered: Tensor

    def to(self, device: torch.device | str) -> Patterns:
        """Return the patterns on `device`."""
        return Patterns(self.intensity.to(device), self.covered.to(device))

    def repeated(self, n: int) -> Patterns:
        """Return `n` times the only pattern."""
        return Patterns(self.intensity.expand(n, -1), self.covered.expand(n, -1))


@dataclass(frozen=True)
class Variety:
    """How different the patterns of one crystal may be.

    Attributes
    ----------
    smallest_size, largest_size
        Å; sizes are uniform in their logarithm between them. The paper's models have one size each.
    noise
        Standard deviation.
    background
        Largest background that is left, relative to the strongest reflection; every other pattern has one.
    cut
        Whether patterns begin and end at angles that vary.
    """

    smallest_size: float
    largest_size: float
    noise: float = NOISE
    background: float = 0.0
    cut: bool = False

    def sizes(self, n: int, device: torch.device) -> Tensor:
        """Return (n,) crystallite sizes in Å."""
        low, high = math.log(self.smallest_size), math.log(self.largest_size)
        return torch.exp(low + (high - low) * torch.rand(n, device=device))

    def disturbed(self, intensity: Tensor) -> Patterns:
        """Return (n, `N_POINTS`) `intensity`, whose maxima are 1, as it might have been measured."""
        n, device = len(intensity), intensity.device
        if self.background:
            intensity = intensity + self.background * _backgrounds(n, device)
        intensity = intensity + self.noise * torch.randn_like(intensity)
        if not self.cut:
            return Patterns(intensity.clamp(0, 1), torch.ones_like(intensity))
        q = axis(device)
        first = torch.rand(n, 1, device=device)
        # Every other pattern ends where the reflections do.
        last = LAST_REFLECTION - (torch.rand(n, 1, device=device) * 4 - 2).clamp(min=0)
        covered = ((q >= first) & (q <= last)).to(intensity.dtype)
        return normalised(intensity, covered)


def axis(device: torch.device | str = "cpu") -> Tensor:
    """Return the (`N_POINTS`,) centres in Å⁻¹ of the points of a pattern."""
    return (torch.arange(N_POINTS, device=device) + 0.5) * (LARGEST_Q / N_POINTS)


def normalised(intensity: Tensor, covered: Tensor) -> Patterns:
    """Return `intensity` (n, `N_POINTS`) with the largest of its `covered` points 1, and none negative."""
    intensity = intensity.clamp(min=0) * covered
    return Patterns(intensity / intensity.amax(-1, keepdim=True).clamp(min=1e-6), covered)


def broadened(sticks: Tensor, crystallite_size: Tensor, gaussian_sigma: Tensor) -> Tensor:
    """Return the (n, `N_POINTS`) patterns of crystals with the (n, `N_BINS`) `sticks`, without noise.

    `crystallite_size` (n,) is in Å, infinite for an infinite crystal, `gaussian_sigma` (n,) in Å⁻¹. Patterns are scaled
    to a maximum of 1, then the maximum of each eight bins is taken.
    """
    distance = torch.fft.rfftfreq(_LENGTH, LARGEST_Q / N_BINS, device=sticks.device) * (2 * math.pi)
    window = (1 - distance / crystallite_size[:, None]).clamp(min=0)
    window = window * torch.exp(-0.5 * (gaussian_sigma[:, None] * distance) ** 2)
    smooth = torch.fft.irfft(torch.fft.rfft(sticks, _LENGTH) * window, _LENGTH)[:, :N_BINS]
    return coarsened(smooth / smooth.amax(-1, keepdim=True))


def coarsened(fine: Tensor) -> Tensor:
    """Return the (n, `N_POINTS`) largest of each eight of (n, `N_BINS`) values."""
    return max_pool1d(fine[:, None], N_BINS // N_POINTS)[:, 0]


def gaussian_sigmas(n: int, device: torch.device) -> Tensor:
    """Return (n,) standard deviations in Å⁻¹, drawn as in MP-20-PXRD."""
    low, high = GAUSSIAN_SIGMA
    return low + (high - low) * torch.rand(n, device=device)


def _backgrounds(n: int, device: torch.device) -> Tensor:
    """Return (n, `N_POINTS`) smooth curves between 0 and 1; every other is 0."""
    x = torch.linspace(0, math.pi, N_POINTS, device=device)
    waves = torch.cos(torch.arange(_N_COSINES, device=device)[:, None] * x)
    curves = torch.randn(n, _N_COSINES, device=device) @ waves
    low, high = curves.amin(-1, keepdim=True), curves.amax(-1, keepdim=True)
    height = (2 * torch.rand(n, 1, device=device) - 1).clamp(min=0)
    return height * (curves - low) / (high - low)
