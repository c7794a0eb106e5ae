"""Densities drawn from a network."""

import numpy as np
import pytest
import torch

from xtal_core.testing.problems import problem_of
from xtal_crystalnet.sampling import draw_densities, threads
from xtal_crystalnet.saved_model import load_crystalnet


@pytest.fixture(scope="module")
def model(weights):
    return load_crystalnet(str(weights), "cpu")


@pytest.fixture(scope="module")
def problem(salt, simulator):
    return problem_of(salt, simulator)


def draws_of(model, problem, n=3, seed=0):
    return draw_densities(model, problem.pattern, problem.formula, n, np.random.default_rng(seed))


def test_a_map_is_the_density_at_its_points(model, problem):
    draws = draws_of(model, problem)
    maps = draws.maps((4, 5, 6))
    assert maps.shape == (3, 4, 5, 6)
    assert maps[:, 1, 2, 3] == pytest.approx(draws.at(np.array([[1 / 4, 2 / 5, 3 / 6]]))[:, 0], rel=1e-4, abs=1e-6)
    assert maps.min() >= 0


def test_draws_differ_but_for_the_seed(model, problem):
    points = np.random.default_rng(1).random((50, 3))
    first, again, other = (draws_of(model, problem, seed=seed).at(points) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert np.array_equal(first[0], other[0])  # that of the mean
    assert not np.allclose(first[1], other[1], rtol=1e-6)


def test_the_lattice_is_predicted_by_networks_that_learn_it(model, problem, save_weights):
    lattice = draws_of(model, problem).lattice
    assert lattice.shape == (3, 3)
    assert np.linalg.det(lattice) > 0
    blind = load_crystalnet(str(save_weights(lattice_head=False)), "cpu")
    assert draws_of(blind, problem).lattice is None


def test_threads_are_as_before_afterwards():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
