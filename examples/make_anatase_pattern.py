"""Makes anatase.xy, the pattern that `make demo` solves: nanocrystalline anatase, TiO2, as a diffractometer sees it.

    python examples/make_anatase_pattern.py

The simulator calculates reflections of 60 Å crystallites for the Cu Kα doublet; a sloping background, a zero shift and
counting noise are added. Its header says which radiation it is, so that the solver need not be told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

from xtal_core.agreement import measurement_for, resample
from xtal_core.cells import CellBatch
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.registry import installed_registry

OUT = Path(__file__).with_name("anatase.xy")

PEAK = 4000  # counts of the strongest reflection above the background
BACKGROUND = 600, 250  # counts at the first and at the last point
ZERO_SHIFT = 0.03  # degrees 2θ
SIZE = 60.0  # Å
B_ISO = 0.5  # Å²
INSTRUMENT = 0.006  # Å⁻¹, Gaussian standard deviation
SEED = 1


def anatase() -> Structure:
    """Return anatase, I4₁/amd with the origin at -4m2: Ti at 4a, O at 8e (0, 0, z) with z = 0.208."""
    z = 0.208
    half = np.array([[0, 0, 0], [0, 0.5, 0.25], [0, 0, z], [0, 0, -z], [0, 0.5, 0.25 + z], [0, 0.5, 0.25 - z]])
    sites = np.concatenate([half, half + 0.5]) % 1
    return Structure(Lattice.tetragonal(3.784, 9.515), ["Ti", "Ti", "O", "O", "O", "O"] * 2, sites)


def pattern_file() -> str:
    """Return the contents of the file."""
    radiation = Radiation.from_line("CuKa")
    two_theta = np.arange(15.0, 90.01, 0.03)
    q = radiation.q_from_two_theta(two_theta)
    # The simulator works on a uniform axis of Q; a fine one, so that nothing is lost on the way back to 2θ.
    axis = measurement_for(Pattern(q, np.ones(len(q)), radiation), points=4 * len(q))
    profile = Profile(crystallite_size=SIZE, gaussian_sigma=INSTRUMENT, b_iso=B_ISO, zero_shift=ZERO_SHIFT)
    simulator = installed_registry().create("simulator", "powder")
    peaks = resample(simulator.simulate(CellBatch.from_structures([anatase()]), axis, [profile])[0], axis, q)
    expected = PEAK * np.maximum(peaks, 0) / peaks.max() + np.linspace(*BACKGROUND, len(q))
    counts = np.random.default_rng(SEED).poisson(expected)
    header = (
        "# anatase, TiO2: calculated by make_anatase_pattern.py, not measured\n# wavelength: CuKa\n# 2theta counts\n"
    )
    return header + "".join(f"{x:.2f} {y}\n" for x, y in zip(two_theta, counts, strict=True))


if __name__ == "__main__":
    OUT.write_text(pattern_file(), encoding="utf-8")
