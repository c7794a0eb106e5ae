"""Patterns as in MP-20-PXRD, the data set that PXRDNet was trained on and is judged by.

Guo, Saidi, Terban, Valsecchi, Billinge and Lipson, "Ab initio structure solutions from nanocrystalline powder
diffraction data via diffusion models" (2025), sections "MP-20-PXRD" and "Practical considerations of nanoscale
shrinkage". What the text leaves open follows the code published with it:

1. pymatgen's peaks of the conventional standard cell, Cu Kα as one wavelength of 1.54184 Å, 2θ up to 90°, on 4096 bins
   from Q = 0 to 4π/λ. Of two peaks in one bin the larger is kept, not the sum.
2. Finite size: convolution with sinc²(Qτ/2).
3. A Gaussian, whose standard deviation is drawn for each material between 0.010 and 0.011 of the axis.
4. Scaled to a maximum of 1, the maximum of each eight bins, noise of 0.001, clipped to [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve

from xtal_core.cells import CellBatch
from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_core.training_set import LARGEST_Q, LARGEST_TWO_THETA, N_BINS, WAVELENGTH
from xtal_powder.peak_list import peaks_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

N_POINTS = 512

#: pymatgen drops peaks below this fraction of the largest.
INTENSITY_FLOOR = 1e-5

#: Standard deviation of the Gaussian, as fractions of the axis.
SMOOTHING = (0.010, 0.011)

NOISE = 0.001


def mp20_pxrd_patterns(
    structures: Sequence[Structure],
    random: np.random.Generator,
    *,
    crystallite_size: float | None,
    kernel: Literal["text", "code"] = "text",
    noise: float = NOISE,
) -> FloatArray:
    """Return the (n_structures, 512) patterns of `structures`, which may be given in any cell.

    Parameters
    ----------
    random
        Where the widths of the Gaussians and the noise come from, one material after the other.
    crystallite_size
        τ in Å; None for an infinite crystal.
    kernel
        "text" for sinc²(Qτ/2). "code" for the published code's sinc²(Qτ), sampled half a bin off, so that its 10 Å are
        the text's 20 Å.
    noise
        Standard deviation of the noise; the maximum of a pattern is 1.
    """
    sticks = stick_patterns([_conventional(structure) for structure in structures])
    if crystallite_size is not None:
        sticks = fftconvolve(sticks, _finite_size_kernel(crystallite_size, kernel)[None], mode="same", axes=1)
    patterns = np.empty((len(sticks), N_POINTS))
    for row, stick in enumerate(sticks):
        smooth = gaussian_filter1d(stick, random.uniform(*SMOOTHING) * N_BINS, mode="constant")
        coarse = (smooth / smooth.max()).reshape(N_POINTS, -1).max(axis=1)
        patterns[row] = np.clip(coarse + random.normal(0.0, noise, N_POINTS), 0.0, 1.0)
    return patterns


def stick_patterns(structures: Sequence[Structure]) -> FloatArray:
    """Return the (n_structures, 4096) peaks of `structures`, as they are given, in their bins."""
    peaks = peaks_of(
        CellBatch.from_structures(structures), WAVELENGTH, LARGEST_TWO_THETA, INTENSITY_FLOOR, torch.device("cpu")
    )
    sticks: FloatArray = np.zeros((len(structures), N_BINS))
    bins = (peaks.position.numpy() * (N_BINS / LARGEST_Q)).astype(int)
    np.maximum.at(sticks, (peaks.owner.numpy(), bins), peaks.intensity.numpy())
    for structure, stick in zip(structures, sticks, strict=True):
        if not stick.any():
            formula = structure.composition.formula
            raise StructureError(f"{formula} has no reflection below {LARGEST_TWO_THETA:g}°", "leave it out")
    return sticks


def _conventional(structure: Structure) -> Structure:
    """Return the conventional standard cell, in which equivalent reflections have exactly the same angle."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    return SpacegroupAnalyzer(structure).get_conventional_standard_structure()


def _finite_size_kernel(crystallite_size: float, kernel: Literal["text", "code"]) -> FloatArray:
    """Return sinc² on the bins: over twice the axis for the text, over one axis for the code."""
    if kernel == "text":
        q = np.arange(1.0 - N_BINS, N_BINS) * (LARGEST_Q / N_BINS)
        return np.sinc(q * crystallite_size / (2 * np.pi)) ** 2
    q: FloatArray = np.linspace(-LARGEST_Q / 2, LARGEST_Q / 2, N_BINS)
    return np.sinc(q * crystallite_size / np.pi) ** 2
