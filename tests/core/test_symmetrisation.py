"""The symmetry that perturbed structures come close to, and the structures that have it."""

import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure

from xtal_core.symmetrisation import idealise


@pytest.fixture(scope="module")
def rutile():
    lattice = Lattice.tetragonal(4.594, 2.959)
    return Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]])


@pytest.fixture(scope="module")
def wurtzite():
    lattice = Lattice.hexagonal(3.82, 6.26)
    return Structure.from_spacegroup("P6_3mc", lattice, ["Zn", "S"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.375]])


def arrays(structure):
    return structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)


def space_group(lattice, fractional, numbers, tolerance):
    return spglib.get_symmetry_dataset((lattice, fractional, numbers), symprec=tolerance).number


def test_idealising_restores_perturbed_rutile(rutile):
    random = np.random.default_rng(2)
    strain = np.eye(3) + 0.002 * random.normal(size=(3, 3))
    lattice = rutile.lattice.matrix @ (strain + strain.T) / 2
    fractional = rutile.frac_coords + 0.01 * random.normal(size=(6, 3)) / 4.6
    numbers = np.array(rutile.atomic_numbers)
    assert space_group(lattice, fractional, numbers, 1e-4) == 1
    restored, positions, number = idealise(lattice, fractional, numbers, 0.15)
    assert number == 136
    assert space_group(restored, positions, numbers, 1e-5) == 136
    # The averages are nearest to what was given, and in its setting.
    np.testing.assert_allclose(restored, lattice, atol=0.05)
    assert np.linalg.norm((positions - fractional) @ lattice, axis=1).max() < 0.05
    a, b = np.linalg.norm(restored[:2], axis=1)
    assert a == pytest.approx(b, rel=1e-9)
    assert np.linalg.det(restored) == pytest.approx(np.linalg.det(lattice), rel=1e-3)


def test_idealising_what_is_ideal_changes_nothing(wurtzite):
    lattice, fractional, numbers = arrays(wurtzite)
    restored, positions, number = idealise(lattice, fractional, numbers, 0.01)
    assert number == 186
    np.testing.assert_allclose(restored, lattice, atol=1e-9)
    np.testing.assert_allclose(positions, fractional, atol=1e-9)


def test_atoms_across_the_cell_boundary_are_averaged_where_they_are(rutile):
    shifted = Structure(rutile.lattice, rutile.species, rutile.frac_coords - [0.02, 0, 0])
    lattice, fractional, numbers = arrays(shifted)
    fractional = fractional + [3, -2, 0] * np.arange(6)[:, None]
    _, positions, _ = idealise(lattice, fractional, numbers, 0.05)
    np.testing.assert_allclose(positions, fractional, atol=1e-6)
