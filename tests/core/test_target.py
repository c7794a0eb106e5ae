from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toys import pattern_of, rocksalt
from xtal_core.agreement import background_basis
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.pattern_features import background_terms, peak_width
from xtal_core.target import make_target, starting_profile


@pytest.fixture(scope="module")
def pattern():
    return pattern_of(rocksalt(5.64), sigma=0.02)


def test_a_target_spans_the_pattern_evenly_with_points_enough_for_its_peaks(pattern):
    for smoothing in (0.0, 0.05, 0.1):
        q = make_target(pattern, smoothing, 0.02).measurement.q
        assert q[[0, -1]] == pytest.approx(pattern.q[[0, -1]])
        np.testing.assert_allclose(np.diff(q), q[1] - q[0])
        assert q[1] - q[0] <= np.hypot(smoothing, 0.02) / 3


def test_the_largest_intensity_is_one_and_the_unit_restores_the_measured_ones():
    pattern = pattern_of(rocksalt(5.64), sigma=0.02, points=4000)
    target = make_target(pattern, 0.0, 0.02)
    assert target.intensity.max() == pytest.approx(1)
    measured = np.interp(target.measurement.q, pattern.q, pattern.intensity)
    np.testing.assert_allclose(target.intensity * target.unit, measured, atol=0.01 * measured.max())


def test_smoothing_the_pattern_is_broadening_its_peaks(pattern):
    broad = pattern_of(rocksalt(5.64), sigma=float(np.hypot(0.02, 0.06)))
    target = make_target(pattern, 0.06, 0.02)
    expected = np.interp(target.measurement.q, broad.q, broad.intensity - (300 - 30 * broad.q))
    smoothed = target.intensity * target.unit - (300 - 30 * target.measurement.q)
    inner = slice(10, -10)  # at the ends peaks beyond the pattern are missing
    assert np.corrcoef(smoothed[inner], expected[inner])[0, 1] > 0.999
    assert target.broadened(Profile(gaussian_sigma=0.02)).gaussian_sigma == pytest.approx(np.hypot(0.02, 0.06))


@pytest.mark.parametrize("points", [300, 1000, 4000])
def test_however_the_pattern_is_sampled_the_smoothing_is_the_one_that_is_stated(points):
    """A single Gaussian far from the ends, whose smoothed shape is known."""
    q = np.linspace(1, 5, points)
    pattern = Pattern(q, np.exp(-((q - 3) ** 2) / (2 * 0.03**2)), Radiation.from_line("CuKa1"))
    for asked in (0.0, 0.05):
        target = make_target(pattern, asked, 0.03)
        assert target.smoothing >= asked
        width = np.hypot(0.03, target.smoothing)
        expected = 0.03 / width * np.exp(-((target.measurement.q - 3) ** 2) / (2 * width**2))
        np.testing.assert_allclose(target.intensity * target.unit, expected, atol=1e-3)


def test_broadening_leaves_the_rest_of_the_profile_alone(pattern):
    profile = Profile(100.0, 0.01, 0.02, 0.5, 0.05)
    broadened = make_target(pattern, 0.05, 0.02).broadened(profile)
    assert replace(broadened, gaussian_sigma=0.01) == profile


def test_without_background_nothing_is_left_of_what_the_background_can_describe(pattern):
    target = make_target(pattern, 0.0, 0.02)
    basis = background_basis(target.measurement.q, background_terms(pattern))
    assert basis.shape[1] > 0
    np.testing.assert_allclose(target.without_background(basis.T), 0, atol=1e-12)


def test_removing_the_background_is_weighted_least_squares(pattern):
    random = np.random.default_rng(1)
    weighted = replace(pattern, uncertainty=random.uniform(1, 4, len(pattern)))
    target = make_target(weighted, 0.0, 0.02)
    basis = background_basis(target.measurement.q, background_terms(weighted)) * target.root_weights[:, None]
    values = random.normal(size=len(target.intensity))
    right = values * target.root_weights
    expected = right - basis @ np.linalg.lstsq(basis, right, rcond=None)[0]
    np.testing.assert_allclose(target.without_background(values), expected, atol=1e-10)


def test_the_background_is_removed_along_any_axis(pattern):
    target = make_target(pattern, 0.0, 0.02)
    values = np.random.default_rng(2).normal(size=(2, len(target.intensity), 3))
    expected = np.stack([target.without_background(values[..., i]) for i in range(3)], axis=-1)
    np.testing.assert_allclose(target.without_background(values, axis=1), expected, atol=1e-12)


def test_precise_points_weigh_more_and_the_mean_weight_is_one(pattern):
    half = pattern.q > pattern.q.mean()
    target = make_target(replace(pattern, uncertainty=np.where(half, 1.0, 2.0)), 0.0, 0.02)
    assert np.mean(target.root_weights**2) == pytest.approx(1)
    assert target.root_weights[-1] / target.root_weights[0] == pytest.approx(2)


def test_a_stored_background_is_subtracted_and_none_is_fitted(pattern):
    stored = replace(pattern, background=300 - 30 * pattern.q)
    target = make_target(stored, 0.0, 0.02)
    assert target.background.shape[1] == 0
    assert target.intensity.min() == pytest.approx(0, abs=1e-9)


def test_the_first_guess_of_the_profile_has_the_width_of_the_peaks(pattern):
    width = peak_width(pattern)
    assert starting_profile(pattern, None) == Profile(gaussian_sigma=pytest.approx(width))
    sized = starting_profile(pattern, 200.0)
    assert sized.crystallite_size == 200.0
    assert np.hypot(sized.gaussian_sigma, np.sqrt(6) / 200) == pytest.approx(width)


def test_where_the_size_explains_the_width_some_gaussian_is_left(pattern):
    assert starting_profile(pattern, 20.0).gaussian_sigma == pytest.approx(0.3 * peak_width(pattern))
