"""Correlations agree with scipy, and their intervals cover what they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xtal_study.correlation import correlate, median, separation, weighted_pearson, weighted_ranks, weighted_spearman


def related(n=200, noise=1.0, seed=0, decimals=None):
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    y = x + noise * random.normal(size=n) + 100
    return (x, y) if decimals is None else (np.round(x, decimals), np.round(y, decimals))


@pytest.mark.parametrize("decimals", [None, 0], ids=["all different", "many ties"])
def test_coefficients_are_those_of_scipy(decimals):
    x, y = related(decimals=decimals)
    found = correlate(x, y, [str(i) for i in range(len(x))], 100, 0)
    assert found.pearson.value == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found.spearman.value == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize("decimals", [None, 0], ids=["all different", "many ties"])
def test_a_weight_is_how_often_a_point_is_there(decimals):
    x, y = related(50, decimals=decimals)
    counts = np.random.default_rng(1).integers(0, 4, (3, 50))
    for row in counts:
        repeated_x, repeated_y = np.repeat(x, row), np.repeat(y, row)
        weights = row[None].astype(float)
        assert weighted_pearson(x, y, weights)[0] == pytest.approx(stats.pearsonr(repeated_x, repeated_y).statistic)
        assert weighted_spearman(x, y, weights)[0] == pytest.approx(stats.spearmanr(repeated_x, repeated_y).statistic)
        assert np.repeat(weighted_ranks(x, weights)[0], row) == pytest.approx(stats.rankdata(repeated_x))


def test_the_interval_of_independent_pairs_is_that_of_fishers_transformation():
    x, y = related(400)
    found = correlate(x, y, [str(i) for i in range(len(x))], 2000, 0).pearson
    expected = stats.pearsonr(x, y).confidence_interval(0.95)
    assert found.low == pytest.approx(expected.low, abs=0.02)
    assert found.high == pytest.approx(expected.high, abs=0.02)


def test_pairs_that_are_copies_of_each_other_do_not_narrow_the_interval():
    x, y = related(60)
    names = [str(i) for i in range(60)]
    once = correlate(x, y, names, 1000, 0).pearson
    tenfold = correlate(np.tile(x, 10), np.tile(y, 10), names * 10, 1000, 0).pearson
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))


def test_pairs_without_a_match_take_no_part():
    x, y = related(30)
    gap_x, gap_y = np.append(x, [np.nan, 3.0]), np.append(y, [50.0, np.nan])
    found = correlate(gap_x, gap_y, ["a"] * 32, 100, 0)
    assert found.pairs == 30
    assert found.pearson.value == pytest.approx(stats.pearsonr(x, y).statistic)


def test_too_few_pairs_and_constant_values_have_no_correlation():
    x, y = related(9)
    assert correlate(x, y, list("abcdefghi"), 100, 0).pearson.value is None
    x, _ = related(50)
    constant = correlate(x, np.full(50, 0.3) + 1e-13 * x, ["a"] * 50, 100, 0)
    assert constant.pearson.value is None
    assert constant.spearman.value is None


def test_a_side_that_is_constant_but_for_odd_cases_has_no_correlation():
    x, y = related(100)
    nearly = np.where(np.arange(100) < 2, 0.1, 1e-9 * np.abs(x))
    assert correlate(nearly, y, [str(i) for i in range(100)], 100, 0).pearson.value is None
    often = np.where(np.arange(100) < 20, x, 0.0)
    assert correlate(often, y, [str(i) for i in range(100)], 100, 0).pearson.value is not None


def test_few_groups_give_a_value_without_an_interval():
    x, y = related(40)
    found = correlate(x, y, ["a", "b"] * 20, 100, 0).pearson
    assert found.value is not None
    assert found.low is None


def test_the_same_seed_gives_the_same_interval():
    x, y = related(40)
    names = [str(i) for i in range(40)]
    assert correlate(x, y, names, 200, 5) == correlate(x, y, names, 200, 5)
    assert correlate(x, y, names, 200, 5).pearson.low != correlate(x, y, names, 200, 6).pearson.low


def test_separation_is_the_share_of_pairs_of_pairs_in_the_right_order():
    random = np.random.default_rng(0)
    matched, unmatched = np.round(random.normal(0, 1, 70), 1), np.round(random.normal(1, 1, 90), 1)
    difference = unmatched[None] - matched[:, None]
    assert separation(matched, unmatched) == pytest.approx(((difference > 0) + (difference == 0) / 2).mean())
    assert separation(matched, matched) == pytest.approx(0.5)
    assert separation(matched, np.array([])) is None


def test_no_match_is_further_than_every_number_in_a_median():
    assert median(np.array([1.0, np.nan, 3.0])) == 3.0
    assert median(np.array([1.0, np.nan])) == np.inf
    assert median(np.array([1.0, 2.0])) == 1.5
