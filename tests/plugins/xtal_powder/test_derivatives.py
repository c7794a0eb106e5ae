"""Derivatives by the profile where they are hardest to get right, and by every coordinate.

The conformance suite checks strains and a typical profile.
"""

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.interfaces import PROFILE_PARAMETERS
from xtal_core.measurement import Profile

CONSTANT = ("crystallite_size", "gaussian_sigma", "lorentzian_hwhm", "b_iso", "zero_shift")

#: Peaks of constant widths, and others.
PROFILES = [
    Profile(10.0, 0.085, 0.001, 0.2, -0.1),
    Profile(300.0, 0.01, 0.02, 2.0, 0.2),
    Profile(60.0, 2e-4, 0.005, 0.5, 0.1),
    Profile(1000.0, 0.05, 0.002, 0.1, 0.01),
]
VARYING = [
    Profile(500.0, 1e-3, 2e-4, 0.5, 0.05, 1e-3, 5e-4, 0.05, 0.02, -0.1, 0.6, (0, 1, 1)),
    Profile(20.0, 0.01, 0.002, 0.5, -0.1, 0.02, 0.003, 0.3, 0.1, 0.2, 1.8, (0, 0, 1)),
    Profile(100.0, 1e-3, 3e-3, 0.5, -0.1, 1e-4, 4e-3, 0.4, 0.01, 0.2, 0.3, (1, 2, -1)),
]
CASES = [(profile, name) for profile in PROFILES for name in CONSTANT]
CASES += [(profile, name) for profile in VARYING for name in PROFILE_PARAMETERS]


def no_directions(batch):
    return [np.zeros((6 + 3 * n, 0)) for n in batch.counts]


@pytest.mark.parametrize(("profile", "name"), CASES)
def test_derivatives_by_the_profile_are_those_of_finite_differences(simulator, batch, axis, profile, name):
    actual = simulator.linearise(batch, axis, [profile], no_directions(batch), [name]).profile_jacobian[..., 0]
    step = 1e-4 * abs(getattr(profile, name))
    low, high = (
        simulator.simulate(batch, axis, [replace(profile, **{name: getattr(profile, name) + sign * step})])
        for sign in (-1, 1)
    )
    expected = (high - low) / (2 * step)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=5e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("profile", "tolerance"), [(Profile(80.0, 0.03), 1e-6), (Profile(None, 0.03), 1e-3)])
def test_a_lorentzian_may_grow_from_nothing(simulator, batch, axis, profile, tolerance):
    """Of a pure Gaussian only the farthest tails of what the Lorentzian would add are missing."""
    linear = simulator.linearise(batch, axis, [profile], no_directions(batch), ["lorentzian_hwhm"])
    h = 1e-5
    p = [simulator.simulate(batch, axis, [replace(profile, lorentzian_hwhm=n * h)]) for n in range(4)]
    expected = (-11 * p[0] + 18 * p[1] - 9 * p[2] + 2 * p[3]) / (6 * h)
    np.testing.assert_allclose(
        linear.profile_jacobian[..., 0], expected, rtol=0, atol=tolerance * np.abs(expected).max()
    )


@pytest.mark.parametrize("name", ["strain_hwhm", "instrument_hwhm"])
def test_a_lorentzian_that_varies_may_grow_from_nothing(simulator, batch, axis, name):
    profile = Profile(None, 0.01, strain_sigma=0.002)
    linear = simulator.linearise(batch, axis, [profile], no_directions(batch), [name])
    h = 1e-4 if name == "strain_hwhm" else 1e-2
    p = [simulator.simulate(batch, axis, [replace(profile, **{name: n * h})]) for n in range(4)]
    expected = (-11 * p[0] + 18 * p[1] - 9 * p[2] + 2 * p[3]) / (6 * h)
    np.testing.assert_allclose(linear.profile_jacobian[..., 0], expected, rtol=0, atol=1e-3 * np.abs(expected).max())


def test_derivatives_by_every_coordinate_are_those_of_finite_differences(simulator, batch, axis):
    """With partial occupancies, for which the conformance suite has no crystal."""
    profile = Profile(120.0, 0.02)
    solid_solution = batch.select([2])
    n = int(solid_solution.counts[0])
    # Atoms sit on special positions, where first derivatives vanish: move them off first.
    moved = replace(
        solid_solution, fractional=solid_solution.fractional + np.random.default_rng(1).normal(0, 0.03, (n, 3))
    )
    jacobian = simulator.linearise(moved, axis, [profile], [np.eye(6 + 3 * n)], ()).structure_jacobian[0, :, 6:]
    h = 1e-5
    for coordinate in range(3 * n):
        shift = np.zeros(3 * n)
        shift[coordinate] = h
        high, low = (
            simulator.simulate(
                replace(moved, fractional=moved.fractional + sign * shift.reshape(n, 3)), axis, [profile]
            )
            for sign in (1, -1)
        )
        np.testing.assert_allclose(
            jacobian[:, coordinate], (high - low)[0] / (2 * h), rtol=0, atol=1e-6 * np.abs(jacobian).max()
        )


@pytest.mark.parametrize("profile", VARYING)
def test_derivatives_by_strains_include_that_a_moving_peak_changes_its_width(simulator, batch, axis, profile):
    """Relative to its other changes by as much as the peak is wide relative to Q."""
    directions = [np.eye(6 + 3 * n)[:, :6] for n in batch.counts]
    jacobian = simulator.linearise(batch, axis, [profile], directions, ()).structure_jacobian
    h = 2e-6
    for component, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        strain = np.zeros((3, 3))
        strain[i, j] += h / 2
        strain[j, i] += h / 2
        high, low = (
            simulator.simulate(replace(batch, lattices=batch.lattices @ (np.eye(3) + sign * strain)), axis, [profile])
            for sign in (1, -1)
        )
        for actual, expected in zip(jacobian, (high - low) / (2 * h), strict=True):
            # Some components change nothing in a cubic crystal: all are compared with the largest.
            np.testing.assert_allclose(actual[:, component], expected, rtol=0, atol=5e-6 * np.abs(actual).max())


def test_directions_may_come_in_any_order(simulator, batch, axis):
    """Strains need not come first."""
    random = np.random.default_rng(3)
    orders = [random.permutation(6 + 3 * n) for n in batch.counts]
    profile = [VARYING[0]]
    straight, mixed = (
        simulator.linearise(batch, axis, profile, directions, ()).structure_jacobian
        for directions in (
            [np.eye(len(order)) for order in orders],
            [np.eye(len(order))[:, order] for order in orders],
        )
    )
    for index, order in enumerate(orders):
        expected = straight[index][:, order]
        np.testing.assert_allclose(mixed[index][:, : len(order)], expected, rtol=0, atol=1e-9 * np.abs(expected).max())
