"""Elements given to atoms by their charges, against all ways of doing so and pymatgen's comparison of structures."""

from itertools import combinations, permutations

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtal_crystalnet.species_assignment import assignments
from xtal_crystalnet.species_assignment import permutations as operations_on

#: Four places that no operation maps onto each other.
TRICLINIC = np.array([[6.1, 0.2, 0.1], [-1.9, 6.8, 0.3], [1.3, 1.1, 7.5]])
PLACES = np.array([[0.05, 0.1, 0.15], [0.55, 0.2, 0.4], [0.3, 0.71, 0.6], [0.8, 0.6, 0.93]])


def parts(structure):
    return structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)


@pytest.fixture(scope="module")
def spinel():
    sites = [[0.125, 0.125, 0.125], [0.5, 0.5, 0.5], [0.2624, 0.2624, 0.2624]]
    return Structure.from_spacegroup("Fd-3m:2", Lattice.cubic(8.08), ["Mg", "Al", "O"], sites).get_primitive_structure()


@pytest.fixture(scope="module")
def heusler():
    sites = [[0.25, 0.25, 0.25], [0, 0, 0], [0.5, 0.5, 0.5]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.8), ["Fe", "Co", "Ni"], sites).get_primitive_structure()


def test_elements_come_in_the_order_of_charges_on_any_scale():
    charges = np.array([30.0, 5.0, 12.0, 21.0])
    for scale in (1.0, 1e-3, 40.0):
        first = assignments(TRICLINIC, PLACES, scale * charges, np.array([8, 26, 22, 38]), 1)[0]
        assert first.tolist() == [38, 8, 22, 26]


def test_alternatives_are_the_cheapest_of_all():
    """The cheapest ways are those with the largest sum of products of logarithms, whatever the scale."""
    numbers, charges = np.array([20, 24, 29, 35]), np.array([24.1, 35.2, 19.9, 28.8])

    def merit(way):
        return float(np.log(charges) @ np.log(way))

    expected = sorted(permutations(numbers.tolist()), key=merit, reverse=True)
    found = assignments(TRICLINIC, PLACES, charges, numbers, 6)
    assert [tuple(way.tolist()) for way in found] == expected[:6]


def test_the_formula_is_kept_whatever_the_charges():
    numbers = np.array([3, 8, 8, 57])
    for charges in np.random.default_rng(0).exponential(size=(20, 4)):
        for way in assignments(TRICLINIC, PLACES, charges, numbers, 4):
            assert sorted(way.tolist()) == numbers.tolist()


def test_peaks_that_were_lost_are_the_lightest_atoms():
    found = assignments(TRICLINIC, PLACES, np.array([0.0, 40.0, 0.0, 90.0]), np.array([1, 50, 1, 92]), 1)[0]
    assert found.tolist() == [1, 50, 1, 92]


def test_equivalent_atoms_are_of_one_element_when_charges_do_not_tell(spinel):
    """Mg and Al of spinel: two tetrahedra and four octahedra in the primitive cell, 12 and 13 electrons."""
    lattice, places, numbers = parts(spinel)
    random = np.random.default_rng(2)
    by_symmetry = by_order = 0
    for _ in range(20):
        charges = numbers * np.exp(random.normal(0, 0.08, len(numbers)))
        found = assignments(lattice, places, charges, np.sort(numbers), 1)[0]
        by_symmetry += found.tolist() == numbers.tolist()
        by_order += numbers[np.argsort(charges)].tolist() == np.sort(numbers).tolist()
    assert by_symmetry >= 19
    assert by_order < 5


def test_clear_charges_are_believed_against_symmetry(spinel):
    """An inverse spinel: of two equivalent pairs, one of each element."""
    lattice, places, numbers = parts(spinel)
    inverse = numbers.copy()
    octahedra = np.flatnonzero(numbers == 13)
    inverse[numbers == 12] = 13
    inverse[octahedra[:2]] = 12
    assert assignments(lattice, places, inverse.astype(float), np.sort(numbers), 1)[0].tolist() == inverse.tolist()


def test_no_two_alternatives_are_the_same_crystal(heusler):
    lattice, places, numbers = parts(heusler)
    ways = assignments(lattice, places, numbers * np.array([1.03, 0.98, 1.01, 0.97]), numbers, 12)
    structures = [Structure(lattice, way.tolist(), places) for way in ways]
    # The four places are alike, so that only the distance between the two Fe matters.
    assert len(ways) == 2
    assert not StructureMatcher().fit(structures[0], structures[1])
    assert any(StructureMatcher().fit(structure, heusler) for structure in structures)


def test_all_alternatives_of_an_unsymmetric_cell_are_different_crystals():
    ways = assignments(TRICLINIC, PLACES, np.array([25.0, 27.0, 26.0, 29.0]), np.array([25, 26, 27, 28]), 30)
    structures = [Structure(TRICLINIC, way.tolist(), PLACES) for way in ways]
    assert len(ways) == 24
    matcher = StructureMatcher(stol=0.05)
    assert not any(matcher.fit(first, second) for first, second in combinations(structures, 2))


def test_exchanging_the_ions_of_salt_is_no_alternative(salt):
    lattice, places, numbers = parts(salt.get_primitive_structure())
    assert len(assignments(lattice, places, np.array([14.0, 14.5]), numbers, 4)) == 1


def test_operations_keep_all_distances(salt):
    lattice, places, _ = parts(salt)
    displaced = places + np.random.default_rng(0).normal(0, 0.05, places.shape) @ np.linalg.inv(lattice)
    distances = Structure(lattice, ["X"] * len(places), places).distance_matrix
    found = operations_on(lattice, displaced)
    # All ions alike: a simple cubic lattice of half the period, with 48 rotations and 8 translations. Those 8 rotations
    # that only change signs move no ion.
    assert len(found) == 48 * 8 / 8
    for permutation in found:
        np.testing.assert_allclose(distances[np.ix_(permutation, permutation)], distances, atol=1e-9)


def test_places_without_symmetry_have_only_the_identity():
    assert operations_on(TRICLINIC, PLACES).tolist() == [[0, 1, 2, 3]]
