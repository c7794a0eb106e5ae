"""Densities of crystals, against sums over structure factors and over atoms one by one."""

import time

import numpy as np
import pytest
import xraydb
from pymatgen.core import Element, Lattice, Structure

from xtal_core.cells import CellBatch
from xtal_core.errors import InputError
from xtal_crystalnet.atomic_densities import B_ISO, radial_density
from xtal_crystalnet.density_map import LONGEST_EDGE, DensityMap, density_at, electron_density

CRYSTALS = {
    "rock salt": Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "silicon": Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.431), ["Si"], [[0, 0, 0]]),
    "quartz": Structure.from_spacegroup(
        "P3_221",
        Lattice.hexagonal(4.9134, 5.4052),
        ["Si", "O"],
        [[0.4699, 0, 2 / 3], [0.4141, 0.2681, 0.7854]],
    ),
}

#: A triclinic cell with sites that are shared and partly empty.
DISORDERED = Structure(
    Lattice.from_parameters(3.9, 5.1, 6.3, 71, 98, 115),
    [{"Cs": 0.3, "Na": 0.5}, "Ti", {"O": 0.75}],
    [[0.05, 0.1, 0.9], [0.5, 0.45, 0.3], [0.2, 0.8, 0.6]],
)


def cell_of(structure):
    cells = CellBatch.from_structures([structure])
    return cells.lattices[0], cells.fractional, cells.numbers, cells.occupancies


def map_of(structure, shape=(50, 50, 50)):
    return electron_density(CellBatch.from_structures([structure]), 0, shape)


def n_electrons(structure):
    return sum(species.Z * amount for species, amount in structure.composition.items())


def structure_factor_sum(structure, n):
    """Return the (n, n, n) density from F(hkl) with |h|, |k|, |l| < n/2, in e⁻/Å³; B leaves nothing beyond."""
    h = np.fft.fftfreq(n, 1 / n).astype(int)
    hkl = np.stack(np.meshgrid(h, h, h, indexing="ij"), axis=-1)
    s = np.linalg.norm(hkl @ structure.lattice.reciprocal_lattice_crystallographic.matrix, axis=-1) / 2
    factors = np.zeros(s.shape, complex)
    for symbol in {site.specie.symbol for site in structure}:
        # Beyond 3 Å⁻¹ exp(−B s²) is below 2e-8.
        f0 = np.interp(s, grid := np.linspace(0, 3, 3001), xraydb.f0(symbol, grid), right=0)
        phases = np.zeros(s.shape, complex)
        for site in structure:
            if site.specie.symbol == symbol:
                x, y, z = (np.exp(2j * np.pi * h * coordinate) for coordinate in site.frac_coords)
                phases += x[:, None, None] * y[:, None] * z
        factors += f0 * np.exp(-B_ISO * s**2) * phases
    # ρ(r) = 1/V Σ F(hkl) exp(−2πi hkl·r)
    return np.fft.fftn(factors).real / structure.volume


def sum_over_atoms(structure, points):
    """Return the (m,) e⁻/Å³ at (m, 3) fractional coordinates from all atoms within 9 Å, none left out."""
    found = np.zeros(len(points))
    for i, point in enumerate(points):
        for neighbour in structure.get_sites_in_sphere(structure.lattice.get_cartesian_coords(point), 9.0):
            for species, occupancy in neighbour.species.items():
                found[i] += occupancy * radial_density(species.Z, neighbour.nn_distance)
    return found


@pytest.mark.parametrize("name", CRYSTALS)
def test_map_is_the_sum_over_structure_factors(name):
    expected = structure_factor_sum(CRYSTALS[name], 60)
    found = map_of(CRYSTALS[name], (60, 60, 60)).values
    difference = np.abs(found - expected)
    assert difference.max() < 1e-3 * expected.max()
    high = expected > 0.01 * expected.max()
    assert (difference[high] / expected[high]).max() < 0.01
    # Also where little is; what the cutoff leaves out is 1e-4 of the electrons.
    assert difference[~high].max() < 2e-4 * expected.mean() + 1e-3 * expected[~high].max()


@pytest.mark.parametrize("structure", [*CRYSTALS.values(), DISORDERED], ids=[*CRYSTALS, "disordered"])
def test_density_at_points_is_the_sum_over_atoms(structure):
    points = np.random.default_rng(2).uniform(-2, 2, (30, 3))
    points[:3] = structure.frac_coords[:3]
    expected = sum_over_atoms(structure, points)
    found = density_at(*cell_of(structure), points)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=3e-4 * expected.mean())


@pytest.mark.parametrize("structure", [*CRYSTALS.values(), DISORDERED], ids=[*CRYSTALS, "disordered"])
def test_values_of_a_map_are_the_density_at_its_points(structure):
    found = map_of(structure, (24, 30, 27))
    points = np.indices(found.shape).reshape(3, -1).T / found.shape
    np.testing.assert_allclose(found.values.ravel(), density_at(*cell_of(structure), points), rtol=1e-9)


@pytest.mark.parametrize("structure", [*CRYSTALS.values(), DISORDERED], ids=[*CRYSTALS, "disordered"])
def test_integral_is_the_number_of_electrons(structure):
    assert map_of(structure).n_electrons == pytest.approx(n_electrons(structure), rel=1e-3)


@pytest.mark.parametrize("edge", [3.0, 13.9, 14.1, 20.0])
@pytest.mark.parametrize("symbol", ["H", "Cs", "U"])
@pytest.mark.parametrize("position", [0.0, 0.01])
def test_integral_is_the_number_of_electrons_in_small_and_large_cells(edge, symbol, position):
    """An atom on a point of the grid, and one between its points, where a coarse grid is most in error."""
    structure = Structure(Lattice.cubic(edge), [symbol], [[position] * 3])
    assert map_of(structure).n_electrons == pytest.approx(Element(symbol).Z, rel=5e-3)


def test_points_alone_would_miss_the_integral_of_a_large_cell():
    """So that the mean over voxels is needed."""
    structure = Structure(Lattice.cubic(20.0), ["U"], [[0, 0, 0]])
    points = np.indices((50, 50, 50)).reshape(3, -1).T / 50
    at_points = density_at(*cell_of(structure), points).mean() * structure.volume
    assert abs(at_points / 92 - 1) > 0.03


def test_value_of_a_coarse_map_is_the_mean_over_its_voxel():
    structure = DISORDERED.copy()
    found = map_of(structure, (50, 6, 50))
    assert structure.lattice.b / 6 > LONGEST_EDGE > structure.lattice.c / 50
    offsets = (np.arange(400) + 0.5) / 400 - 0.5
    for i, j, k in [(0, 0, 0), (25, 3, 15), (10, 5, 30)]:
        points = np.stack([np.full(400, i / 50), (j + offsets) / 6, np.full(400, k / 50)], axis=1)
        assert found.values[i, j, k] == pytest.approx(density_at(*cell_of(structure), points).mean(), rel=0.02)


CELLS = {
    "sheared": [[1, 0, 0], [2, 1, 0], [-1, 3, 1]],
    "supercell": [[2, 0, 0], [0, 1, 0], [1, 0, 2]],
    "left-handed": [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
}


@pytest.mark.parametrize("structure", [CRYSTALS["quartz"], DISORDERED], ids=["quartz", "disordered"])
@pytest.mark.parametrize("choice", [*CELLS, "Niggli"])
def test_density_does_not_depend_on_the_choice_of_cell(structure, choice):
    points = np.random.default_rng(3).random((80, 3)) @ structure.lattice.matrix
    here = density_at(*cell_of(structure), points @ np.linalg.inv(structure.lattice.matrix))
    if choice == "Niggli":
        lattice = structure.lattice.get_niggli_reduced_lattice()
        mapped = structure.lattice.find_mapping(lattice)
        assert mapped is not None
        matrix = mapped[2]
    else:
        matrix = np.array(CELLS[choice])
    other = structure.make_supercell(matrix, in_place=False, to_unit_cell=True)
    there = density_at(*cell_of(other), points @ np.linalg.inv(other.lattice.matrix))
    np.testing.assert_allclose(there, here, rtol=1e-6)
    electrons = map_of(other, (40, 40, 40)).n_electrons / abs(np.linalg.det(matrix))
    assert electrons == pytest.approx(map_of(structure).n_electrons, rel=2e-4)


def test_interpolation_goes_through_all_values_is_periodic_and_close_to_the_density_between():
    structure = CRYSTALS["quartz"]
    found = map_of(structure)
    indices = np.random.default_rng(4).integers(0, 50, (200, 3))
    at_indices = found.at(indices / 50 - [2, 0, 1])
    np.testing.assert_allclose(at_indices, found.values[tuple(indices.T)], rtol=1e-9, atol=1e-9)
    points = np.random.default_rng(5).random((500, 3))
    expected = density_at(*cell_of(structure), points)
    assert np.abs(found.at(points) - expected).max() < 0.01 * found.values.max()


def test_resampling_is_exact_for_waves_that_both_grids_hold():
    random = np.random.default_rng(6)
    waves = random.integers(-4, 5, (12, 3))
    amplitudes, phases = random.normal(size=12), random.uniform(0, 2 * np.pi, 12)

    def on(shape):
        points = np.moveaxis(np.indices(shape), 0, -1) / shape
        return 5 + np.cos(2 * np.pi * points @ waves.T + phases) @ amplitudes

    for old, new in [((10, 12, 11), (50, 50, 50)), ((48, 40, 45), (9, 10, 50)), ((50, 9, 50), (50, 50, 13))]:
        np.testing.assert_allclose(DensityMap(on(old)).resampled(new).values, on(new), atol=1e-12)


@pytest.mark.parametrize("n", [10, 11])
def test_a_finer_grid_keeps_the_values_that_it_shares_with_the_coarser_and_going_back_returns_them(n):
    """Noise has all waves that a grid can hold, the shortest included."""
    noise = np.random.default_rng(8).normal(size=(n, n, n))
    finer = DensityMap(noise).resampled((2 * n, 3 * n, 4 * n))
    np.testing.assert_allclose(finer.values[::2, ::3, ::4], noise, atol=1e-12)
    np.testing.assert_allclose(finer.resampled((n, n, n)).values, noise, atol=1e-12)


def test_resampling_keeps_electrons_and_lattice_and_the_density_of_a_fine_map():
    structure = CRYSTALS["silicon"]
    fine = map_of(structure, (64, 72, 60))
    found = fine.resampled()
    assert found.shape == (50, 50, 50)
    assert found.n_electrons == pytest.approx(fine.n_electrons, rel=1e-12)
    assert found.lattice is fine.lattice
    assert np.abs(found.values - map_of(structure).values).max() < 1e-3 * found.values.max()


def test_resampling_is_that_of_pyrho():
    utils = pytest.importorskip("pyrho.utils")
    values = map_of(CRYSTALS["quartz"], (54, 60, 56)).values
    expected = utils.interpolate_fourier(values, [50, 50, 50])
    found = DensityMap(values).resampled((50, 50, 50)).values
    # They treat the one shortest wave of an even grid differently, of which next to nothing is there.
    assert np.abs(found - expected).max() < 1e-4 * values.max()


def test_points_and_maps_without_atoms_are_empty():
    lattice = np.eye(3) * 4
    none = np.empty((0, 3)), np.empty(0, int), np.empty(0)
    assert density_at(lattice, *none, np.zeros((2, 3))).tolist() == [0, 0]
    assert electron_density(CellBatch.from_cells([(lattice, np.empty((0, 3)), [])]), 0).values.max() == 0


def test_a_map_without_a_lattice_does_not_know_its_electrons():
    with pytest.raises(InputError, match="no lattice"):
        _ = DensityMap(np.ones((2, 2, 2))).n_electrons


def test_elements_without_a_form_factor_are_named():
    structure = Structure(Lattice.cubic(4), ["Es", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(InputError, match="Es"):
        map_of(structure)
    with pytest.raises(InputError, match="Es"):
        density_at(*cell_of(structure), np.zeros((1, 3)))


def test_five_atoms_at_512_points_take_less_than_a_few_milliseconds():
    """0.4 ms on an idle core; the best of many, with a margin for slower ones."""
    structure = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    )
    cell, points = cell_of(structure), np.random.default_rng(7).random((512, 3))
    times = []
    for _ in range(30):
        start = time.perf_counter()
        density_at(*cell, points)
        times.append(time.perf_counter() - start)
    assert min(times[1:]) < 4e-3
