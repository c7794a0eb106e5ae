"""Morphs of a G(r): it is scaled, stretched, smeared and damped, as diffpy.morph does it.

`docs/morphing.md` has the formulas and says what each of them forgives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len, rfftfreq

from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray
from xtal_pair_distribution.pair_distribution import PairDistribution

#: Zeros behind the data, in units of the largest smear, lest the end of the data be smeared into its beginning.
PADDING = 6.0

#: Steps by which a point may lie beyond the data, for rounding.
SLACK = 1e-6


@dataclass(frozen=True)
class Morph:
    """What is done to a G(r), in this order.

    Attributes
    ----------
    scale
        Factor of G.
    stretch
        What is at r moves to r (1 + stretch).
    smear : Å
        Standard deviation of the Gaussian that R = r G + 4π ρ r² is convolved with: peaks broaden, the baseline stays.
    damping : Å⁻¹
        q in the factor exp(−(r q)²/2).
    density : Å⁻³
        The number density ρ of what is morphed, or 0 where nobody knows it. diffpy.morph's `baselineslope` is
        −4π ρ scale/(1 + stretch).
    """

    scale: float = 1.0
    stretch: float = 0.0
    smear: float = 0.0
    damping: float = 0.0
    density: float = 0.0


@dataclass(frozen=True)
class MorphLimits:
    """How far a fitted morph may go; 0 switches one off. Units are those of `Morph`.

    Attributes
    ----------
    stretch
        In either direction, below 1.
    smear, damping : Å, Å⁻¹
        From 0 to here.
    """

    stretch: float = 0.05
    smear: float = 0.3
    damping: float = 0.0

    @property
    def variance(self) -> float:
        """The square in Å² of the largest smear, before stretching."""
        return (self.smear / (1 + self.stretch)) ** 2


def morphed(distribution: PairDistribution, morph: Morph, r: FloatArray) -> FloatArray:
    """Return (n_points,) Å⁻²: `distribution` after `morph`, at the distances `r` (n_points,) Å.

    Raises InputError where this asks for values beyond its range.
    """
    limits = MorphLimits(abs(morph.stretch), morph.smear)
    source = MorphSource(distribution, morph.density, limits)
    g = source.at(r, morph.stretch, (morph.smear / (1 + morph.stretch)) ** 2)[0]
    return morph.scale * g * np.exp(-0.5 * (r * morph.damping) ** 2)


class MorphSource:
    """A G(r) prepared for being stretched and smeared many times.

    Stretching by e and then smearing by σ equals smearing by σ/(1 + e) and then stretching. In the second order, which
    is used here, the Fourier transform of the data is the same for all morphs, and a smear is a product with it.

    Parameters
    ----------
    distribution
        What is to be morphed.
    density : Å⁻³
        Its number density.
    limits
        How far it will be stretched and smeared at most.
    """

    def __init__(self, distribution: PairDistribution, density: float, limits: MorphLimits) -> None:
        r, step = distribution.r, distribution.step
        self.distribution, self.density = distribution, density
        self._first, self._step, self._n = float(r[0]), step, len(r)
        # G is 0 where r is 0.
        self._inverse_r = np.divide(1.0, r, out=np.zeros(len(r)), where=r > 0)
        widest = limits.smear / (1 - limits.stretch)
        self._length = next_fast_len(len(r) + int(np.ceil(PADDING * widest / step)), real=True)
        self._spectrum = np.fft.rfft(r * distribution.g, self._length)
        self._half_k2 = 0.5 * (2 * np.pi * rfftfreq(self._length, step)) ** 2

    def smeared(self, variance: float) -> FloatArray:
        """Return (2, n_r): G smeared by √variance Å on its own grid, and the derivative by `variance`."""
        spectrum = self._spectrum * np.exp(-variance * self._half_k2)
        both = np.empty((2, len(spectrum)), dtype=complex)
        both[0] = spectrum
        np.multiply(spectrum, -self._half_k2, out=both[1])
        curves = np.fft.irfft(both, self._length)[:, : self._n]
        # Smearing raises r² by the variance, which the baseline would take for atoms.
        slope = 4 * np.pi * self.density
        curves[0] += slope * variance
        curves[1] += slope
        return curves * self._inverse_r

    def at(self, r: FloatArray, stretch: float, variance: float) -> FloatArray:
        """Return (3, n_points): stretched and smeared G at `r` Å, and its derivatives by `stretch` and `variance`.

        `r` increases; `variance` is the square in Å² of the smear before stretching. Between points G is interpolated
        linearly. Raises InputError where `r` asks for values beyond the data.
        """
        fraction = r * (1 / ((1 + stretch) * self._step)) - self._first / self._step
        if fraction[0] < -SLACK or fraction[-1] > self._n - 1 + SLACK:
            first, last = self.distribution.r[[0, -1]]
            raise InputError(
                f"G(r) of {self.distribution.source or 'what is morphed'} is known from {first:.4g} to {last:.4g} Å, "
                f"stretched by {stretch:+.3g} it is asked for from {r[0]:.4g} to {r[-1]:.4g} Å",
                "compare over a smaller range of r",
            )
        left = fraction.astype(np.intp)
        np.minimum(left, self._n - 2, out=left)
        fraction -= left
        curves = self.smeared(variance)
        values = np.empty((3, len(r)))
        below = curves.take(left, axis=1)
        left += 1
        rise = curves.take(left, axis=1)
        rise -= below
        np.multiply(rise[0], r, out=values[1])
        values[1] *= -1 / (self._step * (1 + stretch) ** 2)
        rise *= fraction
        np.add(below, rise, out=values[::2])
        return values
