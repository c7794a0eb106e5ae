import numpy as np
import pytest
from pymatgen.core import Lattice

from xtal_powder.reflections import reflections_within

LATTICES = {
    "cubic": np.diag([4.0, 4.0, 4.0]),
    "hexagonal": Lattice.hexagonal(3.2, 5.1).matrix,
    "triclinic": Lattice.from_parameters(4.2, 5.3, 6.1, 97, 103, 81).matrix,
    "needle": np.diag([2.5, 3.0, 60.0]),
    "skewed": np.array([[1, 5, -7], [0, 1, 4], [0, 0, 1]]) @ Lattice.from_parameters(4.2, 5.3, 6.1, 97, 103, 81).matrix,
    "left-handed": np.diag([4.0, 4.0, -5.0]),
}


def by_brute_force(lattice, g_max):
    """Return all (h, k, l) with 0 < |g| ≤ g_max from a box that certainly holds them."""
    bound = np.ceil(np.linalg.norm(lattice, axis=1) * g_max).astype(int)
    hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in bound), indexing="ij"), -1).reshape(-1, 3)
    length = np.linalg.norm(hkl @ np.linalg.inv(lattice).T, axis=1)
    return {tuple(index) for index in hkl[(length > 0) & (length <= g_max)].tolist()}


@pytest.mark.parametrize("name", LATTICES)
def test_reflections_are_those_found_by_brute_force_one_of_each_friedel_pair(name):
    hkl, counts = reflections_within(LATTICES[name][None], np.array([0.9171]))
    found = {tuple(index) for index in hkl.astype(int).tolist()}
    assert len(found) == len(hkl) == counts[0]
    mates = {tuple(-index for index in hkl) for hkl in found}
    assert not found & mates
    assert found | mates == by_brute_force(LATTICES[name], 0.9171)


def test_lattices_of_a_batch_keep_their_own_limits():
    lattices = np.array(list(LATTICES.values()))
    limits = np.linspace(0.3, 0.95, len(lattices))
    together, counts = reflections_within(lattices, limits)
    parts = np.split(together, np.cumsum(counts)[:-1])
    for part, lattice, limit in zip(parts, lattices, limits, strict=True):
        np.testing.assert_array_equal(part, reflections_within(lattice[None], np.array([limit]))[0])


def test_a_sphere_smaller_than_the_first_reflection_is_empty():
    hkl, counts = reflections_within(
        np.array([np.diag([4.0, 4.0, 4.0]), np.diag([9.0, 9.0, 9.0])]), np.array([0.15, 0.15])
    )
    assert counts.tolist() == [0, 3]
    assert hkl.shape == (3, 3)


def test_a_reflection_on_the_sphere_is_inside():
    _, counts = reflections_within(np.array([np.diag([4.0, 4.0, 4.0])]), np.array([0.25]))
    assert counts.tolist() == [3]
