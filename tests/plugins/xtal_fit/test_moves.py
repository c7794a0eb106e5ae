from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure

from xtal_core.candidate import GIVEN, Candidate
from xtal_core.measurement import Profile
from xtal_fit.moves import (
    EXCHANGE_COST,
    KICKS,
    PERTURBATIONS,
    exchanged,
    kicked,
    released,
    restarted,
    symmetrised,
    undisplaced,
)


def space_group(trial, tolerance=1e-3):
    return spglib.get_symmetry_dataset((trial.lattice, trial.fractional, trial.numbers), symprec=tolerance).number


def distances(trial, other):
    return np.linalg.norm((trial.fractional - other.fractional) @ trial.lattice, axis=1)


def test_exchanging_turns_normal_perovskite_into_the_other_one(trial_of):
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    trial = trial_of(Structure(Lattice.cubic(3.9), ["Sr", "Ti", "O", "O", "O"], sites), Profile())
    (other,) = exchanged([replace(trial, residual=0.5)])
    assert other.numbers.tolist() == [22, 38, 8, 8, 8]
    assert other.residual == np.inf
    np.testing.assert_array_equal(other.fractional, trial.fractional)


def test_sets_of_different_size_or_of_the_same_element_are_not_exchanged(trial_of, rutile, baddeleyite):
    assert exchanged([trial_of(rutile, Profile())]) == []
    # Zr and each of the two kinds of O have four atoms; the two kinds of O are the same element.
    assert len(exchanged([trial_of(baddeleyite, Profile())])) == 2


def test_exchanging_costs_of_the_prior_where_atoms_are_expected_at_an_anchor(trial_of, baddeleyite):
    trial = trial_of(baddeleyite, Profile())
    anchored = replace(trial, anchor=trial.fractional)
    assert {moved.unlikelihood for moved in exchanged([trial])} == {0.0}
    assert {moved.unlikelihood for moved in exchanged([anchored])} == {EXCHANGE_COST}
    assert {moved.unlikelihood for moved in exchanged(exchanged([anchored]))} == {2 * EXCHANGE_COST}


def test_kicked_atoms_are_expected_where_they_were_kicked_to_and_released_ones_where_they_were(trial_of, baddeleyite):
    trial = trial_of(baddeleyite, Profile())
    anchored = replace(trial, anchor=trial.fractional)
    for moved in kicked([anchored], np.random.default_rng(3)):
        np.testing.assert_array_equal(moved.anchor, moved.fractional)
    for moved in released([anchored], np.random.default_rng(3)):
        np.testing.assert_array_equal(moved.anchor, trial.fractional)
    assert all(moved.anchor is None for moved in kicked([trial], np.random.default_rng(3)))


def test_every_candidate_is_tried_once_with_its_atoms_where_it_has_them_unless_the_user_gave_it(trial_of, baddeleyite):
    start = trial_of(baddeleyite, Profile())
    trials = [start, *kicked([start], np.random.default_rng(3)), *exchanged([start])]
    found = undisplaced(trials, [Candidate(baddeleyite, "test")])
    assert len(found) == 1 + len(exchanged([start]))
    for trial in found:
        np.testing.assert_array_equal(trial.fractional, baddeleyite.frac_coords)
        assert trial.directions.n_directions == trial.directions.n_strains == 4
    assert found[0].moves == ()
    assert undisplaced(trials, [Candidate(baddeleyite, GIVEN)]) == []


def test_kicks_move_atoms_and_keep_the_space_group(trial_of, baddeleyite):
    trial = trial_of(baddeleyite, Profile())
    moved = kicked([trial], np.random.default_rng(3))
    assert len(moved) == len(KICKS)
    for kick, other in zip(KICKS, moved, strict=True):
        assert space_group(other) == 14
        assert 0.1 * kick < distances(other, trial).max() < 10 * kick
        np.testing.assert_array_equal(other.lattice, trial.lattice)
        assert other.residual == np.inf


def test_a_structure_without_free_coordinates_cannot_be_kicked(trial_of):
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert kicked([trial_of(salt, Profile())], np.random.default_rng(3)) == []


def test_released_structures_are_in_p1_and_a_little_displaced(trial_of, rutile):
    trial = trial_of(rutile, Profile())
    free = released([trial], np.random.default_rng(4))
    assert len(free) == len(PERTURBATIONS)
    for size, other in zip(PERTURBATIONS, free, strict=True):
        assert space_group(other) == 1
        assert other.directions.n_directions == 6 + 3 * 6 - 3
        assert distances(other, trial).mean() == pytest.approx(size, rel=0.5)


def test_structures_are_symmetrised_to_every_group_they_come_close_to(trial_of, rutile):
    free = trial_of(rutile, Profile(), keep_symmetry=False)
    shifts = np.random.default_rng(5).normal(size=(6, 3)) * 0.02
    moved = replace(free, fractional=free.fractional + shifts @ np.linalg.inv(free.lattice))
    found = symmetrised([moved])
    assert 136 in {space_group(other) for other in found}
    for other in found:
        directions = other.directions.n_directions
        assert directions < moved.directions.n_directions
        assert distances(other, moved).max() < 0.3
    assert len({space_group(other) for other in found}) == len(found)


def test_a_structure_without_symmetry_gains_none(trial_of, triclinic):
    assert symmetrised([trial_of(triclinic, Profile())]) == []


def test_restarts_change_cell_atoms_and_widths_and_keep_the_space_group(trial_of, baddeleyite):
    trial = trial_of(baddeleyite, Profile(crystallite_size=100.0, gaussian_sigma=0.01, lorentzian_hwhm=0.002))
    drawn = restarted([trial, trial], 3, np.random.default_rng(6), known_size=False)
    assert len(drawn) == 6
    assert len({other.profile for other in drawn}) == 6
    for other in drawn:
        assert space_group(other) == 14
        assert not np.allclose(other.lattice, trial.lattice, rtol=1e-4)
        assert distances(other, trial).max() > 0.01
        assert other.profile.crystallite_size != 100
    (known,) = restarted([trial], 1, np.random.default_rng(6), known_size=True)
    assert known.profile.crystallite_size == 100


def test_what_was_done_to_a_trial_is_told_once(trial_of, baddeleyite):
    trial = trial_of(baddeleyite, Profile())
    random = np.random.default_rng(7)
    assert exchanged([trial])[0].moves == ("O and Zr were exchanged",)
    twice = kicked(kicked([trial], random)[:1], random)[0]
    assert twice.moves == ("atoms were displaced at random before refinement",)
    assert trial.moves == ()
