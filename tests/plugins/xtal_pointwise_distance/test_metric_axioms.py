"""PDD and AMD are what their docstrings claim: metrics up to isometry, with elements told apart and without."""

import numpy as np
import pytest
from hypothesis import given
from pymatgen.core import Lattice, Structure

from random_crystals import DESCRIPTIONS, crystal, displaced, name_of, quick, seeds
from xtal_pointwise_distance.amd import AMDMetric
from xtal_pointwise_distance.pdd import PDDMetric
from xtal_pointwise_distance.plugin import AMDOptions, PDDOptions

METRICS = {
    "pdd": PDDMetric(PDDOptions(k=40)),
    "pdd, not collapsed": PDDMetric(PDDOptions(k=40, collapse=None)),
    "pdd of elements": PDDMetric(PDDOptions(k=40, elements=True)),
    "amd": AMDMetric(AMDOptions(k=40)),
    "amd of elements": AMDMetric(AMDOptions(k=40, elements=True)),
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def two_elements(seed):
    return crystal(seed, ("Na", "Cl"), 4)


def ternary(seed, composition=("Na", "Cl", "Cl", "O")):
    """Return a crystal of the one composition."""
    random = np.random.default_rng(seed)
    lattice = np.diag(random.uniform(3, 7, 3)) + random.normal(0, 0.5, (3, 3))
    return Structure(lattice, composition, random.random((len(composition), 3)))


@every_metric
@quick
@given(seeds, seeds, seeds)
def test_identity_symmetry_and_triangle_inequality(metric, a, b, c):
    features = metric.featurise([ternary(a), ternary(b), displaced(ternary(a), 0.2, c)])
    matrix = metric.compare(features, features)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(np.diag(matrix), 0, atol=1e-12)
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12)
    for between in range(3):
        assert (matrix <= matrix[:, [between]] + matrix[[between], :] + 1e-12).all()


@every_metric
@pytest.mark.parametrize("description", DESCRIPTIONS, ids=name_of)
@quick
@given(seeds, seeds)
def test_a_crystal_does_not_depend_on_its_description(metric, description, a, b):
    one, other = two_elements(a), two_elements(b)
    same = description(one, np.random.default_rng(a))
    first, again, second = metric.featurise([one, same, other])
    np.testing.assert_allclose(metric.compare([first], [again]), 0, atol=1e-9)
    np.testing.assert_allclose(metric.compare([first], [second]), metric.compare([again], [second]), rtol=0, atol=1e-9)


@every_metric
@quick
@given(seeds, seeds)
def test_small_displacements_are_small_distances(metric, a, b):
    """At most twice the displacement: also a bound for elements, whose atoms and neighbours all move as little."""
    structure = two_elements(a)
    features = metric.featurise([structure, displaced(structure, 0.01, b)])
    merging = 2e-4  # the tolerance of `collapse`, on both sides
    assert metric.compare(features[:1], features[1:])[0, 0] <= 0.02 + merging


def test_elements_see_an_exchange_of_species_that_geometry_does_not():
    """Two orders on one face-centred lattice, L1_0 (layers along a cube's edge) and L1_1 (along its diagonal)."""
    l1_0 = Structure(
        Lattice.cubic(4), ["Cu", "Cu", "Au", "Au"], [[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]
    )
    primitive = 2 * (1 - np.eye(3))
    alternating = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]]) @ primitive
    l1_1 = Structure(alternating, ["Cu", "Au"], [[0, 0, 0], primitive[0]], coords_are_cartesian=True)
    values = {
        name: metric.compare(metric.featurise([l1_0]), metric.featurise([l1_1]))[0, 0]
        for name, metric in METRICS.items()
    }
    assert max(values["pdd"], values["amd"]) < 1e-9
    assert min(values["pdd of elements"], values["amd of elements"]) > 0.5


@pytest.mark.parametrize("name", ["pdd of elements", "amd of elements"])
def test_elements_of_different_composition_are_no_match(name):
    metric = METRICS[name]
    features = metric.featurise([ternary(1), ternary(2, ("Na", "Cl", "O", "O")), ternary(3, ("K", "Cl", "Cl", "O"))])
    matrix = metric.compare(features, features)
    np.testing.assert_array_equal(np.isnan(matrix), 1 - np.eye(3))


@quick
@given(seeds, seeds)
def test_amd_of_elements_is_a_lower_bound_of_pdd_of_elements(a, b):
    values = []
    for name in ("amd of elements", "pdd of elements"):
        first, second = METRICS[name].featurise([ternary(a), ternary(b)])
        values.append(METRICS[name].compare([first], [second])[0, 0])
    assert values[0] <= values[1] + 1e-12


def test_one_element_told_apart_is_as_none():
    for plain, telling in (("pdd", "pdd of elements"), ("amd", "amd of elements")):
        values = [
            METRICS[name].compare(METRICS[name].featurise([crystal(7)]), METRICS[name].featurise([crystal(8)]))
            for name in (plain, telling)
        ]
        np.testing.assert_array_equal(*values)
