"""The powder pattern of a density map, and how well it describes a measured one: which of several draws is likeliest.

The structure factor F(hkl) is the Fourier transform of the density over the cell, so that no atoms are needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xtal_core.lattice_correction import residuals
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.pattern_features import peak_width
from xtal_core.target import Target, make_target
from xtal_crystalnet.atomic_densities import B_ISO

#: Å⁻¹; patterns are smoothed to this width, as predicted lattices are a few per cent off.
SMOOTHING = 0.1

#: Factors tried on the edges of a cell.
EDGE_FACTORS = np.geomspace(0.9, 1.1, 21)

#: Å²; isotropic displacement parameters that samples may have, none for calculated patterns.
DISPLACEMENTS = (0.0, 1.0)


@dataclass(frozen=True, eq=False)
class PatternFit:
    """How well a density describes a pattern.

    Attributes
    ----------
    residual
        R² of the smoothed patterns, scale and background fitted.
    edge_factor
        By what the edges of the cell are multiplied for it.
    """

    residual: float
    edge_factor: float


def fit_pattern(values: FloatArray, lattice: FloatArray, pattern: Pattern, *, scan: bool) -> PatternFit:
    """Return how well the density `values` (n1, n2, n3) in a cell `lattice` (3, 3) Å describes `pattern`.

    With `scan` the volume of the cell is fitted, too, its shape kept.
    """
    width = peak_width(pattern)
    target = make_target(pattern, SMOOTHING if width < SMOOTHING else 0.0, width)
    factors = EDGE_FACTORS if scan else np.ones(1)
    q, strength = reflections(values, lattice, 1.1 * pattern.q[-1] if scan else pattern.q[-1])
    best = PatternFit(math.inf, 1.0)
    for b_iso in DISPLACEMENTS:
        # The map has displacements of its own.
        squared = (q / (4 * math.pi)) ** 2
        intensities = strength * np.exp(2 * (B_ISO - b_iso) * squared)
        calculated = np.array([_broadened(q / factor, intensities, target, width) for factor in factors])
        found = residuals(target, calculated)
        place = int(found.argmin())
        if found[place] < best.residual:
            best = PatternFit(float(found[place]), float(factors[place]))
    return best


def reflections(values: FloatArray, lattice: FloatArray, largest_q: float) -> tuple[FloatArray, FloatArray]:
    """Return (k,) Q in Å⁻¹ and (k,) |F|² of all reflections hkl up to `largest_q`, each of a pair ±hkl."""
    factors = np.fft.fftn(values) / values.size * abs(float(np.linalg.det(lattice)))
    indices = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in values.shape), indexing="ij")
    hkl = np.stack(indices, -1).reshape(-1, 3)
    q = 2 * math.pi * np.linalg.norm(hkl @ np.linalg.inv(lattice).T, axis=1)
    seen = (q > 0) & (q <= largest_q)
    return q[seen], np.abs(factors.reshape(-1)[seen]) ** 2


def _broadened(q: FloatArray, strength: FloatArray, target: Target, width: float) -> FloatArray:
    """Return the (n_points,) pattern of reflections as `target` sees it."""
    axis = target.measurement.q
    sigma = math.hypot(width, target.smoothing)
    wavelength = target.measurement.radiation.wavelength
    sine = np.minimum(q * wavelength / (4 * math.pi), 0.999)
    cosine = np.sqrt(1 - sine**2)
    lorentz_polarisation = (1 + (1 - 2 * sine**2) ** 2) / (sine**2 * cosine)
    # Reflections are gathered on a fine axis first: there are many more of them than points.
    step = sigma / 8
    edges = np.arange(axis[0] - 5 * sigma, axis[-1] + 5 * sigma + step, step)
    sticks, _ = np.histogram(q, edges, weights=strength * lorentz_polarisation)
    reach = np.arange(-40, 41) * step
    smooth = np.convolve(sticks, np.exp(-0.5 * (reach / sigma) ** 2), mode="same")
    return np.interp(axis, edges[:-1] + step / 2, smooth)
