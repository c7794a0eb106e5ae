from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toys import pattern_of, rocksalt
from xtal_core.parsimony import CALCULATION_FLOOR, MOST_OBSERVATIONS, independent_observations, penalised_residual


def schwarz(residual_sum: float, n_observations: int, n_parameters: int) -> float:
    """Return −2 ln L + k ln n of normal errors of unknown variance, as textbooks have it."""
    variance = residual_sum / n_observations
    log_likelihood = -0.5 * n_observations * (np.log(2 * np.pi * variance) + 1)
    return -2 * log_likelihood + n_parameters * np.log(n_observations)


def test_differences_are_those_of_schwarz_criterion_for_each_observation():
    n = 32
    simple, complicated = (0.2, 6), (0.11, 17)
    expected = (schwarz(*simple[:1], n, simple[1]) - schwarz(*complicated[:1], n, complicated[1])) / n
    assert penalised_residual(*simple, n) - penalised_residual(*complicated, n) == pytest.approx(expected, abs=1e-4)


def test_fits_better_than_calculations_agree_are_equally_good():
    assert penalised_residual(1e-12, 3, 20) == pytest.approx(penalised_residual(0.0, 3, 20), abs=1e-5)
    assert penalised_residual(0.0, 0, 20) == pytest.approx(np.log(CALCULATION_FLOOR))


def test_broad_patterns_hold_about_as_many_observations_as_peaks_fit_side_by_side():
    for sigma in (0.12, 0.16, 0.2):
        pattern = pattern_of(rocksalt(5.64), sigma=sigma)
        span = pattern.q[-1] - pattern.q[0]
        assert independent_observations(pattern) == pytest.approx(span / sigma, rel=0.2)


def test_sharp_patterns_are_not_believed_to_hold_more_and_the_broadest_not_less_than_ten():
    sharp = pattern_of(rocksalt(5.64), sigma=0.01)
    assert independent_observations(sharp) == MOST_OBSERVATIONS
    slope = replace(sharp, intensity=100 + 50 * np.cos(sharp.q))
    assert independent_observations(slope) == 10
