"""SOAP and ACSF distances are what their docstrings claim."""

import numpy as np
import pytest
from hypothesis import given, settings

from random_crystals import DESCRIPTIONS, crystal, displaced, name_of, quick, seeds
from xtal_local_environment.acsf import ACSFMetric
from xtal_local_environment.plugin import ACSFOptions, SOAPOptions
from xtal_local_environment.soap import SOAPMetric

SMALL = {"r_cut": 4.0, "n_max": 4, "l_max": 3}
METRICS = {
    "soap, average": SOAPMetric(SOAPOptions(**SMALL)),
    "soap, rematch": SOAPMetric(SOAPOptions(**SMALL, kernel="rematch")),
    "acsf, average": ACSFMetric(ACSFOptions(r_cut=8.0, radial=6)),
    "acsf, rematch": ACSFMetric(ACSFOptions(r_cut=8.0, radial=6, kernel="rematch")),
}
#: There are many of them, and descriptors take milliseconds.
fewer = settings(quick, max_examples=8)

TRIANGLE = ["soap, average", "acsf, average"]


def tolerance(name):
    return 1e-9 if name in TRIANGLE else 1e-6


def features_of(name, *structures):
    return METRICS[name].featurise(list(structures))


@pytest.mark.parametrize("name", METRICS)
@quick
@given(seeds, seeds)
def test_identity_symmetry_and_range(name, a, b):
    features = features_of(name, crystal(a, ("Na", "Cl"), 4), crystal(b, ("Cl", "O", "Na"), 4))
    matrix = METRICS[name].compare(features, features)
    np.testing.assert_allclose(np.diag(matrix), 0, atol=tolerance(name))
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=tolerance(name))
    assert ((matrix >= 0) & (matrix <= 2)).all()


@pytest.mark.parametrize("name", TRIANGLE)
@quick
@given(seeds, seeds, seeds)
def test_the_average_kernel_obeys_the_triangle_inequality(name, a, b, c):
    one, other = crystal(a, ("Na", "Cl"), 4), crystal(b, ("Cl", "O"), 4)
    features = features_of(name, one, other, displaced(one, 0.2, c))
    matrix = METRICS[name].compare(features, features)
    for between in range(3):
        assert (matrix <= matrix[:, [between]] + matrix[[between], :] + 1e-12).all()


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("description", DESCRIPTIONS, ids=name_of)
@fewer
@given(seeds, seeds)
def test_a_crystal_does_not_depend_on_its_description(name, description, a, b):
    one, other = crystal(a, ("Na", "Cl"), 3), crystal(b, ("Na", "Cl"), 3)
    same = description(one, np.random.default_rng(a))
    first, again, second = features_of(name, one, same, other)
    compare = METRICS[name].compare
    np.testing.assert_allclose(compare([first], [again]), 0, atol=tolerance(name))
    np.testing.assert_allclose(compare([first], [second]), compare([again], [second]), rtol=0, atol=tolerance(name))


@pytest.mark.parametrize("name", METRICS)
@quick
@given(seeds, seeds)
def test_the_farther_atoms_are_moved_the_larger_the_distance(name, a, b):
    structure = crystal(a, ("Na", "Cl", "O"), 4)
    if len(structure) == 1:  # moving its only atom moves the crystal
        structure.append("Cl", [0.5, 0.4, 0.3])
    first, near, far = features_of(name, structure, *(displaced(structure, size, b) for size in (0.003, 0.1)))
    near, far = METRICS[name].compare([first], [near, far])[0]
    assert tolerance(name) < near < far
