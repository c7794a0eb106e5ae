from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.parsimony import (
    CALCULATION_FLOOR,
    LABORATORY_FLOOR,
    MOST_MEASURED_OBSERVATIONS,
    MOST_OBSERVATIONS,
    Parsimony,
    independent_observations,
    parsimony_of,
    prior_weight,
)
from xtal_core.pattern import Pattern, Radiation


def schwarz(residual_sum: float, n_observations: int, n_parameters: int) -> float:
    """Return −2 ln L + k ln n of normal errors of unknown variance, as textbooks have it."""
    variance = residual_sum / n_observations
    log_likelihood = -0.5 * n_observations * (np.log(2 * np.pi * variance) + 1)
    return -2 * log_likelihood + n_parameters * np.log(n_observations)


def test_differences_are_those_of_schwarz_criterion_for_each_observation():
    n = 32
    simple, complicated = (0.2, 6), (0.11, 17)
    expected = (schwarz(*simple[:1], n, simple[1]) - schwarz(*complicated[:1], n, complicated[1])) / n
    penalised = Parsimony(n).penalised
    assert penalised(*simple) - penalised(*complicated) == pytest.approx(expected, abs=1e-4)


def test_fits_better_than_calculations_agree_are_equally_good():
    penalised = Parsimony(20).penalised
    assert penalised(1e-12, 3) == pytest.approx(penalised(0.0, 3), abs=1e-5)
    assert penalised(0.0, 0) == pytest.approx(np.log(CALCULATION_FLOOR))


def test_a_unit_of_the_prior_weighs_as_much_as_a_factor_e_in_the_residual():
    parsimony = Parsimony(20)
    assert parsimony.merit(0.1 * np.e, 5, 1.0) == pytest.approx(parsimony.merit(0.1, 5, 0.0), abs=1e-4)


def pattern_with_peaks(sigma: float, last: float = 6.0) -> Pattern:
    q = np.linspace(1.0, last, 1500)
    intensity = sum(np.exp(-((q - centre) ** 2) / (2 * sigma**2)) for centre in (2.2, 4.6))
    return Pattern(q, intensity, Radiation.from_line("CuKa1"))


def test_the_broader_the_peaks_the_fewer_the_observations():
    broad, broader = (independent_observations(pattern_with_peaks(sigma)) for sigma in (0.3, 0.4))
    assert broad / broader == pytest.approx(0.4 / 0.3, rel=0.2)
    assert 10 < broader < broad < MOST_OBSERVATIONS


def test_sharp_patterns_are_not_believed_to_hold_more_and_short_ones_not_less_than_ten():
    assert independent_observations(pattern_with_peaks(0.01)) == MOST_OBSERVATIONS
    assert independent_observations(pattern_with_peaks(0.4, last=2.0)) == 10


def test_measured_patterns_are_not_believed_to_hold_as_much_as_calculated_ones():
    calculated = pattern_with_peaks(0.01)
    measured = replace(calculated, radiation=Radiation.from_line("CuKa"))
    assert independent_observations(measured) == MOST_MEASURED_OBSERVATIONS < MOST_OBSERVATIONS


def test_a_prior_weighs_less_beside_a_sharp_pattern():
    assert prior_weight(pattern_with_peaks(0.01)) < prior_weight(pattern_with_peaks(0.1)) == 1


def test_laboratory_radiation_does_not_tell_what_is_left_of_a_good_fit_from_nothing():
    calculated = pattern_with_peaks(0.01)
    laboratory = replace(calculated, radiation=Radiation.from_line("CuKa"))
    assert parsimony_of(calculated).floor == CALCULATION_FLOOR
    judged = parsimony_of(laboratory)
    assert judged.floor == LABORATORY_FLOOR
    assert judged.penalised(1e-3, 10) < judged.penalised(1e-4, 16)
    assert judged.penalised(0.2, 10) > judged.penalised(0.02, 16)
