import os
import subprocess
import sys

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from random_crystals import crystal, displaced, quick, seeds
from xtal_core.interfaces import ComparesWithin
from xtal_pointwise_distance import earth_mover, pdd
from xtal_pointwise_distance.amd import AMDMetric, AverageDistances
from xtal_pointwise_distance.atoms import Atoms
from xtal_pointwise_distance.earth_mover import earth_movers_distance
from xtal_pointwise_distance.neighbours import neighbours_by_kind
from xtal_pointwise_distance.pdd import PDDMetric, PointwiseDistances, WeightedRows
from xtal_pointwise_distance.plugin import AMDOptions, PDDOptions

K = 100
ANY = (("", 1),)


def pdd_of(first, second, **options):
    metric = PDDMetric(PDDOptions(**options))
    return metric.compare(metric.featurise([first]), metric.featurise([second]))[0, 0]


def amd_of(first, second, **options):
    metric = AMDMetric(AMDOptions(**options))
    return metric.compare(metric.featurise([first]), metric.featurise([second]))[0, 0]


def rows_of(structure):
    (rows,) = neighbours_by_kind(Atoms.of(structure, "", "pdd", elements=False), K).values()
    return rows


@quick
@given(seeds, seeds)
def test_amd_is_a_lower_bound_of_pdd(a, b):
    assert amd_of(crystal(a), crystal(b)) <= pdd_of(crystal(a), crystal(b)) + 1e-12


@quick
@given(seeds, st.floats(1e-3, 0.3))
def test_displacing_atoms_changes_neither_by_more_than_twice_the_displacement(seed, size):
    structure = crystal(seed)
    moved = displaced(structure, size, seed)
    assert pdd_of(structure, moved, collapse=None) <= 2 * size + 1e-9
    assert amd_of(structure, moved) <= 2 * size + 1e-9


@quick
@given(seeds, seeds)
def test_pdd_is_the_cheapest_pairing_of_atoms(a, b):
    """In supercells of as many atoms, moving weights is pairing atoms with atoms."""
    first, second = crystal(a), crystal(b)
    sizes = len(first), len(second)
    first.make_supercell([sizes[1], 1, 1])
    second.make_supercell([sizes[0], 1, 1])
    costs = cdist(rows_of(first), rows_of(second), "chebyshev")
    cheapest = costs[linear_sum_assignment(costs)].mean()
    assert pdd_of(crystal(a), crystal(b), collapse=None) == pytest.approx(cheapest, abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 3), (40, 25)])
def test_earth_movers_distance_is_the_optimum_of_the_linear_programme(shape):
    random = np.random.default_rng(shape)
    n, m = shape
    weights, targets, costs = random.dirichlet(np.ones(n)), random.dirichlet(np.ones(m)), random.random(shape)
    leaving, arriving = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    optimum = linprog(costs.ravel(), A_eq=np.vstack([leaving, arriving]), b_eq=np.concatenate([weights, targets]))
    assert earth_movers_distance(weights, targets, costs) == pytest.approx(optimum.fun, abs=1e-9)


@quick
@given(seeds, st.integers(1, 20), st.integers(1, 20))
def test_earth_movers_distance_is_that_of_pots_public_function(seed, n, m):
    random = np.random.default_rng(seed)
    weights, targets, costs = random.dirichlet(np.ones(n)), random.dirichlet(np.ones(m)), random.random((n, m))
    assert earth_movers_distance(weights, targets, costs) == pytest.approx(
        ot.emd2(weights, targets, costs), rel=0, abs=1e-12
    )


def test_a_transport_that_is_not_found_is_an_error(monkeypatch):
    monkeypatch.setattr(earth_mover, "emd_c", lambda *_: (None, 1.0, None, None, 3))
    with pytest.raises(ArithmeticError, match="POT's solver returned 3"):
        earth_movers_distance(np.full(2, 0.5), np.full(2, 0.5), np.ones((2, 2)))


def test_amd_of_two_cubic_lattices_is_the_difference_at_the_last_neighbour():
    small, large = (Structure(Lattice.cubic(edge), ["Po"], [[0, 0, 0]]) for edge in (3.0, 3.3))
    assert amd_of(small, large, k=32) == pytest.approx(0.3 * 2)  # the last of 32 neighbours is at 2 a
    assert pdd_of(small, large, k=32) == pytest.approx(0.3 * 2)


def test_amd_averages_over_the_atoms():
    rows = rows_of(crystal(5))
    (feature,) = AMDMetric(AMDOptions()).featurise([crystal(5)])
    np.testing.assert_allclose(feature.distances, [sum(rows) / len(rows)], rtol=1e-12)


def test_rows_of_equivalent_atoms_are_merged():
    salt = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rutile = Structure.from_spacegroup(136, Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])
    merged = PDDMetric(PDDOptions()).featurise([salt, rutile])
    assert merged[0].parts[0].weights.tolist() == [1.0]  # species are ignored: a simple cubic lattice
    np.testing.assert_allclose(np.sort(merged[1].parts[0].weights), [1 / 3, 2 / 3], rtol=1e-12)


def test_without_merging_every_atom_keeps_its_row():
    rutile = Structure.from_spacegroup(136, Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])
    (feature,) = PDDMetric(PDDOptions(collapse=None)).featurise([rutile])
    assert feature.parts[0].weights.tolist() == [1 / 6] * 6
    np.testing.assert_array_equal(feature.parts[0].distances, rows_of(rutile))
    assert pdd_of(crystal(3), rutile, collapse=None) == pytest.approx(pdd_of(crystal(3), rutile), abs=2e-4)


def test_merged_rows_agree_within_the_tolerance_and_keep_the_mean():
    random = np.random.default_rng(3)
    rows = np.sort(random.random((60, 5)), axis=1).round(1)
    noisy = rows + random.uniform(-1, 1, rows.shape) * 1e-3
    merged = WeightedRows.of(noisy, tolerance=2e-3)
    assert len(np.unique(rows, axis=0)) <= len(merged.weights) < 60
    assert cdist(noisy, merged.distances, "chebyshev").min(axis=1).max() <= 2e-3
    np.testing.assert_allclose(merged.weights @ merged.distances, noisy.mean(axis=0), rtol=1e-12)
    assert merged.weights.sum() == pytest.approx(1)


def test_a_chain_of_near_rows_is_not_merged_into_one():
    """Three rows 1 apart from the next: the ends are 2 apart, more than the tolerance allows."""
    merged = WeightedRows.of(np.array([[0.0], [1.0], [2.1]]), tolerance=1.5)
    assert sorted(zip(merged.weights, merged.distances.ravel(), strict=True)) == [
        (pytest.approx(1 / 3), pytest.approx(2.1)),
        (pytest.approx(2 / 3), pytest.approx(0.5)),
    ]


def test_merging_moves_the_distance_by_no_more_than_the_tolerance():
    first, second = crystal(11), crystal(12)
    assert pdd_of(first, second, collapse=0.05) == pytest.approx(pdd_of(first, second, collapse=None), abs=2 * 0.05)


def test_pdd_tells_apart_what_amd_cannot():
    """Averages can agree where the distributions do not: half the atoms near, half far, and all in between."""
    split = PointwiseDistances(ANY, (WeightedRows(np.array([0.5, 0.5]), np.array([[1.0, 2.0], [3.0, 4.0]])),))
    even = PointwiseDistances(ANY, (WeightedRows(np.ones(1), np.array([[2.0, 3.0]])),))
    average = AverageDistances(ANY, np.array([[2.0, 3.0]]))
    np.testing.assert_array_equal([split.averages().distances, even.averages().distances], [average.distances] * 2)
    assert AMDMetric(AMDOptions(k=2)).compare([average], [average])[0, 0] == 0
    assert PDDMetric(PDDOptions(k=2)).compare([split], [even])[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("elements", [False, True])
@quick
@given(st.lists(seeds, min_size=2, max_size=6), st.floats(0.05, 2.0))
def test_within_a_limit_only_what_is_proven_to_be_above_is_left_out(elements, chosen, limit):
    metric = PDDMetric(PDDOptions(k=20, elements=elements))
    assert isinstance(metric, ComparesWithin)
    features = metric.featurise([crystal(seed, ("Na", "Cl"), 3) for seed in chosen])
    full, within = metric.compare(features, features), metric.compare_within(features, features, limit)
    assert (full[np.isinf(within)] > limit).all()
    np.testing.assert_array_equal(within[~np.isinf(within)], full[~np.isinf(within)])
    np.testing.assert_array_equal(np.isnan(within), np.isnan(full))


def test_no_transport_is_calculated_for_pairs_above_the_limit(monkeypatch):
    metric = PDDMetric(PDDOptions())
    features = metric.featurise([Structure(Lattice.cubic(edge), ["Po"], [[0, 0, 0]]) for edge in (3.0, 3.001, 3.3)])
    calls = []
    monkeypatch.setattr(pdd, "earth_movers_distance", lambda *arguments: calls.append(arguments) or 0.0)
    metric.compare_within(features, features, 0.1)
    assert len(calls) == 5  # each with itself, and the first two with each other


def test_importing_pot_loads_no_other_array_library_and_leaves_the_environment_alone():
    code = (
        "import os, sys; before = dict(os.environ); import xtal_pointwise_distance.earth_mover as e;"
        "assert dict(os.environ) == before, 'environment changed';"
        "print(sorted({'torch', 'jax', 'tensorflow', 'cupy'} & set(sys.modules)), 'ot' in sys.modules)"
    )
    environment = os.environ | {"POT_BACKEND_DISABLE_JAX": "yes"}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert process.stdout.strip() == "[] True"
