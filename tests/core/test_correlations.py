from __future__ import annotations

import numpy as np
import pytest

from xtal_core.candidate import Uncertainty
from xtal_core.correlations import correlation_matrix, parameter_uncertainties, strong_correlations

COVARIANCE = np.array([[4.0, 1.96, 0.0, 0.0], [1.96, 1.0, -0.5, 0.0], [0.0, -0.5, 9.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
KNOWN = Uncertainty(("a", "b", "c", "fixed"), np.zeros((9, 2)), COVARIANCE, None)


def test_uncertainties_are_roots_of_variances_and_fixed_parameters_have_none():
    assert parameter_uncertainties(KNOWN) == {"a": 2.0, "b": 1.0, "c": 3.0}


def test_only_strong_correlations_are_named_the_strongest_first():
    (pair,) = strong_correlations(KNOWN)
    assert pair == ("a", "b", pytest.approx(0.98))
    assert [p[:2] for p in strong_correlations(KNOWN, above=0.1)] == [("a", "b"), ("b", "c")]
    assert strong_correlations(KNOWN, above=0.1)[1].coefficient == pytest.approx(-1 / 6)


def test_correlations_are_those_of_samples_drawn_from_the_covariance():
    random = np.random.default_rng(5)
    factor = random.normal(size=(4, 4))
    samples = random.normal(size=(200_000, 4)) @ factor.T
    np.testing.assert_allclose(correlation_matrix(factor @ factor.T), np.corrcoef(samples.T), atol=0.01)
