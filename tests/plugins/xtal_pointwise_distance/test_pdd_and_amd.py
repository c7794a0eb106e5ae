import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from xtal_pointwise_distance.amd import AMDMetric
from xtal_pointwise_distance.earth_mover import earth_movers_distance
from xtal_pointwise_distance.neighbours import neighbour_distances_of_structures
from xtal_pointwise_distance.pdd import PDDMetric, PointwiseDistances
from xtal_pointwise_distance.plugin import AMDOptions, PDDOptions

K = 100
seeds = st.integers(0, 10_000)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def crystal(seed):
    random = np.random.default_rng(seed)
    n_atoms = int(random.integers(1, 7))
    lattice = np.diag(random.uniform(3, 7, 3)) + random.normal(0, 0.5, (3, 3))
    return Structure(lattice, ["H"] * n_atoms, random.random((n_atoms, 3)))


def pdd(first, second, **options):
    metric = PDDMetric(PDDOptions(**options))
    return metric.compare(metric.featurise([first]), metric.featurise([second]))[0, 0]


def amd(first, second, **options):
    metric = AMDMetric(AMDOptions(**options))
    return metric.compare(metric.featurise([first]), metric.featurise([second]))[0, 0]


@quick
@given(seeds, seeds, seeds)
def test_both_are_metrics(a, b, c):
    for metric in (PDDMetric(PDDOptions()), AMDMetric(AMDOptions())):
        features = metric.featurise([crystal(a), crystal(b), crystal(c)])
        matrix = metric.compare(features, features)
        assert (matrix >= 0).all()
        np.testing.assert_allclose(np.diag(matrix), 0, atol=1e-12)
        np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12)
        assert matrix[0, 2] <= matrix[0, 1] + matrix[1, 2] + 1e-12


@quick
@given(seeds, seeds)
def test_amd_is_a_lower_bound_of_pdd(a, b):
    assert amd(crystal(a), crystal(b)) <= pdd(crystal(a), crystal(b)) + 1e-12


@quick
@given(seeds, st.floats(1e-3, 0.3))
def test_displacing_atoms_changes_neither_by_more_than_twice_the_displacement(seed, size):
    structure = crystal(seed)
    shifts = np.random.default_rng(seed).normal(size=(len(structure), 3))
    shifts *= size / np.linalg.norm(shifts, axis=1, keepdims=True)
    displaced = Structure(
        structure.lattice, structure.species, structure.cart_coords + shifts, coords_are_cartesian=True
    )
    assert pdd(structure, displaced, collapse=0) <= 2 * size + 1e-9
    assert amd(structure, displaced) <= 2 * size + 1e-9


@quick
@given(seeds, seeds)
def test_pdd_is_the_cheapest_pairing_of_atoms(a, b):
    """In supercells of as many atoms, moving weights is pairing atoms with atoms."""
    first, second = crystal(a), crystal(b)
    sizes = len(first), len(second)
    first.make_supercell([sizes[1], 1, 1])
    second.make_supercell([sizes[0], 1, 1])
    rows, columns = neighbour_distances_of_structures([first, second], K, "pdd")
    costs = np.abs(rows[:, None, :] - columns[None, :, :]).max(axis=-1)
    cheapest = costs[linear_sum_assignment(costs)].mean()
    assert pdd(crystal(a), crystal(b), collapse=0) == pytest.approx(cheapest, abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (40, 25)])
def test_earth_movers_distance_is_the_optimum_of_the_linear_programme(shape):
    random = np.random.default_rng(shape)
    n, m = shape
    weights, targets, costs = random.dirichlet(np.ones(n)), random.dirichlet(np.ones(m)), random.random(shape)
    leaving, arriving = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    optimum = linprog(costs.ravel(), A_eq=np.vstack([leaving, arriving]), b_eq=np.concatenate([weights, targets]))
    assert earth_movers_distance(weights, targets, costs) == pytest.approx(optimum.fun, abs=1e-9)


def test_amd_of_two_cubic_lattices_is_the_difference_at_the_last_neighbour():
    small, large = (Structure(Lattice.cubic(edge), ["Po"], [[0, 0, 0]]) for edge in (3.0, 3.3))
    assert amd(small, large, k=32) == pytest.approx(0.3 * 2)  # the last of 32 neighbours is at 2 a
    assert pdd(small, large, k=32) == pytest.approx(0.3 * 2)


def test_amd_averages_over_the_atoms():
    hexagonal = crystal(5)
    (distances,) = neighbour_distances_of_structures([hexagonal], K, "amd")
    (average,) = AMDMetric(AMDOptions()).featurise([hexagonal])
    np.testing.assert_allclose(average, sum(distances) / len(distances), rtol=1e-12)


def test_rows_of_equivalent_atoms_are_merged():
    salt = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rutile = Structure.from_spacegroup(136, Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])
    merged_salt, merged_rutile = PDDMetric(PDDOptions()).featurise([salt, rutile])
    assert merged_salt.weights.tolist() == [1.0]  # species are ignored: a simple cubic lattice
    np.testing.assert_allclose(np.sort(merged_rutile.weights), [1 / 3, 2 / 3], rtol=1e-12)


def test_merged_rows_agree_within_the_tolerance_and_keep_the_mean():
    random = np.random.default_rng(3)
    rows = np.sort(random.random((60, 5)), axis=1).round(1)
    noisy = rows + random.uniform(-1, 1, rows.shape) * 1e-3
    merged = PointwiseDistances.from_neighbours(noisy, tolerance=2e-3)
    assert len(np.unique(rows, axis=0)) <= len(merged.weights) < 60
    assert cdist(noisy, merged.distances, "chebyshev").min(axis=1).max() <= 2e-3
    np.testing.assert_allclose(merged.weights @ merged.distances, noisy.mean(axis=0), rtol=1e-12)
    assert merged.weights.sum() == pytest.approx(1)


def test_merging_moves_the_distance_by_no_more_than_the_tolerance():
    first, second = crystal(11), crystal(12)
    assert pdd(first, second, collapse=0.05) == pytest.approx(pdd(first, second, collapse=0), abs=2 * 0.05)


def test_pdd_tells_apart_what_amd_cannot():
    """Averages can agree where the distributions do not: half the atoms near, half far, and all in between."""
    split = PointwiseDistances(np.array([0.5, 0.5]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    even = PointwiseDistances(np.ones(1), np.array([[2.0, 3.0]]))
    assert AMDMetric(AMDOptions(k=2)).compare([[2.0, 3.0]], [[2.0, 3.0]])[0, 0] == 0
    assert PDDMetric(PDDOptions(k=2)).compare([split], [even])[0, 0] == pytest.approx(1)


def test_importing_pot_loads_no_other_array_library_and_leaves_the_environment_alone():
    code = (
        "import os, sys; before = dict(os.environ); import xtal_pointwise_distance.earth_mover as e;"
        "assert dict(os.environ) == before, 'environment changed';"
        "print(sorted({'torch', 'jax', 'tensorflow', 'cupy'} & set(sys.modules)), e.ot.__name__)"
    )
    environment = os.environ | {"POT_BACKEND_DISABLE_JAX": "yes"}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert process.stdout.strip() == "[] ot"
