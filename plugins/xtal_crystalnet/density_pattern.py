"""The powder pattern of a density map in any cell, and how well it describes a measured one.

The structure factor F(hkl) is the Fourier transform of the density over the cell, so that no atoms are needed. In
fractional coordinates a map has the same structure factors whatever its cell, but for a factor common to all: where a
network is right about the density but not about the lattice, thousands of cells are compared with a pattern at once.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d

from xtal_core.lattice_correction import residuals
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.pattern_features import peak_width
from xtal_core.target import Target, make_target
from xtal_crystalnet.atomic_densities import B_ISO

#: Å²; isotropic displacement parameters that samples may have, none for calculated patterns.
DISPLACEMENTS = (0.0, 1.0)

#: Reflections weaker than this fraction of the strongest do not matter, nor more than so many.
WEAKEST, MOST_REFLECTIONS = 1e-3, 600

#: Reflections are followed out of a pattern and into it while cells change by this factor.
MARGIN = 1.25

#: Numbers held at once.
_AT_ONCE = 4_000_000


class SmoothedPattern:
    """A pattern, as it is and smoothed, and the width of its peaks: what is the same for all densities.

    Attributes
    ----------
    pattern
        What was measured.
    width
        Standard deviation of its peaks in Å⁻¹.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.width = peak_width(pattern)
        self._targets: dict[float, Target] = {}

    def target(self, smoothing: float) -> Target:
        """Return the pattern smoothed by `smoothing` Å⁻¹."""
        if smoothing not in self._targets:
            self._targets[smoothing] = make_target(self.pattern, smoothing, self.width)
        return self._targets[smoothing]


class DensityPattern:
    """A pattern, and a density of which it may be in some cell.

    Parameters
    ----------
    values : (n1, n2, n3) e⁻/Å³
        The density, at the fractional coordinates (i/n1, j/n2, k/n3).
    smoothed
        What was measured.
    """

    def __init__(self, values: FloatArray, smoothed: SmoothedPattern) -> None:
        self.smoothed = smoothed
        transform = np.abs(np.fft.fftn(values) / values.size) ** 2
        indices = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in values.shape), indexing="ij")
        hkl = np.stack(indices, -1).reshape(-1, 3)
        # One of each pair ±hkl; what lies on the edge of the grid cannot be told from its negative.
        order = hkl @ np.array([1e6, 1e3, 1.0])
        seen = (order > 0) & (np.abs(hkl) < np.array(values.shape) / 2).all(1)
        self.hkl, self.squared = hkl[seen], transform.reshape(-1)[seen]

    def residuals(self, lattices: FloatArray, smoothing: float = 0.0) -> FloatArray:
        """Return (n,) R² of the patterns of the density in cells `lattices` (n, 3, 3) Å, smoothed by `smoothing` Å⁻¹.

        Scale and background of each are fitted. The strongest reflections of the first cell are those of all.
        """
        target = self.smoothed.target(smoothing)
        squares, strength = self._strongest(lattices[0])
        size = max(1, _AT_ONCE // max(len(strength), len(target.intensity)))
        parts = [lattices[start : start + size] for start in range(0, len(lattices), size)]
        return np.concatenate([self._residuals(part, target, squares, strength) for part in parts])

    def _strongest(self, lattice: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return h², k², l², 2kl, 2hl, 2hk (k, 6) and |F|² (k,) of the reflections that matter in a cell."""
        q = 2 * math.pi * np.linalg.norm(self.hkl @ np.linalg.inv(lattice).T, axis=1)
        axis = self.smoothed.pattern.q
        strength = self.squared * np.interp(q, axis, self._factor(axis, DISPLACEMENTS[0]))
        strength[q > MARGIN * axis[-1]] = 0.0
        order = np.argsort(-strength)[:MOST_REFLECTIONS]
        order = order[strength[order] > WEAKEST * strength.max()]
        h, k, l = self.hkl[order].T  # noqa: E741 - as everyone calls them
        return np.column_stack([h * h, k * k, l * l, 2 * k * l, 2 * h * l, 2 * h * k]), self.squared[order]

    def _factor(self, q: FloatArray, b_iso: float) -> FloatArray:
        """Return by what |F|² is multiplied at `q`: Lorentz and polarisation factors, displacements."""
        sine = np.clip(q * self.smoothed.pattern.radiation.wavelength / (4 * math.pi), 1e-3, 0.999)
        lorentz_polarisation = (1 + (1 - 2 * sine**2) ** 2) / (sine**2 * np.sqrt(1 - sine**2))
        # The map has displacements of its own.
        return lorentz_polarisation * np.exp(2 * (B_ISO - b_iso) * (q / (4 * math.pi)) ** 2)

    def _residuals(self, lattices: FloatArray, target: Target, squares: FloatArray, strength: FloatArray) -> FloatArray:
        axis = target.measurement.q
        step = axis[1] - axis[0]
        sigma = math.hypot(self.smoothed.width, target.smoothing) / step
        # Reflections beside the pattern reach into it.
        beside = math.ceil(4 * sigma) + 1
        n_bins = len(axis) + 2 * beside
        reciprocal = np.linalg.inv(lattices @ lattices.transpose(0, 2, 1))
        six = reciprocal[:, (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]
        q = 2 * math.pi * np.sqrt(np.maximum(six @ squares.T, 0.0))
        # Each is shared between the two nearest bins; the first and the last gather what is farther away.
        place = np.clip((q - axis[0]) / step + beside, 0, n_bins - 1.001)
        bins = place.astype(int)
        upper = strength * (place - bins)
        bins += n_bins * np.arange(len(lattices))[:, None]
        total = n_bins * len(lattices)
        sticks = np.bincount(bins.ravel(), (strength - upper).ravel(), total)
        sticks += np.bincount(bins.ravel() + 1, upper.ravel(), total)
        sticks = sticks.reshape(len(lattices), n_bins)
        sticks[:, 0] = sticks[:, -2:] = 0.0
        centres = np.maximum(axis[0] + step * (np.arange(n_bins) - beside), 0.0)
        found = []
        for b_iso in DISPLACEMENTS:
            broadened = gaussian_filter1d(sticks * self._factor(centres, b_iso), sigma, axis=1, mode="constant")
            found.append(residuals(target, broadened[:, beside:-beside]))
        return np.min(found, axis=0)
