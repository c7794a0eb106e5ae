"""Patterns in bins: what was measured, without its background and most of its noise."""

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.binned_pattern import binned_pattern
from xtal_core.errors import PatternError
from xtal_core.pattern import Pattern, Radiation
from xtal_core.training_set import LARGEST_Q, LAST_REFLECTION, WAVELENGTH

RADIATION = Radiation.monochromatic(WAVELENGTH)
N_POINTS = 512
CENTRES = (np.arange(N_POINTS) + 0.5) * LARGEST_Q / N_POINTS


def peaks(q, sigma):
    return sum(height * np.exp(-0.5 * ((q - at) / sigma) ** 2) for at, height in ((1.9, 800), (3.3, 1000), (4.8, 300)))


def pattern_with(sigma, two_theta=(10.0, 90.0), step=0.02):
    q = RADIATION.q_from_two_theta(np.arange(*two_theta, step))
    return Pattern(q, peaks(q, sigma), RADIATION)


@pytest.mark.parametrize(("sigma", "seen"), [(0.2, 0.2), (0.01, 0.05)])
def test_sharp_peaks_are_smoothed_and_broad_ones_are_left(sigma, seen):
    binned = binned_pattern(pattern_with(sigma), 0.05, N_POINTS)
    assert binned.peak_width == pytest.approx(sigma, rel=0.1)
    expected = peaks(CENTRES, seen) * sigma / seen
    # The largest of a bin is more than its middle where a peak is steep.
    steepest = np.exp(-0.5) / seen * LARGEST_Q / N_POINTS / 2
    allowed = (0.02 + steepest) * expected.max()
    assert binned.intensity[binned.covered] == pytest.approx(expected[binned.covered], abs=allowed)


def test_counting_noise_on_a_background_is_mostly_averaged_away():
    clean = pattern_with(0.2)
    counted = np.random.default_rng(3).poisson(10 * (clean.intensity + 400)) / 10.0
    seen = binned_pattern(replace(clean, intensity=counted), 0.08, N_POINTS)
    expected = binned_pattern(clean, 0.08, N_POINTS).intensity
    # A counter's noise between the peaks is 6, of which the largest of each bin would be three times as much.
    difference = (seen.intensity - expected)[seen.covered]
    assert np.abs(difference[expected[seen.covered] < 20]).mean() < 6
    assert np.abs(difference).max() < 0.08 * expected.max()


def test_bins_end_where_the_pattern_or_what_is_known_does():
    whole = binned_pattern(pattern_with(0.05, (20.0, 120.0)), 0.05, N_POINTS)
    first, last = CENTRES[whole.covered][[0, -1]]
    assert first == pytest.approx(RADIATION.q_from_two_theta(np.array([20.0]))[0], abs=0.03)
    assert last == pytest.approx(LAST_REFLECTION, abs=0.03)
    assert not whole.intensity[~whole.covered].any()


def test_a_pattern_of_less_than_an_inverse_angstrom_is_refused():
    with pytest.raises(PatternError, match="covers too little"):
        binned_pattern(pattern_with(0.05, (30.0, 42.0)), 0.05, N_POINTS)
