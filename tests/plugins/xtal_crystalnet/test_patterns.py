"""Patterns as the network sees them, in training and later."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xtal_core.agreement import measurement_for, resample
from xtal_core.cells import CellBatch
from xtal_core.errors import InputError, PatternError
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.problem import Formula
from xtal_core.training_set import LARGEST_Q, N_BINS, WAVELENGTH
from xtal_crystalnet.pattern_input import formula_input, pattern_input
from xtal_crystalnet.patterns import BIN, N_SEEN, PeakShapes, Variety, counting_noise, shown, smoothed

PLAIN = Variety.plain(0.05)


def measured(simulator, structure, two_theta, sigma, size=None):
    """Return a pattern at `two_theta` without background."""
    radiation = Radiation.monochromatic(WAVELENGTH)
    q = radiation.q_from_two_theta(two_theta)
    pattern = Pattern(q, np.ones(len(q)), radiation)
    fine = measurement_for(pattern, 4 * len(q))
    values = resample(simulator.simulate(CellBatch.from_structures([structure]), fine, [Profile(size, sigma)]), fine, q)
    return replace(pattern, intensity=1000 * values[0] / values.max())


@pytest.mark.parametrize("sigma", [0.02, 0.05])
def test_a_measured_pattern_looks_as_in_training(simulator, structures, training_set, sigma):
    """Simulated on another grid, with other code, as sharp as in training or sharper."""
    found = pattern_input(measured(simulator, structures[2], np.arange(5, 90, 0.02), sigma), 0.05)
    expected = shown(PLAIN.patterns(torch.from_numpy(training_set.sticks([2])))[:, 0], found[:, 1])
    assert float((found - expected).abs().mean()) < 0.01
    assert float(found[0, 0].max()) == 1


@pytest.mark.parametrize("size", [30.0, 100.0])
def test_patterns_of_small_crystallites_look_as_in_training(simulator, structures, training_set, size):
    """Their side lobes and all: the network was not taught to do without."""
    found = pattern_input(measured(simulator, structures[2], np.arange(5, 90, 0.02), 0.03, size), 0.01)
    shapes = PeakShapes(torch.tensor([0.03]), torch.tensor([6**0.5 / size]), torch.tensor([0.0]))
    sticks = torch.from_numpy(training_set.sticks([2]))
    expected = shown(smoothed(sticks, shapes, torch.tensor([0.0])), found[:, 1])
    assert float((found[:, 0].sqrt() - expected[:, 0].sqrt()).abs().mean()) < 0.01


def test_lorentzian_peaks_have_their_half_width_at_half_maximum():
    sticks = torch.zeros(1, N_BINS)
    sticks[0, 1400] = 1.0
    shapes = PeakShapes(torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([0.1]))
    found = smoothed(sticks, shapes, torch.tensor([0.0]))[0].numpy()
    assert pytest.approx((found > 0.5).sum() * BIN, abs=2 * BIN) == 2 * 0.1


def test_smoothing_is_a_convolution_with_a_gaussian():
    sticks = torch.zeros(1, N_BINS)
    sticks[0, [500, 1200]] = torch.tensor([1.0, 0.5])
    found = smoothed(sticks, PeakShapes.gaussian_only(torch.tensor([0.03])), torch.tensor([0.0]))[0].numpy()
    q = (np.arange(N_BINS)) * LARGEST_Q / N_BINS
    fine = sum(h * np.exp(-0.5 * ((q - q[place]) / 0.03) ** 2) for place, h in ((500, 1.0), (1200, 0.5)))
    assert found == pytest.approx(fine.reshape(-1, 4).max(axis=1)[:N_SEEN], abs=1e-4)


def test_shifts_move_all_peaks_and_nothing_enters_at_the_other_end():
    sticks = torch.zeros(1, N_BINS)
    sticks[0, [2, 1200]] = 1.0
    plain = smoothed(sticks, PeakShapes.gaussian_only(torch.tensor([0.02])), torch.tensor([0.0]))[0]
    moved = smoothed(sticks, PeakShapes.gaussian_only(torch.tensor([0.02])), torch.tensor([8 * BIN]))[0]
    assert moved[8:] == pytest.approx(plain[:-8], abs=1e-3)
    assert float(moved[-20:].max()) < 1e-3


def test_patterns_of_all_kinds_stay_between_0_and_1_and_are_0_where_nothing_was_measured(training_set):
    torch.manual_seed(0)
    variety = Variety(0.01, 0.25, tails=0.6, noise=0.01, counting=0.02, shift=0.01, background=0.02, cut=True)
    patterns = variety.patterns(torch.from_numpy(training_set.sticks(range(len(training_set)))))
    intensity, covered = patterns.unbind(1)
    assert patterns.shape[1:] == (2, N_SEEN)
    assert float(intensity.min()) >= 0
    assert intensity.amax(1).tolist() == pytest.approx([1.0] * len(patterns))
    assert set(covered.unique().tolist()) == {0.0, 1.0}
    assert not intensity[covered == 0].any()
    assert len({int(row.sum()) for row in covered}) > 3


@pytest.mark.parametrize("smoothing", [4, 10])
def test_counting_noise_has_every_strength_and_is_as_smooth_as_it_was_made(smoothing):
    torch.manual_seed(1)
    noise = counting_noise(torch.ones(400, N_SEEN), torch.full((400,), smoothing * BIN))
    strengths = noise.std(1)
    assert float(strengths.max()) == pytest.approx(1.0, abs=0.02)
    assert float(strengths.min()) == pytest.approx(0.02, rel=0.05)
    # White noise through a Gaussian of σ steps has the autocorrelation exp(-1/4σ²) of neighbours.
    steps = (noise[:, 1:] - noise[:, :-1]).square().mean(1).sqrt() / strengths
    assert float(steps.median()) == pytest.approx(1 / (2**0.5 * smoothing), rel=0.05)


def test_counting_noise_grows_with_the_square_root_of_the_intensity_and_its_background():
    torch.manual_seed(1)
    intensity = torch.zeros(400, N_SEEN)
    intensity[:, N_SEEN // 2 :] = 1.0
    noise = counting_noise(intensity, torch.zeros(400))
    ratios = noise[:, : N_SEEN // 2].std(1) / noise[:, N_SEEN // 2 :].std(1)
    # Backgrounds are between nothing and the whole of the strongest peak.
    assert float(ratios.min()) < 0.1
    assert float(ratios.max()) == pytest.approx(0.5**0.5, rel=0.15)


def test_a_pattern_that_shows_too_little_is_refused(simulator, structures):
    with pytest.raises(PatternError, match="covers too little"):
        pattern_input(measured(simulator, structures[2], np.arange(60, 66, 0.02), 0.05), 0.05)


def test_a_formula_is_atomic_fractions():
    found = formula_input(Formula.parse("TiO2")[0], 100)
    assert found.nonzero()[:, 1].tolist() == [7, 21]
    assert found[0, [7, 21]].tolist() == pytest.approx([2 / 3, 1 / 3])
    with pytest.raises(InputError, match="does not know Ti"):
        formula_input(Formula.parse("TiO2")[0], 20)
