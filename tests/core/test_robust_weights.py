from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toys import pattern_of, rocksalt
from xtal_core.agreement import fit_scale_and_background
from xtal_core.pattern import Pattern, Radiation
from xtal_core.robust_weights import downweighted, excess_factor, typical_deviation

Q = np.linspace(1, 6, 2000)
CU = Radiation.from_line("CuKa1")


def test_only_intensity_far_above_the_calculated_counts_less():
    deviation = np.array([-50.0, -1, 0, 0.9, 1, 2, 10])
    np.testing.assert_allclose(excess_factor(deviation), [1, 1, 1, 1, 1, 1 / 4, 1 / 100])


def test_the_factor_is_the_slope_of_a_penalty_that_grows_as_the_logarithm():
    """φ(t) = t² up to 1 and 1 + 2 ln t beyond; least squares with the factor w has the slope 2 w t."""
    t = np.linspace(-3, 30, 4001)
    penalty = np.where(t <= 1, t**2, 1 + 2 * np.log(np.maximum(t, 1e-9)))
    np.testing.assert_allclose(2 * excess_factor(t) * t, np.gradient(penalty, t), atol=0.02)


def test_deviations_are_measured_by_the_noise_or_by_the_misfit_of_the_model():
    expected = np.full(len(Q), 400.0)
    counts = Pattern(Q, np.random.default_rng(1).poisson(expected).astype(float), CU)
    np.testing.assert_allclose(typical_deviation(counts, expected), 20, rtol=0.15)
    np.testing.assert_allclose(typical_deviation(counts, expected + 200), 200 / 0.6745, rtol=0.2)
    unknown = replace(counts, intensity=counts.intensity / 3)
    np.testing.assert_allclose(typical_deviation(unknown, expected / 3), 20 / 3, rtol=0.1)


def test_foreign_reflections_hardly_change_a_robust_fit_and_spoil_a_plain_one():
    clean = pattern_of(rocksalt(5.64))
    peaks = (clean.intensity - (300 - 30 * clean.q))[None] / 7
    noise = np.random.default_rng(3).normal(0, 3, len(clean))
    foreign = sum(600 * np.exp(-((clean.q - at) ** 2) / (2 * 0.02**2)) for at in (1.9, 2.27, 3.3, 3.9, 4.55))
    pattern = replace(clean, intensity=clean.intensity + noise + foreign)
    plain = fit_scale_and_background(pattern, peaks)
    fits = plain
    for _ in range(30):
        fits = fit_scale_and_background(downweighted(pattern, fits.calculated[0]), peaks)
    truth = 300 - 30 * clean.q
    assert fits.scales[0] == pytest.approx(7, rel=0.01)
    assert abs(plain.scales[0] / 7 - 1) > 0.02
    assert np.abs(fits.backgrounds[0] - truth).max() < 0.2 * np.abs(plain.backgrounds[0] - truth).max()


def test_a_pattern_without_anything_foreign_is_fitted_as_before():
    clean = pattern_of(rocksalt(5.64))
    peaks = (clean.intensity - (300 - 30 * clean.q))[None] / 7
    pattern = replace(clean, intensity=clean.intensity + np.random.default_rng(4).normal(0, 3, len(clean)))
    plain = fit_scale_and_background(pattern, peaks)
    robust = fit_scale_and_background(downweighted(pattern, plain.calculated[0]), peaks)
    assert robust.scales[0] == pytest.approx(plain.scales[0], rel=2e-3)
    np.testing.assert_allclose(robust.backgrounds, plain.backgrounds, atol=3)
