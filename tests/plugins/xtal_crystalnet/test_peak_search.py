"""Maxima of maps, and whether atoms have room there, against loops over all neighbours and images."""

from itertools import product

import numpy as np
import pytest

from xtal_crystalnet.peak_search import CLOSEST_CONTACT, maxima, room_for, vertices

#: Å: covalent radius of silicon (Cordero et al. 2008).
SILICON = 1.11

#: A rhombohedral cell with 20° between its axes: points near each other differ by much in fractional coordinates.
SHARP = np.array([[2.0, 0.0, 9.8], [-1.0, np.sqrt(3), 9.8], [-1.0, -np.sqrt(3), 9.8]])


def shortest(lattice, first, second):
    images = [first - second + np.array(shift) for shift in product(range(-4, 5), repeat=3)]
    return np.linalg.norm(images @ lattice, axis=1).min()


def test_maxima_are_below_none_of_their_neighbours():
    values = np.random.default_rng(3).normal(size=(9, 10, 11))
    expected = [
        index
        for index in np.ndindex(values.shape)
        if values[index] > 0
        and all(
            values[index] >= values[tuple((np.array(index) + step) % values.shape)]
            for step in product((-1, 0, 1), repeat=3)
        )
    ]
    found = maxima(values)
    assert sorted(map(tuple, found.tolist())) == sorted(expected)
    assert (np.diff(values[tuple(found.T)]) <= 0).all()


def test_a_map_without_positive_values_has_no_maxima():
    assert maxima(-np.ones((5, 5, 5))).shape == (0, 3)


@pytest.mark.parametrize("position", [(0.501, 0.497, 0.013), (0.992, 0.008, 0.25)])
def test_vertices_lie_between_points(position):
    axes = [np.cos(2 * np.pi * (np.arange(n) / n - x)) for n, x in zip((30, 32, 40), position, strict=True)]
    values = 3 + axes[0][:, None, None] + axes[1][:, None] + axes[2]
    found = vertices(values, maxima(values)[:1])[0]
    difference = found - position
    assert np.abs(difference - np.round(difference)).max() < 2e-4


@pytest.mark.parametrize("lattice", [np.diag([3.0, 4.0, 9.0]), SHARP], ids=["orthorhombic", "rhombohedral"])
def test_atoms_have_room_where_no_other_is_too_close(lattice):
    random = np.random.default_rng(5)
    places, taken = random.random((40, 3)), random.random((2, 3))
    expected = []
    for i, place in enumerate(places):
        others = [*taken, *places[expected]]
        if all(shortest(lattice, place, other) > 2 * CLOSEST_CONTACT * SILICON for other in others):
            expected.append(i)
    assert 1 < len(expected) < 40
    assert room_for(lattice, places, 14, 40, taken, np.array([14, 14])).tolist() == expected
    assert room_for(lattice, places, 14, 2, taken, np.array([14, 14])).tolist() == expected[:2]


@pytest.mark.parametrize(("other", "n"), [(1, 1), (14, 1), (55, 0)], ids=["hydrogen", "silicon", "caesium"])
def test_larger_atoms_need_more_room(other, n):
    """Two ångström from silicon: too little for caesium, whose radius is 2.44 Å."""
    found = room_for(np.eye(3) * 8, np.array([[0, 0, 0.25]]), 14, 1, np.zeros((1, 3)), np.array([other]))
    assert len(found) == n


def test_nothing_taken_leaves_room_for_all():
    places = np.array([[0.1, 0.1, 0.1], [0.6, 0.6, 0.6]])
    assert room_for(np.eye(3) * 6, places, 26, 5, np.empty((0, 3)), np.empty(0, int)).tolist() == [0, 1]
