"""What has no pattern is refused, with what to do about it."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import DummySpecies, Lattice, Structure

from xtal_core.cells import CellBatch
from xtal_core.errors import InputError, OptionError, StructureError
from xtal_core.measurement import Measurement, Profile
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

PROFILE = Profile(100.0, 0.03)


def test_an_element_without_form_factor(simulator, axis):
    cells = CellBatch.from_cells([(np.eye(3) * 4, np.zeros((1, 3)), [109])])
    with pytest.raises(StructureError, match="no X-ray form factor is tabulated for Mt"):
        simulator.simulate(cells, axis, [PROFILE])


def test_a_species_that_is_no_element():
    structure = Structure(Lattice.cubic(4.0), [DummySpecies("X")], [[0, 0, 0]])
    with pytest.raises(StructureError, match="not an element; replace it by an element"):
        CellBatch.from_structures([structure])


@pytest.mark.parametrize("profile", [Profile(), Profile(b_iso=1.0, zero_shift=0.1)])
def test_a_profile_without_broadening(simulator, batch, axis, profile):
    with pytest.raises(InputError, match="without any broadening cannot be drawn; give a crystallite size"):
        simulator.simulate(batch, axis, [profile])
    with pytest.raises(InputError, match="without any broadening"):
        simulator.scan_volume(batch, axis, profile, np.ones(2))


def test_strain_alone_where_the_axis_begins_at_zero(simulator, batch, axis):
    with pytest.raises(InputError, match="without any broadening cannot be drawn"):
        simulator.simulate(batch, replace(axis, q=np.linspace(0.0, 6.0, 1500)), [Profile(strain_sigma=1e-3)])


@pytest.mark.parametrize("name", ["gaussian_sigma", "strain_hwhm", "instrument_sigma"])
def test_a_negative_width(simulator, batch, axis, name):
    with pytest.raises(InputError, match=f"{name} is -0.01; give a width that is not negative"):
        simulator.simulate(batch, axis, [replace(PROFILE, **{name: -0.01})])


def test_a_texture_that_means_nothing(simulator, batch, axis):
    with pytest.raises(InputError, match="march_coefficient is 0; give one above 0"):
        simulator.simulate(batch, axis, [replace(PROFILE, march_coefficient=0.0, march_axis=(0, 0, 1))])
    with pytest.raises(InputError, match=r"march_axis is \(0, 0, 0\); give the Miller indices of a plane"):
        simulator.simulate(batch, axis, [replace(PROFILE, march_axis=(0, 0, 0))])


def test_a_derivative_by_something_else(simulator, batch, axis):
    directions = [np.zeros((6 + 3 * n, 0)) for n in batch.counts]
    with pytest.raises(InputError, match="'strain' is no parameter of a profile; did you mean 'strain_"):
        simulator.linearise(batch, axis, [PROFILE], directions, ["strain"])


def test_peaks_too_narrow_for_any_grid(simulator, batch, axis):
    with pytest.raises(InputError, match="peaks 1e-09 Å⁻¹ wide are too narrow"):
        simulator.simulate(batch, axis, [Profile(gaussian_sigma=1e-9)])


def test_an_axis_beyond_backscattering(simulator, batch, axis):
    beyond = Measurement(np.linspace(1.0, 8.3, 500), axis.radiation)
    with pytest.raises(InputError, match=r"Q up to 8\.300 Å⁻¹ cannot be reached with 1\.54184 Å"):
        simulator.simulate(batch, beyond, [PROFILE])


def test_a_number_of_profiles_that_is_neither_one_nor_that_of_the_cells(simulator, batch, axis):
    with pytest.raises(InputError, match="2 profiles for 5 cells; give one, or one a cell"):
        simulator.simulate(batch, axis, [PROFILE] * 2)


def test_a_cell_without_volume(simulator, batch, axis):
    flat = replace(batch, lattices=np.array([np.diag([4.0, 4.0, 0.0]), *batch.lattices[1:]]))
    with pytest.raises(StructureError, match="a unit cell has a volume of"):
        simulator.simulate(flat, axis, [PROFILE])


@pytest.mark.parametrize("name", ["abacus", "mps", "cuda:4711"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(OptionError, match=f"powder.device is '{name}'"):
        PowderSimulator(PowderOptions(device=name))
