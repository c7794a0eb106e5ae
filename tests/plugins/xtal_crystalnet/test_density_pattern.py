"""Patterns of densities, without atoms."""

import numpy as np
import pytest

from xtal_core.cells import CellBatch
from xtal_core.testing.problems import problem_of
from xtal_crystalnet.density_map import electron_density
from xtal_crystalnet.density_pattern import EDGE_FACTORS, fit_pattern, reflections


@pytest.fixture(scope="module", params=["salt", "quartz"])
def crystal(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def density(crystal):
    return electron_density(CellBatch.from_structures([crystal]))


def test_structure_factors_are_those_of_the_atoms(salt):
    """All even indices: 4 (f(Na) + f(Cl)), all odd: the difference; mixed: none. f(0) is the atomic number."""
    density = electron_density(CellBatch.from_structures([salt]))
    q, squared = reflections(density.values, density.lattice, 4.0)
    found = {round(float(value), 2): float(np.sqrt(factor)) for value, factor in zip(q, squared, strict=True)}
    edge = 2 * np.pi / 5.64
    for h, expected in (((1, 1, 1), 4 * (17 - 11)), ((2, 0, 0), 4 * (17 + 11))):
        amplitude = found[round(edge * np.linalg.norm(h), 2)]
        assert 0.5 * expected < amplitude < expected
    assert found[round(edge, 2)] < 0.1


def test_the_true_density_describes_the_pattern(crystal, density, simulator):
    pattern = problem_of(crystal, simulator).pattern
    fit = fit_pattern(density.values, density.lattice, pattern, scan=False)
    assert fit.residual < 0.01
    assert fit.edge_factor == 1


def test_the_volume_is_found(crystal, density, simulator):
    pattern = problem_of(crystal, simulator).pattern
    fit = fit_pattern(density.values, density.lattice / 1.04, pattern, scan=True)
    step = EDGE_FACTORS[1] / EDGE_FACTORS[0] - 1
    assert fit.edge_factor == pytest.approx(1.04, abs=step)
    assert fit.residual < 0.05


def test_another_density_describes_the_pattern_worse(crystal, density, simulator):
    pattern = problem_of(crystal, simulator).pattern
    random = np.random.default_rng(0)
    other = random.permutation(density.values.reshape(-1)).reshape(density.shape)
    assert fit_pattern(other, density.lattice, pattern, scan=True).residual > 0.3
