import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from perturbation import perturbed
from same_crystal import largest_strain
from toys import rocksalt


@pytest.fixture
def rutile():
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]]
    )


def moves(before, after):
    difference = after.frac_coords - before.frac_coords
    return np.linalg.norm((difference - np.rint(difference)) @ before.lattice.matrix, axis=1)


def test_what_the_space_group_leaves_free_is_moved_and_nothing_else(rutile):
    moved, n_free = perturbed(rutile, 0.05, 0.2, np.random.default_rng(0))
    assert n_free == 3
    assert SpacegroupAnalyzer(moved, 1e-4).get_space_group_number() == 136
    assert moves(rutile, moved).max() > 0


def test_without_symmetry_everything_is_moved(rutile):
    moved, n_free = perturbed(rutile, 0.05, 0.2, np.random.default_rng(0), keep_symmetry=False)
    assert n_free == 6 + 3 * 6 - 3
    assert SpacegroupAnalyzer(moved, 1e-4).get_space_group_number() == 1


def test_no_move_is_larger_than_asked_for_and_some_come_close(rutile):
    strains, farthest = [], []
    for seed in range(40):
        moved, _ = perturbed(rutile, 0.02, 0.1, np.random.default_rng(seed))
        strains.append(largest_strain(rutile.lattice.matrix, moved.lattice.matrix))
        farthest.append(moves(rutile, moved).max())
    assert 0.018 < max(strains) < 0.0201
    assert 0.09 < max(farthest) < 0.1001


def test_atoms_without_freedom_stay():
    salt = rocksalt(5.64)
    moved, n_free = perturbed(salt, 0.02, 0.1, np.random.default_rng(1))
    assert n_free == 1
    assert moves(salt, moved).max() < 1e-12
