from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from toys import caesium_chloride_type, pattern_of, rocksalt
from xtal_core import verdict_features as features_module
from xtal_core.candidate import Candidate, Fit, RankedCandidate
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.pattern_features import peak_width
from xtal_core.verdict_features import MOST_GAP, unexplained, verdict_features

Q = np.linspace(1.0, 6.0, 4000)
PEAKS = 1000 * sum(np.exp(-(((Q - centre) / 0.05) ** 2)) for centre in (1.5, 2.5, 3.7, 5.0))
BACKGROUND = np.full(len(Q), 400.0)


def pattern(intensity, uncertainty=None):
    return Pattern(Q, intensity, Radiation.from_line("CuKa1"), uncertainty)


def fit(calculated, background=BACKGROUND, n_parameters=10):
    return Fit(calculated, background, Profile(), 1.0, 0.1, n_parameters)


def counts(seed):
    return np.random.default_rng(seed).poisson(PEAKS + BACKGROUND).astype(float)


def misfit(pattern, fit):
    return features_module.misfit(*unexplained(pattern, fit))


def test_a_perfect_fit_of_a_calculated_pattern_has_no_misfit():
    assert misfit(pattern(PEAKS + BACKGROUND), fit(PEAKS + BACKGROUND)) == pytest.approx(0, abs=0.02)


def test_the_truth_behind_counts_is_within_noise_whatever_the_counts():
    values = [misfit(pattern(counts(seed)), fit(PEAKS + BACKGROUND, n_parameters=0)) for seed in range(40)]
    # ln(1 + z): a standard deviation is 0.7 and three are 1.4; half of all fits are below the floor.
    assert max(values) < math.log1p(4)
    assert 0.3 < np.mean(np.array(values) == 0) < 0.7


@pytest.mark.parametrize("observed", [PEAKS + BACKGROUND, counts(1)], ids=["calculated", "counts"])
def test_misfit_grows_with_what_is_left_unexplained(observed):
    values = [misfit(pattern(observed), fit(factor * PEAKS + BACKGROUND)) for factor in (1.0, 0.95, 0.9, 0.5)]
    assert values == sorted(values)
    assert values[1] > 1.5
    assert len(set(values)) == 4


@pytest.mark.parametrize("observed", [PEAKS + BACKGROUND, counts(3)], ids=["calculated", "counts"])
def test_peaks_that_are_too_low_leave_the_square_of_what_they_lack_whatever_the_noise(observed):
    share, deviation = unexplained(pattern(observed), fit(0.8 * PEAKS + BACKGROUND))
    assert share == pytest.approx(0.04, abs=0.002)
    assert deviation < 1e-3


def test_misfit_is_the_same_with_the_uncertainties_of_the_file_as_with_those_of_counts():
    observed, calculated = counts(2), fit(0.98 * PEAKS + BACKGROUND)
    stated = misfit(pattern(observed, np.sqrt(observed)), calculated)
    assert misfit(pattern(observed), calculated) == pytest.approx(stated)


def test_noise_of_unknown_size_is_taken_from_the_scatter_of_the_points():
    noisy = PEAKS + BACKGROUND + np.random.default_rng(4).normal(0, 15, len(Q))
    value = misfit(pattern(noisy), fit(PEAKS + BACKGROUND))
    assert value == pytest.approx(misfit(pattern(noisy, np.full(len(Q), 15.0)), fit(PEAKS + BACKGROUND)), abs=1.2)
    assert value < 1.5


def test_excluded_points_do_not_count():
    observed = PEAKS + BACKGROUND
    spoiled = np.where(Q > 5.5, 5000.0, observed)
    cut = replace(pattern(spoiled), excluded=Q > 5.5)
    assert misfit(cut, fit(observed)) == pytest.approx(0, abs=0.02)
    assert misfit(pattern(spoiled), fit(observed)) > 10


def ranked(structure, merit, rank=1, prior=0.0):
    measured = pattern_of(rocksalt(5.64))
    known = Fit(measured.intensity, 300 - 30 * measured.q, Profile(), 1.0, 1e-3, 7)
    return RankedCandidate(rank, Candidate(structure, "toy", prior=prior, fit=known), merit, ("P1", 1))


def test_features_are_those_of_the_first_candidate_and_its_distance_to_the_second():
    measured = pattern_of(rocksalt(5.64))
    second = ranked(caesium_chloride_type(3.4), -5.5, 2)
    features = verdict_features(measured, [ranked(rocksalt(5.64), -7.0, prior=1.2), second])
    observations = 2 * (measured.q[-1] - measured.q[0]) / peak_width(measured)
    assert features.gap == pytest.approx(1.5)
    assert features.prior == 1.2
    assert features.information == pytest.approx(math.log(observations))
    assert features.parameters == pytest.approx(7 / observations)
    assert features.noisy == 0
    assert features.shortest_contact == pytest.approx(1.05, abs=0.01)
    assert features.instability < 0.25


@pytest.mark.parametrize("others", [[], [ranked(caesium_chloride_type(3.4), 20.0, 2)]], ids=["none", "far behind"])
def test_the_gap_to_no_rival_is_the_largest(others):
    assert verdict_features(pattern_of(rocksalt(5.64)), [ranked(rocksalt(5.64), -7.0), *others]).gap == MOST_GAP
