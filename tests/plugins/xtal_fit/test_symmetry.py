from __future__ import annotations

import numpy as np
import pytest
import spglib

from xtal_core.measurement import Profile
from xtal_fit.symmetry import equivalent_atoms, free_directions


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
