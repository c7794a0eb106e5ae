import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.errors import StructureError
from xtal_pointwise_distance.neighbours import neighbour_distances, neighbour_distances_of_structures

K = 100


def brute_force(lattice, fractional, k=K, reach=8):
    """Return the k smallest distances to all images in a block of (2 reach + 1)³ cells."""
    shifts = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    images = (fractional[:, None, :] + shifts).reshape(-1, 3) @ lattice
    return np.array([np.sort(np.linalg.norm(images - point, axis=1))[1 : k + 1] for point in fractional @ lattice])


def sheared(random, largest):
    """Return a random unimodular matrix."""
    matrix = np.eye(3, dtype=int)
    for _ in range(4):
        row, column = random.permutation(3)[:2]
        step = np.eye(3, dtype=int)
        step[row, column] = random.integers(-largest, largest + 1)
        matrix = step @ matrix
    return matrix


@pytest.mark.parametrize("largest", [1, 3, 10])
def test_neighbours_in_sheared_cells_are_those_of_brute_force(largest):
    random = np.random.default_rng(largest)
    for n_atoms in (1, 1, 2, 3, 5) * 4:
        lattice = np.diag(random.uniform(3, 7, 3)) + random.normal(0, 0.6, (3, 3))
        fractional = random.random((n_atoms, 3))
        shear = sheared(random, largest)
        skewed = Structure(shear @ lattice, ["H"] * n_atoms, fractional @ np.linalg.inv(shear))
        (distances,) = neighbour_distances_of_structures([skewed], K, "pdd")
        np.testing.assert_allclose(distances, brute_force(lattice, fractional), rtol=0, atol=1e-9)


def test_neighbours_are_exact_without_reducing_the_cell():
    random = np.random.default_rng(0)
    lattice, fractional = np.diag([4.0, 5.0, 6.0]), random.random((3, 3))
    shear = np.array([[1, 4, -3], [0, 1, 5], [0, 0, 1]])
    distances = neighbour_distances(shear @ lattice, fractional @ np.linalg.inv(shear), K)
    np.testing.assert_allclose(distances, brute_force(lattice, fractional), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("lengths", "n_atoms", "spread", "reach"),
    [
        pytest.param((1.0, 1.0, 1.0), 1, 1.0, 8, id="tiny cell"),
        pytest.param((60.0, 60.0, 60.0), 12, 0.1, 4, id="molecule in a box"),
        pytest.param((2.5, 2.5, 90.0), 6, 0.05, 30, id="slab and vacuum"),
        pytest.param((2.5, 70.0, 80.0), 4, 0.05, 30, id="chain and vacuum"),
        pytest.param((900.0, 900.0, 900.0), 1, 1.0, 4, id="one atom in a huge cell"),
        pytest.param((20.0, 20.0, 20.0), 300, 1.0, 1, id="many atoms"),
    ],
)
def test_neighbours_in_uneven_cells_are_those_of_brute_force(lengths, n_atoms, spread, reach):
    fractional = spread * np.random.default_rng(1).random((n_atoms, 3))
    lattice = np.diag(lengths)
    expected = brute_force(lattice, fractional, reach=reach)
    np.testing.assert_allclose(neighbour_distances(lattice, fractional, K), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("k", [1, 7, 400])
def test_any_number_of_neighbours_can_be_asked_for(k):
    fractional = np.random.default_rng(2).random((4, 3))
    lattice = 6 * np.eye(3)
    np.testing.assert_allclose(
        neighbour_distances(lattice, fractional, k), brute_force(lattice, fractional, k), rtol=0, atol=1e-9
    )


def test_shells_of_a_simple_cubic_lattice_have_their_multiplicities():
    (distances,) = neighbour_distances(3 * np.eye(3), np.zeros((1, 3)), 32)
    np.testing.assert_allclose(distances, 3 * np.sqrt(np.repeat([1, 2, 3, 4], [6, 12, 8, 6])), rtol=1e-12)


def test_shells_of_diamond_have_their_multiplicities():
    diamond = Structure(1.785 * (1 - np.eye(3)), ["C", "C"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    (distances,) = neighbour_distances_of_structures([diamond], 28, "pdd")
    shells = 3.57 * np.repeat([np.sqrt(3) / 4, np.sqrt(2) / 2, np.sqrt(11) / 4], [4, 12, 12])
    np.testing.assert_allclose(distances, [shells, shells], rtol=1e-12)


def test_a_shared_full_site_is_one_point():
    alloy = Structure(Lattice.cubic(4), [{"Au": 0.33, "Cu": 0.33, "Ag": 0.33}], [[0, 0, 0]])
    (distances,) = neighbour_distances_of_structures([alloy], 6, "amd")
    np.testing.assert_allclose(distances, np.full((1, 6), 4.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (
            Structure(Lattice.cubic(4), ["Cl", {"Na": 0.9}], [[0, 0, 0], [0.5, 0.5, 0.5]]),
            r"site 2 \(Na:0.9\) of Na0.9 Cl1 \(structure 2\) has occupancy 0.9, pdd needs full sites; compare",
        ),
        (Structure(Lattice.cubic(4), [], []), "structure 2 has no sites"),
        (
            Structure(Lattice([[1, 0, 0], [0, 1, 0], [1, 1, 0]]), ["H"], [[0, 0, 0]]),
            r"cell of H1 \(structure 2\) is flat",
        ),
        (Structure(Lattice.cubic(4), ["H"], [[0, 0, np.nan]]), r"H1 \(structure 2\) is flat or not finite"),
    ],
    ids=["vacancy", "empty", "flat", "not a number"],
)
def test_a_structure_without_points_is_refused_by_name(structure, reason):
    with pytest.raises(StructureError, match=reason):
        neighbour_distances_of_structures([Structure(Lattice.cubic(4), ["H"], [[0, 0, 0]]), structure], K, "pdd")
