"""Each formula against plain sums over the points, its limits, and what is done before it is applied."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xtal_core.errors import InputError, PatternError
from xtal_core.pattern import Pattern, Radiation
from xtal_core.registry import installed_registry
from xtal_pattern_similarity.distances import CosineMetric, L1Metric
from xtal_pattern_similarity.plugin import CosineOptions, L1Options, R2wpOptions, RwpOptions
from xtal_pattern_similarity.residuals import R2wpMetric, RwpMetric

COPPER = Radiation.from_line("CuKa1")
Q = np.linspace(1.0, 5.0, 401)


def peak(position, height=1.0, width=0.03, q=Q):
    return height * np.exp(-((q - position) ** 2) / (2 * width**2))


def pattern(intensity, q=Q, radiation=COPPER, **more):
    return Pattern(q, intensity, radiation, **more)


def value(metric, first, second):
    return metric.compare(metric.featurise([first]), metric.featurise([second]))[0, 0]


def explanation(metric, first, second):
    return metric.explain(*metric.featurise([first, second]))


def every_metric(**options):
    return [
        R2wpMetric(R2wpOptions(**options)),
        RwpMetric(RwpOptions(**options)),
        CosineMetric(CosineOptions(**options)),
        L1Metric(L1Options(**options)),
    ]


ONE = pattern(peak(2.0, 80) + peak(3.0, 40) + 1)
OTHER = pattern(peak(2.01, 30) + peak(3.5, 60) + 2)
INTENSITIES = arrays(float, 12, elements=st.floats(0, 1000)).filter(lambda values: values.max() > 1e-3)


def short(values):
    return pattern(values, q=np.linspace(1.0, 2.0, 12))


@given(INTENSITIES, INTENSITIES)
def test_r2wp_is_the_papers_sum_of_squares_of_patterns_with_maximum_1(a, b):
    expected = sum((x / max(a) - y / max(b)) ** 2 for x, y in zip(a, b, strict=True)) / sum(
        (x / max(a)) ** 2 for x in a
    )
    assert value(R2wpMetric(R2wpOptions()), short(a), short(b)) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@given(INTENSITIES, INTENSITIES)
def test_scaled_by_least_squares_r2wp_is_as_small_as_any_scale_can_make_it(a, b):
    found = value(R2wpMetric(R2wpOptions(scale="least-squares")), short(a), short(b))
    best = a @ b / (b @ b)
    for factor in (best, 0.97 * best, 1.03 * best, 0.0):
        assert found <= np.sum((a - factor * b) ** 2) / np.sum(a**2) + 1e-12
    assert found == pytest.approx(np.sum((a - best * b) ** 2) / np.sum(a**2), rel=1e-9, abs=1e-12)
    assert found <= 1 + 1e-12


@given(INTENSITIES, INTENSITIES, arrays(float, 12, elements=st.floats(0.1, 10)))
def test_rwp_is_rietvelds(a, b, sigma):
    w = sigma**-2
    scale = np.sum(w * a * b) / np.sum(w * b * b)
    expected = np.sqrt(np.sum(w * (a - scale * b) ** 2) / np.sum(w * a * a))
    found = value(RwpMetric(RwpOptions()), replace(short(a), uncertainty=sigma), short(b))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_without_uncertainties_all_points_weigh_the_same_and_that_is_said():
    metric = RwpMetric(RwpOptions())
    weighted = replace(ONE, uncertainty=np.linspace(1, 9, len(Q)))
    assert value(metric, ONE, OTHER) == value(metric, replace(ONE, uncertainty=np.full(len(Q), 3.0)), OTHER)
    assert value(metric, weighted, OTHER) != value(metric, ONE, OTHER)
    said = [explanation(metric, first, OTHER)["weights from uncertainties"] for first in (ONE, weighted)]
    assert said == [False, True]


def test_rwp_is_the_root_of_r2wp_on_the_same_scale():
    for scale in ("maximum", "least-squares"):
        squared = value(R2wpMetric(R2wpOptions(scale=scale)), ONE, OTHER)
        assert value(RwpMetric(RwpOptions(scale=scale)), ONE, OTHER) == pytest.approx(np.sqrt(squared))


def test_residuals_have_a_direction():
    strong, weak = pattern(peak(2.0) + peak(3.0)), pattern(peak(2.0))
    metric = R2wpMetric(R2wpOptions())
    # Of two equal reflections, one is missing; of one reflection, as much again is too much.
    assert value(metric, strong, weak) == pytest.approx(0.5, rel=1e-6)
    assert value(metric, weak, strong) == pytest.approx(1.0, rel=1e-6)


@given(INTENSITIES, INTENSITIES)
def test_cosine_distance_is_1_less_the_cosine(a, b):
    expected = 1 - a @ b / np.sqrt((a @ a) * (b @ b))
    assert value(CosineMetric(CosineOptions()), short(a), short(b)) == pytest.approx(expected, abs=1e-12)


@given(INTENSITIES, INTENSITIES)
def test_l1_distance_is_the_share_of_intensity_elsewhere(a, b):
    expected = 1 - np.minimum(a / a.sum(), b / b.sum()).sum()
    assert value(L1Metric(L1Options()), short(a), short(b)) == pytest.approx(expected, abs=1e-12)


def test_without_a_common_reflection_distances_have_their_largest_value():
    left, right = pattern(peak(2.0)), pattern(peak(4.0, 7))
    for metric, largest in zip(every_metric(), (2.0, 1.0, 1.0, 1.0), strict=True):
        assert value(metric, left, right) == pytest.approx(largest, rel=1e-6)


def test_small_cosine_distances_keep_their_digits():
    tilted = pattern(ONE.intensity * (1 + 1e-9 * np.sin(Q)))
    found = value(CosineMetric(CosineOptions()), ONE, tilted)
    assert 1e-20 < found < 1e-17


def test_values_are_taken_at_the_points_of_the_first_pattern_that_the_second_covers():
    longer = np.linspace(2.0, 9.0, 1501)
    second = pattern(peak(2.4, 50, q=longer) + peak(4.1, 10, q=longer), q=longer, radiation=COPPER)
    first = pattern(peak(2.4, 30) + peak(4.1, 25) + peak(1.4, 500))
    inside = Q >= 2.0
    cut = [pattern(f(Q[inside]), q=Q[inside]) for f in (
        lambda q: peak(2.4, 30, q=q) + peak(4.1, 25, q=q), lambda q: peak(2.4, 50, q=q) + peak(4.1, 10, q=q)
    )]  # fmt: skip
    for metric in every_metric():
        assert value(metric, first, second) == pytest.approx(value(metric, *cut), rel=0.02)
        said = explanation(metric, first, second)
        assert (said["points"], said["points left out"]) == (inside.sum(), len(Q) - inside.sum())
        assert (said["from Q (1/Å)"], said["to Q (1/Å)"]) == (pytest.approx(2.0), 5.0)


def test_too_little_in_common_is_refused_unless_it_is_enough_for_the_user():
    part = np.linspace(3.5, 6.0, 300)
    second = pattern(peak(4.0, q=part), q=part)
    first = pattern(peak(2.0) + peak(4.0))
    for metric in every_metric():
        with pytest.raises(PatternError, match="covers 151 of the 401 points"):
            value(metric, first, second)
    for metric in every_metric(least_overlap=0.3):
        assert value(metric, first, second) == pytest.approx(0, abs=0.01)
    for metric in every_metric(least_overlap=0.0):
        with pytest.raises(PatternError, match="covers 0 of the 401"):
            value(metric, first, pattern(peak(6.5, q=part + 3), q=part + 3))


def test_a_common_range_without_intensity_is_refused():
    empty = np.where(Q > 3, 0.0, peak(2.0))
    part = np.linspace(3.1, 5.0, 300)
    for metric in every_metric(least_overlap=0.1):
        with pytest.raises(PatternError, match="no intensity where both patterns were measured"):
            value(metric, pattern(empty), pattern(peak(4.0, q=part), q=part))


def test_patterns_of_different_radiation_are_refused_unless_the_user_wants_them():
    molybdenum = pattern(OTHER.intensity, radiation=Radiation.from_line("MoKa"))
    for metric in every_metric():
        with pytest.raises(PatternError, match=r"CuKa1, .* with MoKa; their intensities differ"):
            value(metric, ONE, molybdenum)
    for metric, plain in zip(every_metric(any_radiation=True), every_metric(), strict=True):
        assert value(metric, ONE, molybdenum) == value(plain, ONE, OTHER)
        said = explanation(metric, ONE, molybdenum)
        assert said["mean wavelength of the first (Å)"] == pytest.approx(1.540593)
        assert said["mean wavelength of the second (Å)"] == pytest.approx(0.710740, abs=1e-5)


def test_a_line_its_doublet_and_their_mean_are_one_radiation_and_that_is_said():
    for radiation in (Radiation.from_line("CuKa"), Radiation.monochromatic(1.5418)):
        other = pattern(OTHER.intensity, radiation=radiation)
        for metric, plain in zip(every_metric(), every_metric(), strict=True):
            assert value(metric, ONE, other) == value(plain, ONE, OTHER)
            assert "mean wavelength of the second (Å)" in explanation(metric, ONE, other)
    assert "mean wavelength of the second (Å)" not in explanation(every_metric()[0], ONE, OTHER)


def test_the_scale_is_said():
    double = pattern(2 * ONE.intensity)
    for options in ({"scale": "maximum"}, {"scale": "least-squares"}):
        for metric in (R2wpMetric(R2wpOptions(**options)), RwpMetric(RwpOptions(**options))):
            assert explanation(metric, ONE, double)["scale"] == pytest.approx(0.5)


def test_interpolation_makes_no_intensity_below_what_was_measured():
    coarse = np.linspace(0.9, 5.1, 60)
    spikes = np.where(np.arange(60) % 7 == 3, 100.0, 0.0)
    metric = L1Metric(L1Options())
    # Were interpolated intensities negative, the distance could exceed 1.
    assert 0 <= value(metric, ONE, pattern(spikes, q=coarse)) <= 1


def test_a_batch_of_different_axes_gives_what_pairs_give():
    other_axis = np.linspace(0.8, 5.5, 700)
    patterns = [ONE, OTHER, pattern(peak(3.0, q=other_axis) + 0.1, q=other_axis)]
    for metric in every_metric():
        features = metric.featurise(patterns)
        expected = [[value(metric, one, other) for other in patterns] for one in patterns]
        np.testing.assert_allclose(metric.compare(features, features), expected, rtol=1e-12, atol=1e-15)


def test_structures_are_no_patterns():
    for metric in every_metric():
        with pytest.raises(InputError, match="compares patterns, not str"):
            metric.featurise(["rutile"])


def test_the_metrics_are_installed_under_their_names_and_compare_patterns():
    registry = installed_registry()
    for name in ("pattern-r2wp", "pattern-rwp", "pattern-cosine", "pattern-l1"):
        metric = registry.create("metric", name)
        assert (metric.name, metric.compares) == (name, "patterns")
