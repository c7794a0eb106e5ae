from dataclasses import replace

import numpy as np
import pytest
import torch

from xtal_core.agreement import measurement_for, resample
from xtal_core.cells import CellBatch
from xtal_core.errors import PatternError
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.problem import Formula, Problem
from xtal_core.training_set import WAVELENGTH
from xtal_pxrdnet.broadening import axis, broadened, normalised
from xtal_pxrdnet.pattern_input import LARGEST_SIZE, network_input

MP20_SIGMA = 0.0856


def measured(simulator, structure, two_theta, size=None, sigma=MP20_SIGMA, wavelength=WAVELENGTH):
    """Return the problem of a pattern at `two_theta` without background, largest intensity 1000."""
    radiation = Radiation.monochromatic(wavelength)
    q = radiation.q_from_two_theta(two_theta)
    pattern = Pattern(q, np.ones(len(q)), radiation)
    fine = measurement_for(pattern, 4 * len(q))
    simulated = simulator.simulate(CellBatch.from_structures([structure]), fine, [Profile(size, sigma)])
    values = resample(simulated, fine, q)[0]
    pattern = replace(pattern, intensity=1000 * values / values.max())
    return Problem(pattern, Formula.parse(structure.composition.reduced_formula)[0], crystallite_size=size)


def in_training(training_set, index, size):
    """Return the pattern that training shows of a crystal, without noise."""
    sticks = torch.from_numpy(training_set.sticks([index]))
    return broadened(sticks, torch.tensor([size]), torch.tensor([MP20_SIGMA]))


@pytest.mark.parametrize(("index", "size"), [(0, 10.0), (2, 10.0), (2, 100.0), (3, 30.0)])
def test_a_pattern_looks_as_in_training(simulator, structures, training_set, index, size):
    """Simulated on another grid, with other code; sticks are placed in bins, of two in one the larger."""
    shown = network_input(measured(simulator, structures[index], np.arange(5, 90, 0.02), size))
    expected = normalised(in_training(training_set, index, size), shown.patterns.covered).intensity
    assert float((shown.patterns.intensity - expected).abs().mean()) < 0.01
    assert shown.crystallite_size == size


def test_sharp_patterns_are_smoothed_to_the_width_of_training(simulator, structures, training_set):
    shown = network_input(measured(simulator, structures[2], np.arange(5, 90, 0.02), sigma=0.01))
    expected = normalised(in_training(training_set, 2, float("inf")), shown.patterns.covered).intensity
    assert float((shown.patterns.intensity - expected).abs().mean()) < 0.01
    assert shown.crystallite_size == LARGEST_SIZE


def test_only_what_was_measured_is_covered(simulator, structures):
    shown = network_input(measured(simulator, structures[2], np.arange(20, 60, 0.02))).patterns
    q = axis().numpy()[shown.covered[0].numpy() > 0]
    radiation = Radiation.monochromatic(WAVELENGTH)
    first, last = radiation.q_from_two_theta(np.array([20.0, 60.0]))
    assert first <= q[0] < first + 0.05
    assert last - 0.05 < q[-1] <= last
    assert bool((shown.intensity[shown.covered == 0] == 0).all())


def test_excluded_points_are_not_covered(simulator, structures):
    problem = measured(simulator, structures[2], np.arange(5, 90, 0.02))
    q = problem.pattern.q
    excluded = (q > 2.0) & (q < 2.4)
    shown = network_input(replace(problem, pattern=replace(problem.pattern, excluded=excluded))).patterns
    inside = (axis() > 2.02) & (axis() < 2.38)
    assert not bool(shown.covered[0, inside].any())
    assert bool(shown.covered[0, (axis() > 2.45) & (axis() < 5)].all())


def test_what_lies_beyond_the_last_reflection_of_training_is_not_shown(simulator, structures):
    shown = network_input(measured(simulator, structures[2], np.arange(5, 90, 0.02), wavelength=0.71)).patterns
    assert float((shown.covered * axis()).max()) < 5.77


def test_a_background_is_taken_away(simulator, structures):
    clean = measured(simulator, structures[2], np.arange(5, 90, 0.02), size=30.0)
    pattern = clean.pattern
    noise = np.random.default_rng(0).normal(0, 3.0, len(pattern.q))
    raised = replace(pattern, intensity=pattern.intensity + 500 - 60 * pattern.q + noise)
    without, with_it = (network_input(each).patterns.intensity for each in (clean, replace(clean, pattern=raised)))
    assert float((without - with_it).abs().mean()) < 0.04
    stored = replace(raised, background=500 - 60 * pattern.q)
    assert float((without - network_input(replace(clean, pattern=stored)).patterns.intensity).abs().mean()) < 0.01


def test_the_size_of_crystallites_is_estimated_when_it_is_not_known(simulator, structures):
    known = measured(simulator, structures[0], np.arange(5, 90, 0.02), size=25.0)
    estimate = network_input(replace(known, crystallite_size=None)).crystallite_size
    assert 12 < estimate < 50


def test_a_pattern_of_which_the_networks_see_too_little_is_refused(simulator, structures):
    problem = measured(simulator, structures[2], np.arange(25, 35, 0.02))
    with pytest.raises(PatternError, match="covers too little"):
        network_input(problem)
