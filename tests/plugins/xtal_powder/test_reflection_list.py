from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

from xtal_core.cells import CellBatch
from xtal_core.interfaces import ListsReflections
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Radiation
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

AXIS = Measurement(np.linspace(1.5, 6.0, 3000), Radiation.from_line("CuKa"))
PROFILES = {
    "constant widths": Profile(crystallite_size=300.0, gaussian_sigma=0.008),
    "widths that change": Profile(strain_hwhm=0.002, instrument_sigma=0.05, zero_shift=0.1, sample_displacement=-0.05),
    "texture": Profile(gaussian_sigma=0.01, b_iso=0.8, march_coefficient=0.6, march_axis=(0, 0, 1)),
}


@pytest.fixture(scope="module")
def simulator():
    return PowderSimulator(PowderOptions())


@pytest.fixture(scope="module")
def rutile():
    sites = [[0, 0, 0], [0.3053, 0.3053, 0]]
    return Structure.from_spacegroup(136, Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], sites)


@pytest.fixture(scope="module")
def cell(rutile):
    return CellBatch.from_structures([rutile])


def test_the_simulator_offers_its_reflections(simulator):
    assert isinstance(simulator, ListsReflections)


@pytest.mark.parametrize("name", PROFILES)
def test_all_reflections_together_are_the_pattern(simulator, cell, name):
    profile = PROFILES[name]
    weights = np.random.default_rng(1).normal(size=(3, len(AXIS.q)))
    weighed = simulator.weigh_reflections(cell, AXIS, profile, weights)
    assert weighed.shape == (3, len(simulator.list_reflections(cell, AXIS, profile).q))
    pattern = simulator.simulate(cell, AXIS, [profile])[0]
    np.testing.assert_allclose(weighed.sum(1), weights @ pattern, rtol=1e-9)


@pytest.mark.parametrize("name", PROFILES)
def test_a_reflection_has_the_area_that_is_stated_and_stands_where_it_is_stated(simulator, cell, name):
    profile, axis = PROFILES[name], replace(AXIS, radiation=Radiation.from_line("CuKa1"))
    listed = simulator.list_reflections(cell, axis, profile)
    inner = (listed.position > 2.5) & (listed.position < 5) & (listed.intensity > 0.01)
    weights = np.stack([np.ones(len(axis.q)), axis.q]) * axis.step
    area, moment = simulator.weigh_reflections(cell, axis, profile, weights)[:, inner]
    # Lorentzian tails reach beyond the axis.
    np.testing.assert_allclose(area, listed.intensity[inner], rtol=0.01)
    np.testing.assert_allclose(moment / area, listed.position[inner], atol=0.01)


def test_a_reflection_contributes_where_it_stands(simulator, cell):
    profile, axis = PROFILES["constant widths"], replace(AXIS, radiation=Radiation.from_line("CuKa1"))
    listed = simulator.list_reflections(cell, axis, profile)
    strongest = int(np.argmax(listed.intensity))
    distance = np.abs(axis.q - listed.position[strongest])
    near, far = simulator.weigh_reflections(cell, axis, profile, np.stack([distance < 0.1, distance > 0.3]) * axis.step)
    assert near[strongest] == pytest.approx(listed.intensity[strongest], rel=0.1)
    assert far[strongest] < 0.03 * listed.intensity[strongest]


def test_structure_factors_are_those_of_the_cell_as_pymatgen_sums_them_up(simulator, rutile, cell):
    """Rutile's |F|², LP and multiplicity give pymatgen's intensities."""
    axis = replace(AXIS, radiation=Radiation.from_line("CuKa1"))
    listed = simulator.list_reflections(cell, axis, PROFILES["constant widths"])
    expected = XRDCalculator(1.540593).get_pattern(rutile, scaled=False, two_theta_range=(25, 80))
    theta = np.arcsin(listed.q * 1.540593 / (4 * np.pi))
    polarisation = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    calculated = 2 * listed.squared_structure_factor * polarisation
    for two_theta, intensity in zip(expected.x, expected.y, strict=True):
        here = np.abs(np.degrees(2 * theta) - two_theta) < 0.005
        assert calculated[here].sum() == pytest.approx(intensity, rel=1e-6)


def test_reflections_come_by_increasing_q_one_of_each_pair(simulator, cell):
    listed = simulator.list_reflections(cell, AXIS, PROFILES["texture"])
    assert (np.diff(listed.q) >= 0).all()
    pairs = {tuple(hkl) for hkl in listed.hkl}
    assert len(pairs) == len(listed.hkl)
    assert not any(tuple(-np.array(hkl)) in pairs for hkl in pairs)
    lattice = np.linalg.inv(cell.lattices[0])
    np.testing.assert_allclose(2 * np.pi * np.linalg.norm(listed.hkl @ lattice.T, axis=1), listed.q, rtol=1e-12)
