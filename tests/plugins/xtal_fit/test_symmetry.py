from __future__ import annotations

import numpy as np
import pytest
import spglib
from pymatgen.core import Structure

from xtal_core.measurement import Profile
from xtal_fit.symmetry import equivalent_atoms, free_directions, idealise


def arrays(structure):
    return structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)


def space_group(lattice, fractional, numbers, tolerance):
    return spglib.get_symmetry_dataset((lattice, fractional, numbers), symprec=tolerance).number


@pytest.mark.parametrize(
    ("name", "strains", "displacements"),
    [("rutile", 2, 1), ("wurtzite", 2, 1), ("baddeleyite", 4, 9), ("triclinic", 6, 6)],
)
def test_there_are_as_many_free_parameters_as_the_space_group_and_wyckoff_positions_leave(
    request, name, strains, displacements
):
    directions = free_directions(*arrays(request.getfixturevalue(name)))
    assert directions.n_strains == strains
    assert directions.n_directions == strains + displacements


def test_without_symmetry_everything_is_free_but_a_common_shift(rutile):
    directions = free_directions(*arrays(rutile), keep_symmetry=False)
    assert (directions.n_strains, directions.n_directions) == (6, 6 + 3 * 6 - 3)
    assert np.linalg.matrix_rank(directions.columns) == directions.n_directions
    shifts = directions.columns[6:, 6:].reshape(6, 3, -1)
    np.testing.assert_allclose(shifts.mean(0), 0, atol=1e-2)


@pytest.mark.parametrize("name", ["rutile", "wurtzite", "baddeleyite"])
def test_a_step_along_any_direction_keeps_the_space_group_and_nothing_else_does(request, trial_of, name):
    structure = request.getfixturevalue(name)
    trial = trial_of(structure, Profile())
    before = space_group(*arrays(structure), 1e-4)
    for step in 0.02 * np.eye(trial.directions.n_directions):
        moved = trial.stepped(step, trial.profile)
        assert space_group(moved.lattice, moved.fractional, moved.numbers, 1e-4) == before
        assert np.abs(moved.lattice - trial.lattice).max() + np.abs(moved.fractional - trial.fractional).max() > 1e-3
    free = trial.released()
    random = np.random.default_rng(1).normal(size=free.directions.n_directions)
    moved = free.stepped(0.02 * random, free.profile)
    assert space_group(moved.lattice, moved.fractional, moved.numbers, 1e-4) == 1


def test_displacements_move_their_farthest_atom_by_one_angstrom(baddeleyite):
    lattice, fractional, numbers = arrays(baddeleyite)
    directions = free_directions(lattice, fractional, numbers)
    shifts = directions.columns[6:, directions.n_strains :].T.reshape(-1, len(numbers), 3) @ lattice
    np.testing.assert_allclose(np.linalg.norm(shifts, axis=-1).max(1), 1)
    np.testing.assert_allclose(np.linalg.norm(directions.columns[:6, : directions.n_strains], axis=0), 1)


def test_equivalent_atoms_are_those_of_the_space_group(rutile, baddeleyite):
    assert equivalent_atoms(*arrays(rutile)).tolist() == [0, 0, 2, 2, 2, 2]
    assert equivalent_atoms(*arrays(baddeleyite)).tolist() == [0] * 4 + [4] * 4 + [8] * 4


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
