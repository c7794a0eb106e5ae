from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.optimize import lsq_linear

from xtal_core import workers
from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.target import make_target
from xtal_fit.least_squares import LARGEST_DISPLACEMENT, LARGEST_STRAIN, _solve_held, fit
from xtal_fit.trial import ProfileParameter

SIZED = Profile(crystallite_size=100.0)
RADIATION = Radiation.from_line("CuKa1")
AXIS = Measurement(np.linspace(0.8, 6.5, 1600), RADIATION)
OBSERVATIONS = 40.0


@pytest.fixture(scope="module")
def target_of(simulator):
    """Return a function that makes the target of a structure's noise-free pattern."""

    def make(structure, profile=SIZED, smoothing=0.0):
        intensity = simulator.simulate(CellBatch.from_structures([structure]), AXIS, [profile])[0]
        return make_target(Pattern(AXIS.q, intensity, RADIATION), smoothing, np.sqrt(6) / 100)

    return make


def perturbed(structure, strain=0.01, shift=0.05, seed=6):
    """Return `structure` strained, and displaced along what its symmetry leaves free, by random amounts."""
    from xtal_fit.symmetry import free_directions

    random = np.random.default_rng(seed)
    lattice, fractional = structure.lattice.matrix, structure.frac_coords
    directions = free_directions(lattice, fractional, np.array(structure.atomic_numbers))
    amounts = random.choice([-1, 1], directions.n_directions).astype(float)
    amounts[: directions.n_strains] *= strain
    amounts[directions.n_strains :] *= shift
    change = directions.columns @ amounts
    (e1, e2, e3, e4, e5, e6), shifts = change[:6], change[6:].reshape(-1, 3)
    strain_tensor = np.array([[e1, e6 / 2, e5 / 2], [e6 / 2, e2, e4 / 2], [e5 / 2, e4 / 2, e3]])
    return Structure(lattice @ (np.eye(3) + strain_tensor), structure.species, fractional + shifts)


def metric(lattice):
    return lattice @ lattice.T


@pytest.mark.parametrize("name", ["rutile", "wurtzite"])
def test_a_perturbed_structure_finds_back_to_the_one_that_made_the_pattern(
    request, simulator, target_of, trial_of, name
):
    truth = request.getfixturevalue(name)
    start = trial_of(perturbed(truth), SIZED)
    (found,) = fit(simulator, target_of(truth), [start], [], 30, OBSERVATIONS)
    assert found.residual < 1e-5
    np.testing.assert_allclose(np.linalg.norm(found.lattice, axis=1), truth.lattice.abc, rtol=1e-4)
    difference = found.fractional - truth.frac_coords
    np.testing.assert_allclose(difference - difference.mean(0), 0, atol=1e-3)


def test_a_structure_in_p1_finds_back_too(simulator, target_of, trial_of, rutile):
    random = np.random.default_rng(7)
    moved = Structure(rutile.lattice, rutile.species, rutile.frac_coords + 0.005 * random.normal(size=(6, 3)))
    (found,) = fit(simulator, target_of(rutile), [trial_of(moved, SIZED, keep_symmetry=False)], [], 40, OBSERVATIONS)
    assert found.residual < 1e-4
    np.testing.assert_allclose(np.sort(np.linalg.norm(found.lattice, axis=1)), sorted(rutile.lattice.abc), rtol=2e-3)


def test_where_a_fit_ends_every_direction_leads_uphill(simulator, target_of, trial_of, rutile, wurtzite):
    wrong = Structure(wurtzite.lattice, ["Ti", "Ti", "O", "O"], wurtzite.frac_coords)
    target = target_of(rutile, smoothing=0.05)
    (found,) = fit(simulator, target, [trial_of(wrong, SIZED)], [], 40, 1e9)
    steps = 1e-3 * np.concatenate([np.eye(3), -np.eye(3)])
    moved = fit(simulator, target, [found.stepped(step, SIZED) for step in steps], [], 0, 1e9)
    # Converged to within the fraction by which a last step may have lowered it.
    assert min(trial.residual for trial in moved) > found.residual * (1 - 1e-3)


def test_no_step_makes_a_structure_worse_or_leaves_its_bounds(simulator, target_of, trial_of, baddeleyite, rutile):
    target = target_of(rutile, smoothing=0.1)
    width = ProfileParameter("gaussian_sigma", 0.01, 0.03)
    start = trial_of(baddeleyite, replace(SIZED, gaussian_sigma=0.02))
    (state,) = fit(simulator, target, [start], [width], 0, OBSERVATIONS)
    for _ in range(4):
        (after,) = fit(simulator, target, [state], [width], 1, 1e9)
        assert after.residual <= state.residual
        assert 0.01 <= after.profile.gaussian_sigma <= 0.03
        strain = np.linalg.inv(state.lattice) @ after.lattice - np.eye(3)
        assert np.abs(strain).max() <= 3 * LARGEST_STRAIN
        shifts = (after.fractional - state.fractional) @ state.lattice
        assert np.abs(shifts).max() <= 9 * LARGEST_DISPLACEMENT
        state = after


def test_only_strains_are_varied_when_displacements_are_held(simulator, target_of, trial_of, rutile):
    start = replace(trial_of(perturbed(rutile, strain=0.005), SIZED), displaced=False)
    (found,) = fit(simulator, target_of(rutile, smoothing=0.1), [start], [], 10, OBSERVATIONS)
    np.testing.assert_array_equal(found.fractional, start.fractional)
    assert not np.allclose(found.lattice, start.lattice)


def test_the_profile_is_refined_together_with_the_structure(simulator, target_of, trial_of, rutile):
    true = Profile(crystallite_size=100.0, gaussian_sigma=0.02, zero_shift=0.06, b_iso=0.8)
    parameters = [
        ProfileParameter("gaussian_sigma", 0.002, 0.1),
        ProfileParameter("zero_shift", -0.3, 0.3, 0.0, 0.1),
        ProfileParameter("b_iso", 0.0, 6.0, 0.5, 0.5),
    ]
    start = trial_of(perturbed(rutile, strain=0.004), Profile(crystallite_size=100.0, gaussian_sigma=0.01, b_iso=0.5))
    (found,) = fit(simulator, target_of(rutile, true), [start], parameters, 40, OBSERVATIONS)
    assert found.profile.gaussian_sigma == pytest.approx(0.02, abs=1e-3)
    assert found.profile.zero_shift == pytest.approx(0.06, abs=3e-3)
    assert found.profile.b_iso == pytest.approx(0.8, abs=0.02)
    assert found.profile.crystallite_size == 100.0


def test_an_anchor_holds_atoms_through_fit_after_fit_that_each_would_move_them_on(
    simulator, target_of, trial_of, rutile, baddeleyite
):
    """The pattern is that of another structure, so that moving atoms always helps a little."""
    target = target_of(rutile, smoothing=0.1)
    free = trial_of(baddeleyite, SIZED)
    held = replace(free, anchor=free.fractional)

    def farthest(trial):
        return np.abs((trial.fractional - free.fractional) @ free.lattice).max()

    moves = {False: [], True: []}
    for anchored, start in ((False, free), (True, held)):
        trial = start
        for _ in range(6):
            (trial,) = fit(simulator, target, [trial], [], 15, OBSERVATIONS)
            moves[anchored].append(farthest(trial))
    assert moves[False][-1] > 1.2 * moves[False][0]
    assert moves[True][-1] < 1.2 * moves[True][0]


def test_atoms_that_are_not_displaced_stay_where_they_are_put(simulator, target_of, trial_of, rutile):
    moved = trial_of(perturbed(rutile, strain=0.005), SIZED).undisplaced(rutile.frac_coords)
    (found,) = fit(simulator, target_of(rutile), [moved], [], 20, OBSERVATIONS)
    assert found.directions.n_directions == found.directions.n_strains == 2
    np.testing.assert_array_equal(found.fractional, rutile.frac_coords)
    np.testing.assert_allclose(found.lattice, rutile.lattice.matrix, atol=2e-3)


def test_expectations_do_not_bias_a_good_fit_and_hold_a_poor_one(simulator, target_of, trial_of, rutile, wurtzite):
    """The true zero shift is five of its expected uncertainties from where it is expected."""
    target = target_of(rutile, replace(SIZED, zero_shift=0.05))
    expected = ProfileParameter("zero_shift", -0.3, 0.3, 0.0, 0.01)
    (good,) = fit(simulator, target, [trial_of(perturbed(rutile, 0.002), SIZED)], [expected], 30, OBSERVATIONS)
    assert good.profile.zero_shift == pytest.approx(0.05, abs=2e-3)
    # A cell that is too small and cannot change: a zero shift would help, for the wrong reason.
    small = trial_of(Structure(Lattice(rutile.lattice.matrix * 0.995), rutile.species, rutile.frac_coords), SIZED)
    hopeless = replace(small, displaced=False, directions=replace(small.directions, n_strains=0))
    (poor,) = fit(simulator, target, [hopeless], [expected], 30, OBSERVATIONS)
    (free,) = fit(simulator, target, [hopeless], [replace(expected, expected=None)], 30, OBSERVATIONS)
    assert abs(poor.profile.zero_shift) < 0.03 < abs(free.profile.zero_shift)


def test_side_workers_find_what_one_process_finds(
    simulator, target_of, trial_of, rutile, wurtzite, baddeleyite, monkeypatch
):
    monkeypatch.setattr(workers, "TRIAL", -1.0)
    target = target_of(rutile, smoothing=0.05)
    starts = [trial_of(perturbed(structure), SIZED) for structure in (baddeleyite, rutile, wurtzite)]
    one = fit(simulator, target, starts, [], 6, OBSERVATIONS)
    with workers.SideWorkers(2, "fit") as side:
        side.map(len, [(), ()])  # starts the worker
        while not side._ready():
            time.sleep(0.05)
        two = fit(simulator, target, starts, [], 6, OBSERVATIONS, workers=side)
        assert fit(simulator, target, [], [], 6, OBSERVATIONS, workers=side) == []
    for single, double in zip(one, two, strict=True):
        assert double.residual == pytest.approx(single.residual, rel=1e-6)
        np.testing.assert_allclose(double.lattice, single.lattice, rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(double.numbers, single.numbers)


def test_a_structure_without_free_parameters_is_only_compared(simulator, target_of, trial_of, rutile):
    start = trial_of(rutile, SIZED)
    fixed = replace(start, directions=replace(start.directions, columns=np.empty((24, 0)), n_strains=0))
    (found,) = fit(simulator, target_of(rutile), [fixed], [], 5, OBSERVATIONS)
    assert found.residual < 1e-6
    np.testing.assert_array_equal(found.lattice, start.lattice)


def test_a_parameter_held_at_its_bound_does_not_keep_the_others_waiting(simulator, target_of, trial_of, wurtzite):
    """Size and strain both widen peaks: pushed below zero, the one takes back what the other gains."""
    true = Profile(strain_hwhm=0.004, gaussian_sigma=0.01)
    target = target_of(wurtzite, true)
    lorentzian = ProfileParameter("lorentzian_hwhm", 0.0, 0.1)
    others = [ProfileParameter("strain_hwhm", 0.0, 0.03), ProfileParameter("gaussian_sigma", 0.001, 0.1)]
    start = trial_of(wurtzite, Profile(lorentzian_hwhm=0.01, gaussian_sigma=0.02))
    free, held = (
        fit(simulator, target, [start], [lorentzian, *others], 25, 1e9, converged=1e-8, hold_bounds=hold)[0]
        for hold in (False, True)
    )
    assert held.residual <= free.residual
    assert held.profile.lorentzian_hwhm == pytest.approx(0, abs=1e-4)
    assert held.profile.strain_hwhm == pytest.approx(0.004, abs=1e-4)


def test_a_step_with_held_parameters_is_that_of_bounded_least_squares():
    random = np.random.default_rng(4)
    jacobian, misfit = random.normal(size=(30, 6)), random.normal(size=30)
    low, high = np.array([[True, False, True, False, False, False], [False, True, False, False, False, True]])
    step = _solve_held(jacobian.T @ jacobian, jacobian.T @ misfit, low, high)
    bounds = (np.where(low, -1e-12, -np.inf), np.where(high, 1e-12, np.inf))
    np.testing.assert_allclose(step, lsq_linear(jacobian, misfit, bounds, tol=1e-14).x, atol=1e-6)


def test_a_fit_says_whether_it_converged(simulator, target_of, trial_of, wurtzite):
    target, start = target_of(wurtzite), trial_of(perturbed(wurtzite), SIZED)
    after = {steps: fit(simulator, target, [start], [], steps, OBSERVATIONS)[0] for steps in (0, 2, 60)}
    assert [trial.converged for trial in after.values()] == [False, False, True]


def test_a_cell_stays_within_its_window_and_goes_as_far_as_that_allows(simulator, target_of, trial_of, rutile):
    squeezed = rutile.copy()
    squeezed.apply_strain([-0.02, -0.02, -0.004])
    start = trial_of(squeezed, SIZED)
    lengths = np.linalg.norm(start.lattice, axis=1)
    limited = replace(start, window=np.outer([0.99, 1.01], lengths))
    (found,) = fit(simulator, target_of(rutile, smoothing=0.1), [limited], [], 30, 1e9)
    assert np.linalg.norm(found.lattice, axis=1)[:2] == pytest.approx(1.01 * lengths[:2], rel=1e-9)
    assert abs(np.linalg.norm(found.lattice, axis=1)[2] / lengths[2] - 1) < 0.01
    assert found.lattice @ found.lattice.T == pytest.approx(np.diag(np.diag(found.lattice @ found.lattice.T)), abs=1e-9)
    (free,) = fit(simulator, target_of(rutile, smoothing=0.1), [start], [], 30, 1e9)
    assert np.linalg.norm(free.lattice, axis=1) == pytest.approx(rutile.lattice.abc, rel=1e-3)


@pytest.mark.parametrize("name", ["triclinic", "baddeleyite", "wurtzite"])
def test_no_step_leaves_the_window_in_any_crystal_system(request, trial_of, name):
    start = trial_of(request.getfixturevalue(name), SIZED)
    lengths = np.linalg.norm(start.lattice, axis=1)
    trial = replace(start, window=np.outer([0.98, 1.02], lengths))
    random = np.random.default_rng(9)
    for _ in range(30):
        trial = trial.stepped(0.03 * random.normal(size=trial.directions.n_directions), SIZED)
        reached = np.linalg.norm(trial.lattice, axis=1) / lengths
        assert ((reached > 0.98 - 1e-9) & (reached < 1.02 + 1e-9)).all()
