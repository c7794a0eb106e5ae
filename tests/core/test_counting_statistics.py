from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.counting_statistics import counting_scatter, standard_uncertainties
from xtal_core.pattern import Pattern, Radiation

CU = Radiation.from_line("CuKa1")
Q = np.linspace(1, 6, 3000)
EXPECTED = 40 + sum(900 * np.exp(-((Q - centre) ** 2) / (2 * 0.02**2)) for centre in (2.0, 3.1, 4.4))


@pytest.fixture
def counts():
    return Pattern(Q, np.random.default_rng(1).poisson(EXPECTED).astype(float), CU)


def test_uncertainties_of_the_file_come_first(counts):
    sigma = np.linspace(1, 2, len(Q))
    values, how = standard_uncertainties(replace(counts, uncertainty=sigma))
    np.testing.assert_array_equal(values, sigma)
    assert "of the file" in how


def test_counts_have_the_variance_of_a_poisson_distribution(counts):
    values, how = standard_uncertainties(counts)
    np.testing.assert_allclose(values**2, np.maximum(counts.intensity, 1))
    assert how == "square roots of the counts"
    pulls = (counts.intensity - EXPECTED) / values
    assert pulls.std() == pytest.approx(1, abs=0.05)


def test_nothing_counted_is_as_uncertain_as_one_count():
    few = Pattern(Q, np.random.default_rng(2).poisson(2.0, len(Q)).astype(float), CU)
    values, _ = standard_uncertainties(few)
    assert values[few.intensity == 0].min() == 1


def test_intensities_that_are_not_whole_numbers_are_no_counts(counts):
    values, how = standard_uncertainties(replace(counts, intensity=counts.intensity / 3))
    assert values is None
    assert "not whole numbers" in how


@pytest.mark.parametrize("factor", [10, 0.05])
def test_whole_numbers_that_do_not_scatter_as_counts_are_none(counts, factor):
    values, how = standard_uncertainties(replace(counts, intensity=np.rint(factor * counts.intensity)))
    assert values is None
    assert "times as much as counts" in how


def test_smooth_whole_numbers_are_no_counts():
    assert standard_uncertainties(Pattern(Q, np.rint(50 * EXPECTED), CU)).values is None


@pytest.mark.parametrize("level", [1, 5, 100, 10_000])
def test_the_scatter_of_counts_is_one_at_any_level(level):
    counts = np.random.default_rng(level).poisson(level, 20_000).astype(float)
    assert counting_scatter(counts) == pytest.approx(1, abs=0.2)


def test_excluded_regions_do_not_decide_whether_intensities_are_counts(counts):
    spoilt = np.where(Q < 4, 1000 * np.rint(np.random.default_rng(3).normal(60, 5, len(Q))), counts.intensity)
    pattern = replace(counts, intensity=spoilt)
    assert standard_uncertainties(pattern).values is None
    assert standard_uncertainties(replace(pattern, excluded=Q < 4)).values is not None
