"""Derivatives by the profile where they are hardest to get right, and by every coordinate.

The conformance suite checks strains and a typical profile.
"""

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.interfaces import PROFILE_PARAMETERS
from xtal_core.measurement import Profile

HWHM = PROFILE_PARAMETERS.index("lorentzian_hwhm")

PROFILES = [
    Profile(10.0, 0.085, 0.001, 0.2, -0.1),
    Profile(300.0, 0.01, 0.02, 2.0, 0.2),
    Profile(60.0, 2e-4, 0.005, 0.5, 0.1),
    Profile(1000.0, 0.05, 0.002, 0.1, 0.01),
]


def no_directions(batch):
    return [np.zeros((6 + 3 * n, 0)) for n in batch.counts]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", PROFILE_PARAMETERS)
def test_derivatives_by_the_profile_are_those_of_finite_differences(simulator, batch, axis, profile, name):
    jacobian = simulator.linearise(batch, axis, [profile], no_directions(batch)).profile_jacobian
    step = 1e-4 * getattr(profile, name)
    low, high = (
        simulator.simulate(batch, axis, [replace(profile, **{name: getattr(profile, name) + sign * step})])
        for sign in (-1, 1)
    )
    expected = (high - low) / (2 * step)
    actual = jacobian[..., PROFILE_PARAMETERS.index(name)]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=5e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("profile", "tolerance"), [(Profile(80.0, 0.03), 1e-6), (Profile(None, 0.03), 1e-3)])
def test_a_lorentzian_may_grow_from_nothing(simulator, batch, axis, profile, tolerance):
    """Of a pure Gaussian only the farthest tails of what the Lorentzian would add are missing."""
    jacobian = simulator.linearise(batch, axis, [profile], no_directions(batch)).profile_jacobian[..., HWHM]
    h = 1e-5
    p = [simulator.simulate(batch, axis, [replace(profile, lorentzian_hwhm=n * h)]) for n in range(4)]
    expected = (-11 * p[0] + 18 * p[1] - 9 * p[2] + 2 * p[3]) / (6 * h)
    np.testing.assert_allclose(jacobian, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_derivatives_by_every_coordinate_are_those_of_finite_differences(simulator, batch, axis):
    """With partial occupancies, for which the conformance suite has no crystal."""
    profile = Profile(120.0, 0.02)
    solid_solution = batch.select([2])
    n = int(solid_solution.counts[0])
    # Atoms sit on special positions, where first derivatives vanish: move them off first.
    moved = replace(
        solid_solution, fractional=solid_solution.fractional + np.random.default_rng(1).normal(0, 0.03, (n, 3))
    )
    jacobian = simulator.linearise(moved, axis, [profile], [np.eye(6 + 3 * n)]).structure_jacobian[0, :, 6:]
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
