from __future__ import annotations

import numpy as np
import pytest

from toys import ToySimulator
from xtal_core.testing.simulators import SimulatorConformance


class TestToySimulator(SimulatorConformance):
    def create_simulator(self):
        return ToySimulator()


class Suite(SimulatorConformance):
    """The suite with a simulator that a test spoils."""

    simulator = ToySimulator()

    def create_simulator(self):
        return self.simulator


def suite(change):
    """Return the suite for the toy simulator with `change` applied to its patterns."""

    class Spoilt(ToySimulator):
        def simulate(self, cells, measurement, profiles):
            return change(super().simulate(cells, measurement, profiles))

    result = Suite()
    result.simulator = Spoilt()
    return result


def test_the_suite_notices_patterns_that_depend_on_the_batch():
    with pytest.raises(AssertionError):
        suite(lambda p: p / p.max()).test_a_batch_gives_what_single_cells_give()


def test_the_suite_notices_negative_intensities():
    with pytest.raises(AssertionError):
        suite(lambda p: p - 0.01 * p.max()).test_patterns_are_finite_not_negative_and_not_empty()


def test_the_suite_notices_noise():
    random = np.random.default_rng(0)
    with pytest.raises(AssertionError):
        suite(lambda p: p + random.random(p.shape)).test_the_same_question_gets_the_same_answer()


def test_the_suite_notices_patterns_that_depend_on_the_cell_choice():
    class Clipped(ToySimulator):
        def _pattern(self, cells, index, measurement, profile, factor):
            pattern = super()._pattern(cells, index, measurement, profile, factor)
            return pattern * (measurement.q > len(cells.numbers[cells.atoms(index)]) / 4)

    spoilt = Suite()
    spoilt.simulator = Clipped()
    with pytest.raises(AssertionError):
        spoilt.test_patterns_do_not_depend_on_how_a_crystal_is_described()
