"""What measuring Q from q_min to q_max does to G(r)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from xtal_core.pattern import FloatArray
from xtal_pair_distribution.conditions import Conditions

#: Periods of the slower ripple that G(r) is calculated for beyond its range.
RIPPLES = 6


def extension(conditions: Conditions) -> float:
    """Return how far beyond r_max, in Å, G(r) must be known: ripples of peaks out there reach in."""
    limits = [q for q in (conditions.q_min, conditions.q_max) if q]
    return RIPPLES * 2 * math.pi / min(limits) if limits else 0.0


@dataclass(frozen=True, eq=False)
class Termination:
    """The convolution with sin(q_max r)/(π r) − sin(q_min r)/(π r), for the grids of one calculation.

    G(r) is odd, and so convolved on both sides of r = 0. Where it is known no farther it is not cut off, which would
    send ripples back: it fades out over the extension.

    Attributes
    ----------
    fade : (n_in,)
        1 up to the end of the range, then decreasing to 0.
    spectrum : (n_frequencies,)
        Fourier transform of the kernel, between the grid 0, h, 2h, … of the input and that of the output.
    size
        Length of the transforms.
    n_out, stride
        Number of points of the output, and their distance in steps of the input.
    """

    fade: FloatArray
    spectrum: NDArray[np.complex128]
    size: int
    n_out: int
    stride: int

    def apply(self, g: FloatArray) -> FloatArray:
        """Return (n_out,) Å⁻² from `g` (n_in,) Å⁻² at 0, h, 2h and so on."""
        faded = g * self.fade
        odd = np.concatenate([-faded[:0:-1], faded])
        product = np.fft.rfft(odd, self.size) * self.spectrum
        first = len(odd) - 1
        return np.fft.irfft(product, self.size)[first : first + self.n_out * self.stride : self.stride]


@lru_cache(maxsize=8)
def plan_termination(conditions: Conditions, step: float, n_in: int) -> Termination:
    """Return the convolution from `n_in` points at 0, `step`, 2 `step`, … to the grid of `conditions`.

    `step` divides that of the grid.
    """
    stride = round(conditions.r_step / step)
    n_out = len(conditions.r)
    # Output i is at r_min + i step; input j at (j − n_in + 1) step. Their difference runs over all sums of these.
    n_lags = 2 * n_in - 2 + (n_out - 1) * stride + 1
    lags = conditions.r_min + step * np.arange(1.0 - n_in, n_lags - n_in + 1)
    # Without q_max, everything up to what the grid can hold.
    kernel = _low_pass(conditions.q_max or np.pi / step, lags)
    if conditions.q_min:
        kernel -= _low_pass(conditions.q_min, lags)
    size = fast_size(n_lags)
    beyond = np.clip((step * np.arange(n_in) - conditions.r_max) / extension(conditions), 0.0, 1.0)
    spectrum = np.fft.rfft(step * kernel, size)
    return Termination(0.5 + 0.5 * np.cos(np.pi * beyond), spectrum, size, n_out, stride)


def fast_size(n: int) -> int:
    """Return the next size from `n` whose real Fourier transform is fast."""
    return int(next_fast_len(n, real=True))  # type: ignore[arg-type]


def _low_pass(q: float, lags: FloatArray) -> FloatArray:
    """Return sin(q r)/(π r) in Å⁻¹."""
    return q / np.pi * np.sinc(q * lags / np.pi)
