"""Maps of blurred atoms, against sums over atoms in real space, image filters and finite differences."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xtal_core.cells import CellBatch
from xtal_crystalnet.blurred_atoms import NO_PEAKS, PEAK_RADIUS, PeakModel, Peaks
from xtal_crystalnet.density_map import electron_density

#: Lattices: triclinic; rhombohedral with 33°; edges of 0.24 Å a voxel; means over voxels along the long axis.
TRICLINIC = np.array([[4.1, 0.2, 0.1], [-1.9, 4.8, 0.3], [1.3, 1.1, 5.5]])
RHOMBOHEDRAL = np.array([[2.0, 0.0, 6.8], [-1.0, np.sqrt(3), 6.8], [-1.0, -np.sqrt(3), 6.8]])
LARGE = np.diag([12.0, 5.0, 11.0])
LONG = np.array([[3.3, 0.0, 0.0], [-1.65, 2.858, 0.0], [0.0, 0.0, 37.8]])
LATTICES = {"triclinic": TRICLINIC, "rhombohedral": RHOMBOHEDRAL, "large": LARGE, "long": LONG}

PLACES = np.array([[0.02, 0.97, 0.51], [0.4, 0.31, 0.16], [0.71, 0.66, 0.83]])
NUMBERS = np.array([82, 8, 22])


def peaks_of(amplitudes=(1, 1, 1), blurs=(0, 0, 0)):
    return Peaks(PLACES, NUMBERS, np.array(amplitudes, float), np.square(blurs))


@pytest.mark.parametrize("name", LATTICES)
def test_maps_of_sharp_atoms_are_the_density(name):
    lattice = LATTICES[name]
    density = electron_density(CellBatch.from_cells([(lattice, PLACES, NUMBERS)])).values
    difference = np.abs(PeakModel(density.shape, lattice).map_of(peaks_of()) - density)
    assert difference.max() < 0.01 * density.max()
    assert difference.mean() < 0.005 * density.mean()


def test_amplitudes_multiply_atoms():
    model = PeakModel((40, 44, 50), TRICLINIC)
    parts = [model.map_of(Peaks(PLACES[[i]], NUMBERS[[i]], np.ones(1), np.zeros(1))) for i in range(3)]
    together = model.map_of(peaks_of((0.5, 2.0, 0.0)))
    np.testing.assert_allclose(together, 0.5 * parts[0] + 2 * parts[1], atol=1e-5 * together.max())


def test_no_atoms_have_an_empty_map():
    assert not PeakModel((20, 20, 20), TRICLINIC).map_of(NO_PEAKS).any()


def test_a_blur_is_a_gaussian_filter_of_the_map():
    model = PeakModel((50, 50, 50), TRICLINIC)
    filtered = gaussian_filter(model.map_of(peaks_of()), 2.0, mode="wrap", truncate=6)
    np.testing.assert_allclose(model.map_of(peaks_of(blurs=[0.04] * 3)), filtered, atol=2e-4 * filtered.max())


def test_each_atom_has_its_own_blur():
    model = PeakModel((50, 50, 50), TRICLINIC)
    only = [np.eye(3)[i] for i in range(3)]
    blurs = (0.0, 0.02, 0.05)
    expected = np.sum([model.map_of(peaks_of(only[i], [blurs[i]] * 3)) for i in range(3)], axis=0)
    np.testing.assert_allclose(model.map_of(peaks_of(blurs=blurs)), expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize("name", LATTICES)
def test_around_an_atom_there_is_its_map(name):
    model = PeakModel((50, 50, 50), LATTICES[name])
    for blur in (0.0, 0.03):
        whole = model.map_of(Peaks(PLACES[:1], NUMBERS[:1], np.ones(1), np.array([blur**2]))).reshape(-1)
        points, density, *_ = model.around(PLACES[0], 82, blur**2)
        # Means over voxels longer than the atom is wide are taken for a broadening, which is roughly what they are.
        tolerance = 0.2 if (model.averaged > 1).any() and not blur else 0.01
        np.testing.assert_allclose(density, whole[points], atol=tolerance * whole.max())


def test_points_around_an_atom_are_those_within_the_radius():
    model = PeakModel((20, 22, 24), LARGE)
    points = model.around(PLACES[0], 82, 0.0)[0]
    grid = np.stack(np.unravel_index(points, (20, 22, 24)), axis=-1) / (20, 22, 24)
    difference = grid - PLACES[0]
    distances = np.linalg.norm((difference - np.round(difference)) @ LARGE, axis=1)
    half_voxel = 0.5 * np.linalg.norm(LARGE / [[20], [22], [24]])
    assert len(set(points.tolist())) == len(points)
    assert distances.max() < PEAK_RADIUS + half_voxel
    everywhere = np.stack(np.meshgrid(*(np.arange(n) / n for n in (20, 22, 24)), indexing="ij"), axis=-1) - PLACES[0]
    near = np.linalg.norm((everywhere - np.round(everywhere)) @ LARGE, axis=-1) < PEAK_RADIUS - half_voxel
    assert set(np.flatnonzero(near).tolist()) <= set(points.tolist())


def test_derivatives_are_finite_differences():
    model = PeakModel((50, 50, 50), TRICLINIC)
    variance, step = 0.03**2, 1e-4
    points, _, by_position, by_variance = model.around(PLACES[1], 8, variance)

    def values(position, variance):
        peak = Peaks(position[None], np.array([8]), np.ones(1), np.array([variance]))
        return model.map_of(peak).reshape(-1)[points]

    for axis in range(3):
        shift = 10 * step * np.eye(3)[axis] @ np.linalg.inv(TRICLINIC)
        slope = (values(PLACES[1] + shift, variance) - values(PLACES[1] - shift, variance)) / (20 * step)
        np.testing.assert_allclose(by_position[:, axis], slope, atol=2e-3 * np.abs(by_position).max())
    slope = (values(PLACES[1], 1.05 * variance) - values(PLACES[1], 0.95 * variance)) / (0.1 * variance)
    np.testing.assert_allclose(by_variance, slope, atol=1e-2 * np.abs(by_variance).max())


def test_correlation_is_the_least_squares_amplitude():
    shape = (24, 26, 28)
    model = PeakModel(shape, TRICLINIC)
    values = np.random.default_rng(1).normal(size=shape)
    found = model.correlation(values, 8, 0.0004)
    for index in [(0, 0, 0), (5, 25, 13), (23, 1, 27)]:
        place = np.array([index]) / shape
        atom = model.map_of(Peaks(place, np.array([8]), np.ones(1), np.array([0.0004])))
        expected = np.linalg.lstsq(atom.reshape(-1, 1), values.reshape(-1), rcond=None)[0]
        assert found[index] == pytest.approx(float(expected[0]), abs=1e-4 * np.abs(found).max())
