from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.agreement import point_weights, r2wp
from xtal_core.agreement_factors import agreement_factors, r_bragg
from xtal_core.candidate import Fit
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation

CU = Radiation.from_line("CuKa1")
Q = np.linspace(1, 6, 4000)
BACKGROUND = 200 - 20 * Q
TRUTH = BACKGROUND + sum(2000 * np.exp(-((Q - centre) ** 2) / (2 * 0.03**2)) for centre in (1.7, 2.6, 3.5, 4.9))


def fit_of(calculated, pattern, n_parameters=20, background=BACKGROUND):
    residual = float(r2wp(pattern.intensity, calculated, background, point_weights(pattern)))
    return Fit(calculated, background, Profile(), 1.0, residual, n_parameters)


@pytest.fixture
def counts():
    return Pattern(Q, np.random.default_rng(7).poisson(TRUTH).astype(float), CU)


def test_a_pattern_of_six_points_by_hand():
    """The sums of the definitions, written out."""
    q = np.linspace(1, 2, 10)
    observed = np.array([10.5, 12, 30, 55, 31, 12, 9.5, 10, 10, 10])
    calculated = np.array([10.0, 10, 33, 50, 33, 10, 10.0, 10, 10, 10])
    background, sigma = np.full(10, 8.0), np.array([3.0, 3, 5, 7, 5, 3, 3, 3, 3, 3])
    pattern = Pattern(q, observed, CU, uncertainty=sigma)
    factors = agreement_factors(pattern, fit_of(calculated, pattern, 4, background))
    squares = 0.25 / 9 + 4 / 9 + 9 / 25 + 25 / 49 + 4 / 25 + 4 / 9 + 0.25 / 9
    total = 110.25 / 9 + 144 / 9 + 900 / 25 + 3025 / 49 + 961 / 25 + 144 / 9 + 90.25 / 9 + 3 * 100 / 9
    net = 6.25 / 9 + 16 / 9 + 484 / 25 + 2209 / 49 + 529 / 25 + 16 / 9 + 2.25 / 9 + 3 * 4 / 9
    assert factors.rwp == pytest.approx((squares / total) ** 0.5)
    assert factors.rwp_background_corrected == pytest.approx((squares / net) ** 0.5)
    assert factors.rp == pytest.approx((0.5 + 2 + 3 + 5 + 2 + 2 + 0.5) / 190)
    assert factors.rexp == pytest.approx((6 / total) ** 0.5)
    assert factors.chi_squared == pytest.approx(squares / 6)
    assert factors.r2wp == pytest.approx(squares / net)
    assert (factors.n_points, factors.n_parameters) == (10, 4)


def test_where_only_noise_is_left_rwp_is_rexp_and_chi_squared_one(counts):
    factors = agreement_factors(counts, fit_of(TRUTH, counts, n_parameters=0))
    assert factors.chi_squared == pytest.approx(1, abs=0.07)
    assert factors.rwp == pytest.approx(factors.rexp, rel=0.04)
    assert factors.goodness_of_fit == pytest.approx(factors.rwp / factors.rexp)


def test_r2wp_is_the_square_of_the_corrected_rwp_where_weights_agree(counts):
    weighted = replace(counts, uncertainty=np.sqrt(np.maximum(counts.intensity, 1)))
    same = agreement_factors(weighted, fit_of(1.05 * TRUTH, weighted))
    assert same.r2wp == pytest.approx(same.rwp_background_corrected**2)
    # Counts without stated uncertainties weigh alike in R²wp, but not in Rwp.
    other = agreement_factors(counts, fit_of(1.05 * TRUTH, counts))
    assert other.rwp == same.rwp
    assert abs(other.r2wp / other.rwp_background_corrected**2 - 1) > 0.1


def test_a_background_lowers_rwp_but_not_the_corrected_one(counts):
    raised = replace(counts, intensity=counts.intensity + 5000, uncertainty=np.ones(len(Q)))
    flat = replace(counts, uncertainty=np.ones(len(Q)))
    low = agreement_factors(flat, fit_of(0.9 * (TRUTH - BACKGROUND) + BACKGROUND, flat))
    high = agreement_factors(
        raised, fit_of(0.9 * (TRUTH - BACKGROUND) + BACKGROUND + 5000, raised, 20, BACKGROUND + 5000)
    )
    assert high.rwp < low.rwp / 5
    assert high.rwp_background_corrected == pytest.approx(low.rwp_background_corrected)


def test_without_uncertainties_nothing_is_said_about_noise(counts):
    scaled = replace(counts, intensity=counts.intensity / 3)
    factors = agreement_factors(scaled, fit_of(TRUTH / 3, scaled))
    assert (factors.rexp, factors.chi_squared, factors.goodness_of_fit) == (None, None, None)
    assert "every point weighs the same" in factors.uncertainties
    expected = np.sum((scaled.intensity - TRUTH / 3) ** 2) / np.sum(scaled.intensity**2)
    assert factors.rwp == pytest.approx(expected**0.5)


def test_excluded_points_do_not_count(counts):
    spoilt = replace(counts, intensity=np.where(Q > 4.5, 9e6, counts.intensity), excluded=Q > 4.5)
    cut = Q <= 4.5
    short = replace(counts, q=Q[cut], intensity=counts.intensity[cut])
    whole = agreement_factors(spoilt, fit_of(TRUTH, spoilt))
    assert whole == agreement_factors(short, fit_of(TRUTH[cut], short, background=BACKGROUND[cut]))
    assert whole.n_points == cut.sum()


def test_r_bragg_is_the_relative_difference_of_integrated_intensities():
    assert r_bragg(np.array([10.0, 30, 60]), np.array([12.0, 27, 60])) == pytest.approx(0.05)
    assert r_bragg(np.array([]), np.array([])) is None
