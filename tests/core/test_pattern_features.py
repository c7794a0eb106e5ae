from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.pattern import Pattern, Radiation
from xtal_core.pattern_features import (
    background_terms,
    is_measured,
    noise_level,
    peak_width,
    smooth,
    without_background,
)

CU = Radiation.from_line("CuKa1")
Q = np.linspace(1.0, 6.0, 2501)
CENTRES = (1.6, 2.3, 3.1, 3.9, 4.8, 5.4)


def peaks(sigma: float) -> np.ndarray:
    return sum(1000 * np.exp(-((Q - centre) ** 2) / (2 * sigma**2)) / (i + 1) for i, centre in enumerate(CENTRES))


@pytest.mark.parametrize("sigma", [0.008, 0.02, 0.06])
def test_the_width_of_gaussian_peaks_is_their_standard_deviation(sigma):
    assert peak_width(Pattern(Q, peaks(sigma), CU)) == pytest.approx(sigma, rel=0.06)


@pytest.mark.parametrize("sigma", [0.02, 0.06])
def test_neither_background_nor_counting_noise_changes_the_width_much(sigma):
    background = 300 - 40 * Q
    counts = np.random.default_rng(4).poisson(5 * (peaks(sigma) + background)) / 5
    assert peak_width(Pattern(Q, counts, CU)) == pytest.approx(sigma, rel=0.15)


def test_the_width_does_not_depend_on_scale_or_sampling():
    pattern = Pattern(Q, peaks(0.03), CU)
    assert peak_width(replace(pattern, intensity=7 * pattern.intensity)) == pytest.approx(peak_width(pattern))
    sparser = Pattern(Q[::4], pattern.intensity[::4], CU)
    assert peak_width(sparser) == pytest.approx(peak_width(pattern), rel=0.05)


@pytest.mark.parametrize("level", [50, 400, 10_000])
def test_the_noise_level_of_counts_is_the_root_of_their_number(level):
    counts = np.random.default_rng(level).poisson(level, len(Q)).astype(float)
    assert noise_level(Pattern(Q, counts, CU)) == pytest.approx(np.sqrt(level), rel=0.06)


def test_peaks_and_slopes_are_not_noise():
    assert noise_level(Pattern(Q, peaks(0.03) + 300 - 40 * Q, CU)) < 0.05
    counts = np.random.default_rng(5).poisson(peaks(0.03) + 400).astype(float)
    assert noise_level(Pattern(Q, counts, CU)) == pytest.approx(20, rel=0.15)


def test_a_pattern_is_measured_when_it_is_noisy():
    calculated = Pattern(Q, peaks(0.03), CU)
    assert not is_measured(calculated)
    noise = np.random.default_rng(6).normal(size=len(Q))
    assert is_measured(replace(calculated, intensity=calculated.intensity + 2 + noise))


def test_a_calculated_pattern_has_no_background_unless_it_plainly_stands_on_one():
    calculated = Pattern(Q, peaks(0.03), CU)
    assert background_terms(calculated) == 0
    assert background_terms(replace(calculated, intensity=calculated.intensity + 50)) == 0
    assert background_terms(replace(calculated, intensity=calculated.intensity + 300)) > 0


def test_a_measured_pattern_has_more_terms_the_longer_it_is_but_none_beside_a_stored_background():
    counts = np.random.default_rng(7).poisson(peaks(0.03) + 1).astype(float)
    long = Pattern(Q, counts, CU)
    short = Pattern(Q[:1500], counts[:1500], CU)
    assert 4 <= background_terms(short) < background_terms(long) <= 12
    assert background_terms(replace(long, background=np.ones(len(Q)))) == 0


def test_smoothing_a_gaussian_adds_the_widths_in_quadrature():
    at = np.linspace(2.0, 4.0, 201)
    narrow, smoothing = 0.05, 0.12
    wide = np.hypot(narrow, smoothing)
    values = np.exp(-((Q - 3) ** 2) / (2 * narrow**2)) / narrow
    expected = np.exp(-((at - 3) ** 2) / (2 * wide**2)) / wide
    np.testing.assert_allclose(smooth(Q, values, at, smoothing), expected, atol=1e-4 / wide)


def test_smoothing_keeps_a_constant_even_at_the_ends_and_on_an_uneven_axis():
    uneven = np.sort(np.random.default_rng(8).uniform(1, 6, 800))
    np.testing.assert_allclose(smooth(uneven, np.full(800, 3.0), np.linspace(1, 6, 50), 0.1), 3.0)


def test_where_points_are_sparser_than_the_smoothing_values_are_interpolated():
    q = np.array([1.0, 2.0, 3.0])
    assert smooth(q, np.array([0.0, 10.0, 0.0]), np.array([1.5]), 1e-3) == pytest.approx(5.0)


@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_a_sloping_background_is_taken_away_whatever_its_slope(noise):
    q = np.linspace(0.4, 5.8, 4000)
    places = ((1.5, 1.0), (2.4, 0.6), (4.1, 0.3))
    reflections = sum(height * np.exp(-0.5 * ((q - at) / 0.03) ** 2) for at, height in places)
    background = 0.3 + 0.1 * (5.8 - q) + 0.02 * np.sin(q)
    random = np.random.default_rng(0)
    pattern = Pattern(q, reflections + background + noise * random.standard_normal(len(q)), CU)
    left = without_background(pattern, 0.03) - reflections
    averaged = np.convolve(left, np.ones(41) / 41, mode="valid")
    assert np.abs(averaged).max() < 0.01 + 2 * noise
    assert np.abs(averaged).mean() < 0.003 + noise
