"""Patterns as CrystalNet sees them: 1024 bins over Q, smoothed, shifted, disturbed and cut whenever they are looked at.

The paper's patterns are peak lists of Mo Kα up to 2θ = 180°; these end with Cu Kα's 2θ = 90°, as most measured ones do.
Sharp peaks are smoothed to a width that the network knows; what is broader it knows in many widths and three shapes:
Gaussians, with the side lobes of small crystallites, and with Lorentzian tails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool1d

from xtal_core.binned_pattern import NOISY_SHARE
from xtal_core.training_set import LARGEST_Q, LAST_REFLECTION, N_BINS

#: Bins from Q = 0 to `LARGEST_Q`.
N_POINTS = 1024

#: Bins that the network is shown: up to the last reflection, in whole strides of its encoder.
N_SEEN = 32 * math.ceil(LAST_REFLECTION / LARGEST_Q * N_POINTS / 32)

#: Å⁻¹: the width of a bin.
BIN = LARGEST_Q / N_POINTS

#: Points that a residual background goes through.
_N_KNOTS = 8

#: The faintest noise of counting is this fraction of the strongest.
_FAINTEST = 0.02

#: Noise may be left with an offset of up to so many of its standard deviations, a background having been taken away
#: from below.
_MOST_OFFSET = 1.5

#: Å⁻¹: how far from 0 patterns may begin, and from the last reflection end.
LATEST_BEGIN, EARLIEST_END = 1.0, 2.0


@dataclass(frozen=True)
class Variety:
    """How different the patterns of one crystal may be.

    Attributes
    ----------
    narrowest, widest
        Å⁻¹; widths of the peaks, uniform in their logarithm: standard deviations where they are Gaussian. 0: bins
        without a width.
    tails
        Share of the patterns whose peaks are not Gaussian.
    noise
        Standard deviation, the largest intensity being 1.
    counting
        Largest standard deviation of the noise of counting at the strongest peak, that being 1. Every pattern has its
        own, uniform in the logarithm, smoothed as noisy patterns are.
    shift
        Å⁻¹; patterns are shifted by up to as much.
    background
        Largest background that is left, the largest intensity being 1; every other pattern has one.
    cut
        Whether patterns begin and end where measured ones might.
    """

    narrowest: float
    widest: float
    tails: float
    noise: float
    counting: float
    shift: float
    background: float
    cut: bool

    @classmethod
    def plain(cls, width: float) -> Variety:
        """Return patterns of Gaussian peaks of `width` Å⁻¹, as they are."""
        return cls(width, width, tails=0.0, noise=0.0, counting=0.0, shift=0.0, background=0.0, cut=False)

    def patterns(self, sticks: Tensor) -> Tensor:
        """Return (n, 2, `N_SEEN`) patterns of crystals with `sticks` (n, `N_BINS`), see `shown`."""
        n, device = len(sticks), sticks.device
        shifts = self.shift * (2 * torch.rand(n, device=device) - 1)
        shapes = self._shapes(n, device)
        intensity = smoothed(sticks, shapes, shifts)
        if self.background:
            intensity = intensity + self.background * _backgrounds(n, device)
        if self.counting:
            intensity = intensity + self.counting * counting_noise(intensity, NOISY_SHARE * shapes.widths)
        intensity = (intensity + self.noise * torch.randn_like(intensity)).clamp(min=0)
        return shown(intensity, self._covered(n, device))

    def _shapes(self, n: int, device: torch.device) -> PeakShapes:
        if not self.widest:
            return PeakShapes.gaussian_only(torch.zeros(n, device=device))
        low, high = math.log(self.narrowest), math.log(self.widest)
        widths = torch.exp(low + (high - low) * torch.rand(n, device=device))
        # Of peaks with tails, half are of small crystallites, half are Lorentzian, with more or less of a Gaussian.
        kind, share = torch.rand(n, device=device), torch.rand(n, device=device)
        tailed = torch.where(kind < self.tails, widths * share, 0.0)
        gaussian = torch.where(kind < self.tails, widths * (1 - share**2).sqrt(), widths)
        small = kind < self.tails / 2
        return PeakShapes(gaussian, torch.where(small, tailed, 0.0), torch.where(small, 0.0, tailed))

    def _covered(self, n: int, device: torch.device) -> Tensor:
        if not self.cut:
            return torch.ones(n, N_SEEN, device=device)
        q = (torch.arange(N_SEEN, device=device) + 0.5) * BIN
        first = LATEST_BEGIN * torch.rand(n, 1, device=device)
        # Every other pattern ends where the reflections do.
        last = LAST_REFLECTION - EARLIEST_END * (2 * torch.rand(n, 1, device=device) - 1).clamp(min=0)
        return ((q >= first) & (q <= last)).float()


@dataclass(frozen=True)
class PeakShapes:
    """The shape of the peaks of n patterns: a convolution of three.

    Attributes
    ----------
    gaussian : (n,) Å⁻¹
        Standard deviation.
    size : (n,) Å⁻¹
        √6/τ of the sinc²(Qτ/2) of crystallites of the size τ, which falls off from its maximum as a Gaussian of that
        standard deviation does.
    lorentzian : (n,) Å⁻¹
        Half width at half maximum.
    """

    gaussian: Tensor
    size: Tensor
    lorentzian: Tensor

    @classmethod
    def gaussian_only(cls, widths: Tensor) -> PeakShapes:
        """Return Gaussian peaks of `widths` (n,) Å⁻¹."""
        return cls(widths, torch.zeros_like(widths), torch.zeros_like(widths))

    @property
    def widths(self) -> Tensor:
        """(n,) Å⁻¹ of whole peaks, about."""
        return (self.gaussian**2 + self.size**2 + self.lorentzian**2).sqrt()


def smoothed(sticks: Tensor, shapes: PeakShapes, shifts: Tensor) -> Tensor:
    """Return the (n, `N_SEEN`) largest intensities in each bin, of patterns with the (n, `N_BINS`) `sticks`.

    `shifts` (n,) Å⁻¹ are how far they are shifted.
    """
    if any(width.any() for width in (shapes.gaussian, shapes.size, shapes.lorentzian, shifts)):
        # As many zeros again keep what leaves at one end from entering at the other.
        length = 2 * N_BINS
        r = torch.fft.rfftfreq(length, LARGEST_Q / N_BINS, device=sticks.device) * (2 * math.pi)
        decay = 0.5 * (shapes.gaussian[:, None] * r) ** 2 + shapes.lorentzian[:, None] * r
        window = torch.exp(torch.complex(-decay, -shifts[:, None] * r))
        window = window * (1 - shapes.size[:, None] / math.sqrt(6) * r).clamp(min=0)
        sticks = torch.fft.irfft(torch.fft.rfft(sticks, length) * window, length)[:, :N_BINS]
    pooled = max_pool1d(sticks[:, None], N_BINS // N_POINTS)[:, 0, :N_SEEN].clamp(min=0)
    return pooled / pooled.amax(-1, keepdim=True).clamp(min=1e-12)


def shown(intensity: Tensor, covered: Tensor) -> Tensor:
    """Return (n, 2, `N_SEEN`) the `intensity` with the largest of its `covered` bins 1, and which these are."""
    intensity = intensity * covered
    return torch.stack([intensity / intensity.amax(-1, keepdim=True).clamp(min=1e-6), covered], 1)


def counting_noise(intensity: Tensor, smoothing: Tensor) -> Tensor:
    """Return (n, `N_SEEN`) noise for patterns whose largest `intensity` is 1, smoothed by `smoothing` (n,) Å⁻¹.

    Its variance grows with the intensity, from that of an unknown background that was counted with it.
    """
    n, device = len(intensity), intensity.device
    r = torch.fft.rfftfreq(N_SEEN, BIN, device=device) * (2 * math.pi)
    window = torch.exp(-0.5 * (smoothing[:, None] * r) ** 2)
    noise = torch.fft.irfft(torch.fft.rfft(torch.randn_like(intensity)) * window, N_SEEN)
    noise = noise / noise.std(1, keepdim=True) + _MOST_OFFSET * torch.rand(n, 1, device=device)
    counted = torch.rand(n, 1, device=device)
    strength = _FAINTEST ** torch.rand(n, 1, device=device)
    return strength * noise * ((intensity.clamp(min=0) + counted) / (1 + counted)).sqrt()


def _backgrounds(n: int, device: torch.device) -> Tensor:
    """Return (n, `N_SEEN`) curves between 0 and 1 through a few random points; every other is 0."""
    points = torch.rand(n, 1, _N_KNOTS, device=device)
    curves = interpolate(points, N_SEEN, mode="linear", align_corners=True)[:, 0]
    return curves * (2 * torch.rand(n, 1, device=device) - 1).clamp(min=0)
