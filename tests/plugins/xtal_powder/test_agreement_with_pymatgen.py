"""Patterns, scale included, are those of pymatgen's peaks with the same broadening."""

import numpy as np
import pytest
from pymatgen.analysis.diffraction.core import AbstractDiffractionPatternCalculator
from pymatgen.analysis.diffraction.xrd import XRDCalculator

from xtal_core.cells import CellBatch
from xtal_core.measurement import Profile
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

SIGMA = 0.04


def broadened(structure, axis):
    """Return the pattern of pymatgen's peaks up to 90°, each a Gaussian of unit area, for one squared atom."""
    peaks = XRDCalculator("CuKa").get_pattern(structure, scaled=False)
    q = 4 * np.pi * np.sin(np.radians(peaks.x / 2)) / axis.radiation.wavelength
    shapes = np.exp(-((axis.q[:, None] - q) ** 2) / (2 * SIGMA**2)) / (SIGMA * np.sqrt(2 * np.pi))
    n_atoms = sum(site.species.num_atoms for site in structure)
    return shapes @ peaks.y / n_atoms**2


def deviations(patterns, structures, axis):
    """Return the largest difference from pymatgen's pattern of each structure, relative to its maximum."""
    expected = np.array([broadened(structure, axis) for structure in structures])
    return np.abs(patterns - expected).max(axis=1) / expected.max(axis=1)


@pytest.fixture
def every_peak(monkeypatch):
    """Make pymatgen keep its weakest peaks, and not move equivalent reflections to the angle of one of them."""
    monkeypatch.setattr(AbstractDiffractionPatternCalculator, "SCALED_INTENSITY_TOL", 0)
    monkeypatch.setattr(AbstractDiffractionPatternCalculator, "TWO_THETA_TOL", 1e-10)


@pytest.mark.usefixtures("every_peak")
def test_patterns_are_those_of_all_peaks(simulator, crystals, batch, axis):
    patterns = simulator.simulate(batch, axis, [Profile(gaussian_sigma=SIGMA)])
    assert deviations(patterns, crystals, axis).max() < 1e-6


@pytest.mark.usefixtures("every_peak")
def test_patterns_of_mp20_are_those_of_all_peaks(simulator, validation_structures, axis):
    cells = CellBatch.from_structures(validation_structures)
    patterns = simulator.simulate(cells, axis, [Profile(gaussian_sigma=SIGMA)])
    assert deviations(patterns, validation_structures, axis).max() < 1e-6


def test_patterns_of_mp20_with_an_intensity_floor_are_those_of_pymatgens_default_peaks(validation_structures, axis):
    simulator = PowderSimulator(PowderOptions(intensity_floor=1e-5))
    cells = CellBatch.from_structures(validation_structures)
    patterns = simulator.simulate(cells, axis, [Profile(gaussian_sigma=SIGMA)])
    assert deviations(patterns, validation_structures, axis).max() < 1e-6


def test_an_intensity_floor_leaves_out_weak_reflections_only(simulator, batch, axis):
    profile = [Profile(gaussian_sigma=SIGMA)]
    every, strong = (
        s.simulate(batch, axis, profile) for s in (simulator, PowderSimulator(PowderOptions(intensity_floor=0.05)))
    )
    difference = (every - strong).max(axis=1) / every.max(axis=1)
    assert (difference[1:2] > 1e-3).all()
    assert (difference < 0.2).all()
    assert ((strong - every).max(axis=1) < 1e-6 * every.max(axis=1)).all()
