from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toys import pattern_of, rocksalt
from xtal_core.agreement import background_columns, fit_scale_and_background, point_weights
from xtal_core.candidate import Candidate, RankedCandidate
from xtal_core.errors import InputError, OptionError
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.pattern_features import background_terms, is_measured, noise_level, peak_width
from xtal_core.preparation import blank_notes, excluded_regions, parse_regions, prepare
from xtal_core.target import make_target


@pytest.fixture(scope="module")
def pattern():
    return replace(pattern_of(rocksalt(5.64), points=2000), source="salt.xy")


@pytest.fixture(scope="module")
def peaks(pattern):
    return (pattern.intensity - (300 - 30 * pattern.q)) / 5


def halo(q):
    """Return what a glass capillary scatters: a broad hump, and a sharper one that no polynomial describes."""
    return 200 * np.exp(-((q - 1.6) ** 2) / 0.3) + 80 * np.exp(-((q - 3.0) ** 2) / 0.02)


def blank_of(pattern, intensity=halo, factor=1.0, low=0.9, high=5.5):
    q = np.linspace(low, high, 1500)
    return Pattern(q, factor * intensity(q), pattern.radiation, source="empty.xy")


def test_regions_are_two_angles_with_a_colon():
    assert parse_regions(["20.1:22.4", " 5 : 7. "]) == [(20.1, 22.4), (5.0, 7.0)]


@pytest.mark.parametrize("text", ["20", "22:20", "20:20", "a:b", "20:22:24", "-5:10", ""])
def test_other_texts_are_no_regions(text):
    with pytest.raises(OptionError, match=r"like 20\.1:22\.4"):
        parse_regions([text])


def test_excluded_points_stay_but_weigh_nothing(pattern):
    prepared = prepare(pattern, [(30.0, 33.0), (50.0, 51.0)])
    np.testing.assert_array_equal(prepared.intensity, pattern.intensity)
    inside = (pattern.two_theta >= 30) & (pattern.two_theta <= 33) | (pattern.two_theta >= 50) & (
        pattern.two_theta <= 51
    )
    np.testing.assert_array_equal(prepared.excluded, inside)
    np.testing.assert_array_equal(point_weights(prepared) == 0, inside)
    assert excluded_regions(prepared) == [
        (pytest.approx(30, abs=0.04), pytest.approx(33, abs=0.04)),
        (pytest.approx(50, abs=0.04), pytest.approx(51, abs=0.04)),
    ]
    assert prepared.notes[-1].startswith("excluded from every fit: 50")
    assert excluded_regions(pattern) == []


def test_whatever_stands_in_an_excluded_region_changes_nothing(pattern, peaks):
    """Neither the linear fit, nor the features of the pattern, nor the smoothed target, see a foreign reflection."""
    foreign = 4000 * np.exp(-((pattern.two_theta - 40) ** 2) / (2 * 0.3**2))
    random = np.random.default_rng(1)
    noisy = replace(pattern, intensity=pattern.intensity + random.normal(0, 2, len(pattern)))
    spoilt = replace(
        noisy, intensity=np.where(np.abs(noisy.two_theta - 40) <= 2, noisy.intensity + foreign, noisy.intensity)
    )
    first, second = (prepare(p, [(38.0, 42.0)]) for p in (noisy, spoilt))
    fits = [fit_scale_and_background(p, peaks[None]) for p in (first, second)]
    assert fits[0].scales == fits[1].scales
    assert fits[0].residuals == fits[1].residuals
    for feature in (peak_width, noise_level, is_measured, background_terms):
        assert feature(first) == feature(second), feature.__name__
    for smoothing in (0.0, 0.02, 0.1):
        one, other = (make_target(p, smoothing, 0.02) for p in (first, second))
        np.testing.assert_allclose(other.intensity, one.intensity, atol=1e-12)
        np.testing.assert_array_equal(other.root_weights, one.root_weights)


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
def test_a_target_beside_an_excluded_region_still_is_the_smoothed_pattern(pattern, smoothing):
    whole, part = make_target(pattern, smoothing, 0.02), make_target(prepare(pattern, [(38.0, 42.0)]), smoothing, 0.02)
    counting = part.root_weights > 0.5 * part.root_weights.max()
    assert 0.6 < counting.mean() < 1
    np.testing.assert_allclose(
        part.intensity[counting] * part.unit, whole.intensity[counting] * whole.unit, atol=0.06 * whole.unit
    )
    inside = (pattern.radiation.two_theta_from_q(part.measurement.q) > 38.5) & (
        pattern.radiation.two_theta_from_q(part.measurement.q) < 41.5
    )
    assert part.root_weights[inside].max() < 0.02 * part.root_weights.max()


def test_regions_without_points_and_patterns_without_rest_are_refused(pattern):
    with pytest.raises(
        InputError, match=r"salt\.xy: no point lies between 85° and 88°; exclude regions of the pattern, which"
    ):
        prepare(pattern, [(85.0, 88.0)])
    with pytest.raises(InputError, match="fewer than 10 points are left"):
        prepare(pattern, [(10.0, 80.0)])
    with pytest.raises(InputError, match="too few for a background of 12 terms"):
        prepare(pattern, [(15.5, 80.0)], chebyshev_terms=12)


def test_the_number_of_background_terms_can_be_given_and_is_noted(pattern):
    prepared = prepare(pattern, chebyshev_terms=9)
    assert (background_terms(prepared), background_columns(prepared).shape[1]) == (9, 9)
    assert prepared.notes == ("the background has 9 Chebyshev terms, as asked",)
    stored = prepare(replace(pattern, background=np.full(len(pattern), 10.0)), chebyshev_terms=2)
    assert background_terms(stored) == 2  # besides the stored one
    for terms in (-1, 99):
        with pytest.raises(InputError, match="give a number from 0 to"):
            prepare(pattern, chebyshev_terms=terms)


def test_a_blank_is_subtracted_with_the_factor_that_it_was_added_with(pattern, peaks):
    measured = replace(pattern, intensity=pattern.intensity + 0.7 * halo(pattern.q))
    prepared = prepare(measured, blank=blank_of(pattern))
    fits = fit_scale_and_background(prepared, np.array([peaks, 2 * peaks]))
    np.testing.assert_allclose(fits.blank_scales, 0.7, rtol=1e-3)
    np.testing.assert_allclose(fits.scales, [5, 2.5], rtol=1e-4)
    assert fits.n_parameters == 2 + background_terms(prepared)
    assert fits.fit(1, Profile(), 3).blank_scale == pytest.approx(0.7, rel=1e-3)
    truth = 300 - 30 * pattern.q + 0.7 * halo(pattern.q)
    np.testing.assert_allclose(fits.backgrounds[0], truth, atol=0.5)


def test_a_blank_is_never_added(pattern, peaks):
    measured = replace(pattern, intensity=pattern.intensity - 0.3 * halo(pattern.q))
    fits = fit_scale_and_background(prepare(measured, blank=blank_of(pattern)), peaks[None])
    assert fits.blank_scales == [0.0]
    without = fit_scale_and_background(measured, peaks[None])
    assert fits.scales == pytest.approx(without.scales)
    np.testing.assert_allclose(fits.calculated, without.calculated, rtol=1e-9)


def test_targets_are_blind_to_the_blank(pattern):
    prepared = prepare(pattern, blank=blank_of(pattern))
    for smoothing in (0.0, 0.1):
        plain = make_target(prepared, smoothing, 0.02)
        more = make_target(replace(prepared, intensity=prepared.intensity + 3 * prepared.blank), smoothing, 0.02)
        np.testing.assert_allclose(more.observed * more.unit, plain.observed * plain.unit, atol=1e-6 * plain.unit)


def test_a_blank_must_cover_the_pattern(pattern):
    with pytest.raises(InputError, match=r"empty.xy: the blank covers .* give a blank over the whole range"):
        prepare(pattern, blank=blank_of(pattern, low=1.5))
    with pytest.raises(InputError, match="give a blank over the whole range"):
        prepare(pattern, blank=blank_of(pattern, high=5.0))


def test_a_blank_as_smooth_as_the_background_is_refused(pattern):
    with pytest.raises(InputError, match=r"empty\.xy: is as smooth as the fitted background"):
        prepare(pattern, blank=blank_of(pattern, lambda q: 100 - 3 * q))


def test_a_blank_of_another_radiation_is_compared_at_the_same_q_and_that_is_noted(pattern):
    blank = replace(blank_of(pattern), radiation=Radiation.from_line("MoKa1"))
    prepared = prepare(pattern, blank=blank)
    np.testing.assert_allclose(prepared.blank, halo(pattern.q), atol=0.5)
    assert "the blank was measured with MoKa1 and is compared at the same Q" in prepared.notes


def test_what_became_of_the_blank_is_said(pattern, peaks):
    for factor, said in (
        (0.7, "empty.xy was subtracted with the fitted scale 0.7"),
        (-0.3, "asks for a negative amount"),
    ):
        measured = replace(pattern, intensity=pattern.intensity + factor * halo(pattern.q))
        prepared = prepare(measured, blank=blank_of(pattern))
        fit = fit_scale_and_background(prepared, peaks[None]).fit(0, Profile(), 0)
        ranked = RankedCandidate(1, Candidate(rocksalt(5.64), "toy", fit=fit), 0.0, ("Fm-3m", 225))
        (note,) = blank_notes(prepared, [ranked])
        assert said in note
    assert blank_notes(pattern, [ranked]) == []
    assert blank_notes(prepared, []) == []
