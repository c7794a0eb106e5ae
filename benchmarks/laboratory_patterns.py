"""Simulated patterns that have what a laboratory diffractometer adds and a refinement describes imperfectly.

pymatgen's positions and intensities, Cu Kα1 and Kα2, and on top of these: reflections that are too strong or too weak,
as too few grains and texture make them; peaks that are the sum, not the convolution, of a Gaussian and a Lorentzian and
grow wider with the angle; a background that falls and has a broad hump; a zero shift; counting noise. How much of each
is drawn anew for every pattern. What the right structure leaves unexplained is then more than noise.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from data_sets import Material
from logistic import Array
from xtal_core.pattern import EMISSION_LINES

if TYPE_CHECKING:
    from pymatgen.core import Structure

WAVELENGTH = "CuKa"

#: Degrees 2θ.
TWO_THETA = np.arange(10, 90, 0.02)

#: Half widths of a peak beyond which it is cut off.
REACH = 60


def laboratory_pattern(structure: Structure, random: np.random.Generator) -> Array:
    """Return the (n_points,) counts at `TWO_THETA`."""
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    fwhm, broadening = random.uniform(0.06, 0.2), random.uniform(0.0, 0.25)  # degrees 2θ; the second grows with tan θ
    gaussian_share, shift = random.uniform(0.2, 0.8), random.uniform(-0.08, 0.08)
    spread = random.uniform(0.05, 0.25)
    wavelengths, weights = EMISSION_LINES[WAVELENGTH]
    calculator = XRDCalculator("CuKa1")
    peaks = calculator.get_pattern(structure, two_theta_range=(5, 95))
    strengths = np.asarray(peaks.y) * np.exp(random.normal(0, spread, len(peaks.y)))
    sines = np.sin(np.radians(np.asarray(peaks.x) / 2)) / calculator.wavelength
    pattern = np.zeros(len(TWO_THETA))
    for wavelength, weight in zip(wavelengths, weights, strict=True):
        for sine, strength in zip(sines, strengths, strict=True):
            theta = math.asin(sine * wavelength)
            half = math.hypot(fwhm, broadening * math.tan(theta)) / 2
            x = (TWO_THETA - math.degrees(2 * theta) - shift) / half
            near = np.abs(x) < REACH
            gaussian = np.exp(-math.log(2) * x[near] ** 2) * math.sqrt(math.log(2) / math.pi)
            lorentzian = 1 / (1 + x[near] ** 2) / math.pi
            shape = gaussian_share * gaussian + (1 - gaussian_share) * lorentzian
            pattern[near] += weight * strength * shape / half
    expected = pattern / pattern.max() + _background(random)
    return random.poisson(random.uniform(3_000, 30_000) * expected).astype(float)


def make_laboratory_patterns(materials: Sequence[Material], folder: Path, seed: int) -> dict[str, Path]:
    """Return {material_id: file} of such patterns; those that are in `folder` from an earlier run are used again.

    That of a material depends on `seed` and its name alone.
    """
    from pymatgen.core import Structure

    folder.mkdir(parents=True, exist_ok=True)
    files = {material.material_id: folder / f"{material.material_id}.xy" for material in materials}
    for material in materials:
        file = files[material.material_id]
        if file.is_file():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pymatgen's remarks on its own CIFs
            structure = Structure.from_str(material.cif, fmt="cif")
        random = np.random.default_rng([seed, crc32(material.material_id.encode())])
        counts = laboratory_pattern(structure, random)
        draft = file.with_suffix(".part")
        np.savetxt(draft, np.column_stack([TWO_THETA, counts]), fmt="%.2f %d")
        draft.replace(file)
    return files


def _background(random: np.random.Generator) -> Array:
    """Return the (n_points,) background, as a fraction of the strongest peak."""
    x = (TWO_THETA - TWO_THETA[0]) / (TWO_THETA[-1] - TWO_THETA[0])
    falling = random.uniform(0.05, 0.3) * np.exp(-random.uniform(1, 5) * x)
    hump = random.uniform(0, 0.05) * np.exp(-(((x - random.uniform(0.1, 0.4)) / 0.1) ** 2))
    return 0.02 + falling + hump
