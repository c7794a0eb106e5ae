"""The two interpolations on which the speed of G(r) rests."""

import numpy as np
import pytest

from xtal_pair_distribution.deposit import Deposit
from xtal_pair_distribution.widths import TOLERANCE, WidthNodes


def test_points_on_a_grid_keep_their_moments():
    random = np.random.default_rng(0)
    positions, weights = random.uniform(3, 26, 50), random.normal(size=50)
    deposit = Deposit(1, 30, between_levels=False)
    deposit.add(positions, np.zeros(50, int), weights)
    for power in range(6):
        assert deposit.grid()[0] @ np.arange(30.0) ** power == pytest.approx(weights @ positions**power, rel=1e-9)


def test_points_between_levels_keep_their_moments_along_both_axes():
    random = np.random.default_rng(1)
    positions, levels, weights = random.uniform(3, 26, 50), random.uniform(1, 6, 50), random.normal(size=50)
    deposit = Deposit(9, 30, between_levels=True)
    deposit.add(positions, levels, weights)
    for power, level_power in ((0, 0), (5, 0), (0, 3), (4, 2)):
        calculated = np.arange(9.0) ** level_power @ deposit.grid() @ np.arange(30.0) ** power
        assert calculated == pytest.approx(weights @ (positions**power * levels**level_power), rel=1e-9)


def test_points_on_levels_stay_there_and_parts_add_up():
    positions, levels, weights = np.array([4.0, 9.0, 9.0]), np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0])
    deposit = Deposit(3, 15, between_levels=False)
    deposit.add(positions[:2], levels[:2], weights[:2])
    deposit.add(positions[2:], levels[2:], weights[2:])
    expected = np.zeros((3, 15))
    expected[0, 4], expected[2, 9] = 1, 5
    assert deposit.grid() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ratio", [1.0, 1.05, 2.0, 8.0, 50.0])
def test_few_gaussians_stand_for_those_of_any_width_between(ratio):
    low = 0.004
    nodes = WidthNodes.spanning(low, low * ratio)
    squares = np.append(np.geomspace(low, low * ratio, 200), nodes.squares)
    q = np.linspace(0, 100, 400)
    approximate = nodes.shares(squares, np.ones(len(squares))).T @ np.exp(-0.5 * nodes.squares[:, None] * q**2)
    assert np.abs(approximate - np.exp(-0.5 * squares[:, None] * q**2)).max() < 2 * TOLERANCE


def test_widths_that_hardly_differ_need_few_nodes():
    assert [len(WidthNodes.spanning(1.0, ratio).squares) for ratio in (1.0, 1.05, 4.0)] == [1, 4, 9]
