import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from random_crystals import unimodular
from xtal_core.errors import StructureError
from xtal_pointwise_distance import neighbours
from xtal_pointwise_distance.atoms import Atoms
from xtal_pointwise_distance.cell import Cell
from xtal_pointwise_distance.neighbours import nearest_distances, neighbour_distances, neighbours_by_kind

K = 100


def brute_force(lattice, fractional, k=K, reach=8):
    """Return the k smallest distances to all images in a block of (2 reach + 1)³ cells."""
    shifts = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    images = (fractional[:, None, :] + shifts).reshape(-1, 3) @ lattice
    return np.array([np.sort(np.linalg.norm(images - point, axis=1))[1 : k + 1] for point in fractional @ lattice])


def distances_of(structure, k=K):
    """Return the neighbour distances of a structure as the metrics get them."""
    (distances,) = neighbours_by_kind(Atoms.of(structure, "structure 1", "pdd", elements=False), k).values()
    return distances


@pytest.mark.parametrize("largest", [1, 3, 10])
def test_neighbours_in_sheared_cells_are_those_of_brute_force(largest):
    random = np.random.default_rng(largest)
    for n_atoms in (1, 1, 2, 3, 5) * 4:
        lattice = np.diag(random.uniform(3, 7, 3)) + random.normal(0, 0.6, (3, 3))
        fractional = random.random((n_atoms, 3))
        shear = unimodular(random, largest)
        skewed = Structure(shear @ lattice, ["H"] * n_atoms, fractional @ np.linalg.inv(shear))
        np.testing.assert_allclose(distances_of(skewed), brute_force(lattice, fractional), rtol=0, atol=1e-9)


def test_neighbours_are_exact_without_reducing_the_cell():
    random = np.random.default_rng(0)
    lattice, fractional = np.diag([4.0, 5.0, 6.0]), random.random((3, 3))
    shear = np.array([[1, 4, -3], [0, 1, 5], [0, 0, 1]])
    distances = neighbour_distances(Cell(shear @ lattice), fractional @ np.linalg.inv(shear), K)
    np.testing.assert_allclose(distances, brute_force(lattice, fractional), rtol=0, atol=1e-9)


def test_strongly_skewed_cells_are_reduced_and_others_left_as_they_are():
    right_angled = Structure(np.diag([4.0, 5.0, 6.0]), ["H"], [[0.1, 0.2, 0.3]])
    skewed = right_angled.make_supercell([[1, 4, -3], [0, 1, 5], [0, 0, 1]], in_place=False)
    assert Atoms.of(right_angled, "", "pdd", elements=False).cell.lattice is right_angled.lattice.matrix
    assert Cell(skewed.lattice.matrix).skewness > 10
    assert Atoms.of(skewed, "", "pdd", elements=False).cell.skewness == pytest.approx(1)


@pytest.mark.parametrize(
    ("lengths", "n_atoms", "spread", "reach"),
    [
        pytest.param((1.0, 1.0, 1.0), 1, 1.0, 8, id="tiny cell"),
        pytest.param((60.0, 60.0, 60.0), 12, 0.1, 4, id="molecule in a box"),
        pytest.param((2.5, 2.5, 90.0), 6, 0.05, 30, id="slab and vacuum"),
        pytest.param((2.5, 70.0, 80.0), 4, 0.05, 30, id="chain and vacuum"),
        pytest.param((900.0, 900.0, 900.0), 1, 1.0, 4, id="one atom in a huge cell"),
        pytest.param((900.0, 900.0, 900.0), 3, 1e-3, 4, id="molecule in a huge cell"),
        pytest.param((20.0, 20.0, 20.0), 300, 1.0, 1, id="many atoms"),
    ],
)
def test_neighbours_in_uneven_cells_are_those_of_brute_force(lengths, n_atoms, spread, reach):
    fractional = spread * np.random.default_rng(1).random((n_atoms, 3))
    lattice = np.diag(lengths)
    expected = brute_force(lattice, fractional, reach=reach)
    np.testing.assert_allclose(neighbour_distances(Cell(lattice), fractional, K), expected, rtol=1e-12, atol=1e-9)


def test_large_cells_are_done_in_parts(monkeypatch):
    fractional = np.random.default_rng(5).random((30, 3))
    cell = Cell(9 * np.eye(3))
    at_once = neighbour_distances(cell, fractional, K)
    monkeypatch.setattr(neighbours, "VECTORS_AT_ONCE", 100)
    np.testing.assert_array_equal(neighbour_distances(cell, fractional, K), at_once)


@pytest.mark.parametrize("k", [1, 7, 400])
def test_any_number_of_neighbours_can_be_asked_for(k):
    fractional = np.random.default_rng(2).random((4, 3))
    lattice = 6 * np.eye(3)
    np.testing.assert_allclose(
        neighbour_distances(Cell(lattice), fractional, k), brute_force(lattice, fractional, k), rtol=0, atol=1e-9
    )


def test_distances_from_points_that_are_no_atoms():
    """The octahedral hole of a face-centred lattice has 6 atoms at a/2 around it, and 8 at a √3/2."""
    face_centred = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    (distances,) = nearest_distances(Cell(4 * np.eye(3)), np.full((1, 3), 0.5), face_centred, 14)
    np.testing.assert_allclose(distances, np.repeat([2, 2 * np.sqrt(3)], [6, 8]), rtol=1e-12)


def test_shells_of_a_simple_cubic_lattice_have_their_multiplicities():
    (distances,) = neighbour_distances(Cell(3 * np.eye(3)), np.zeros((1, 3)), 32)
    np.testing.assert_allclose(distances, 3 * np.sqrt(np.repeat([1, 2, 3, 4], [6, 12, 8, 6])), rtol=1e-12)


def test_shells_of_diamond_have_their_multiplicities():
    diamond = Structure(1.785 * (1 - np.eye(3)), ["C", "C"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    shells = 3.57 * np.repeat([np.sqrt(3) / 4, np.sqrt(2) / 2, np.sqrt(11) / 4], [4, 12, 12])
    np.testing.assert_allclose(distances_of(diamond, 28), [shells, shells], rtol=1e-12)


def test_shells_of_each_element_of_rock_salt_have_their_multiplicities():
    salt = Structure.from_spacegroup(225, Lattice.cubic(2), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rows = neighbours_by_kind(Atoms.of(salt, "salt", "pdd", elements=True), 14)
    others, alike = np.sqrt(np.repeat([1, 3], [6, 8])), np.sqrt(np.repeat([2, 4], [12, 2]))
    assert list(rows) == ["Cl", "Na"]
    np.testing.assert_allclose(rows["Cl"], [[*alike, *others]] * 4, rtol=1e-12)
    np.testing.assert_allclose(rows["Na"], [[*others, *alike]] * 4, rtol=1e-12)


def test_a_shared_full_site_is_one_point():
    alloy = Structure(Lattice.cubic(4), [{"Au": 0.33, "Cu": 0.33, "Ag": 0.33}], [[0, 0, 0]])
    np.testing.assert_allclose(distances_of(alloy, 6), np.full((1, 6), 4.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("structure", "elements", "reason"),
    [
        (
            Structure(Lattice.cubic(4), ["Cl", {"Na": 0.9}], [[0, 0, 0], [0.5, 0.5, 0.5]]),
            False,
            r"site 2 \(Na:0.9\) of Na0.9 Cl1 \(structure 2\) has occupancy 0.9, pdd needs full sites; compare",
        ),
        (
            Structure(Lattice.cubic(4), [{"Na": 0.9, "K": 0.1}], [[0, 0, 0]]),
            True,
            r"site 1 .* \(structure 2\) is shared, pdd.elements needs one element a site; .* pdd.elements=false",
        ),
        (Structure(Lattice.cubic(4), [], []), False, "structure 2 has no sites"),
        (
            Structure(Lattice([[1, 0, 0], [0, 1, 0], [1, 1, 0]]), ["H"], [[0, 0, 0]]),
            False,
            r"cell of H1 \(structure 2\) is flat",
        ),
        (Structure(Lattice.cubic(4), ["H"], [[0, 0, np.nan]]), False, r"H1 \(structure 2\) is flat or not finite"),
        (Structure(Lattice(np.diag([4, 4, np.nan])), ["H"], [[0, 0, 0]]), False, "is flat or not finite"),
    ],
    ids=["vacancy", "shared", "empty", "flat", "coordinate not a number", "cell not a number"],
)
def test_a_structure_without_points_is_refused_by_name(structure, elements, reason):
    with pytest.raises(StructureError, match=reason):
        Atoms.of(structure, "structure 2", "pdd", elements)
