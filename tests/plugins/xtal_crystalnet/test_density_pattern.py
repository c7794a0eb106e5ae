"""Patterns of densities, without atoms."""

import numpy as np
import pytest

from xtal_core.cells import CellBatch
from xtal_core.testing.problems import problem_of
from xtal_crystalnet.density_map import electron_density
from xtal_crystalnet.density_pattern import DensityPattern, SmoothedPattern


@pytest.fixture(scope="module", params=["salt", "quartz"])
def crystal(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def density(crystal):
    return electron_density(CellBatch.from_structures([crystal]))


@pytest.fixture(scope="module")
def smoothed(crystal, simulator):
    return SmoothedPattern(problem_of(crystal, simulator).pattern)


def test_structure_factors_are_those_of_the_atoms(salt, simulator):
    """All even indices: 4 (f(Na) + f(Cl)), all odd: the difference; mixed: none. f(0) is the atomic number."""
    density = electron_density(CellBatch.from_structures([salt]))
    compared = DensityPattern(density.values, SmoothedPattern(problem_of(salt, simulator).pattern))
    found = {tuple(hkl): float(np.sqrt(s)) for hkl, s in zip(compared.hkl.astype(int), compared.squared, strict=True)}
    for hkl, expected in (((1, 1, 1), 4 * (17 - 11)), ((2, 0, 0), 4 * (17 + 11))):
        assert 0.5 * expected < density.volume * found[hkl] < expected
    assert density.volume * found[1, 0, 0] < 0.1
    assert all(tuple(-index for index in hkl) not in found for hkl in found)


def test_the_true_density_describes_the_pattern_in_its_own_cell_alone(density, smoothed):
    factors = np.array([1, 0.95, 0.99, 1.01, 1.05])
    found = DensityPattern(density.values, smoothed).residuals(factors[:, None, None] * density.lattice)
    assert found[0] < 0.01
    assert (found[1:] > 0.2).all()


def test_cells_that_are_a_little_off_are_good_enough_for_a_smoothed_pattern(density, smoothed):
    compared = DensityPattern(density.values, smoothed)
    sharp, smooth = (float(compared.residuals(1.01 * density.lattice[None], width)[0]) for width in (0.0, 0.1))
    assert smooth < 0.1 < sharp


def test_many_cells_are_as_one_at_a_time(density, smoothed, monkeypatch):
    compared = DensityPattern(density.values, smoothed)
    lattices = np.linspace(0.99, 1.01, 7)[:, None, None] * density.lattice
    together = compared.residuals(lattices)
    monkeypatch.setattr("xtal_crystalnet.density_pattern._AT_ONCE", 2 * len(smoothed.pattern.q))
    np.testing.assert_allclose(compared.residuals(lattices), together)
    alone = [float(compared.residuals(lattice[None])[0]) for lattice in lattices]
    # Each has its own strongest reflections then; those left out are weak.
    np.testing.assert_allclose(alone, together, atol=2e-3)


def test_another_density_describes_the_pattern_worse(density, smoothed):
    random = np.random.default_rng(0)
    other = random.permutation(density.values.reshape(-1)).reshape(density.shape)
    assert DensityPattern(other, smoothed).residuals(density.lattice[None])[0] > 0.3
