from __future__ import annotations

from dataclasses import replace

import pytest

from toys import ToyRefiner, ToyRefinerOptions, ToySimulator
from xtal_core.testing import RefinerConformance


class TestToyRefiner(RefinerConformance):
    def create_refiner(self):
        return ToyRefiner(ToyRefinerOptions())

    def create_simulator(self):
        return ToySimulator()


class Suite(TestToyRefiner):
    """The suite with a refiner whose results a test spoils."""

    __test__ = False
    change = staticmethod(lambda candidate: candidate)

    def create_refiner(self):
        class Spoilt(ToyRefiner):
            def refine(self, problem, candidates, workbench, change=self.change):
                return [change(c) for c in super().refine(problem, candidates, workbench)]

        return Spoilt(ToyRefinerOptions())


def suite(change):
    result = Suite()
    result.change = change
    return result


def test_the_suite_notices_a_residual_of_another_definition():
    spoilt = suite(lambda c: replace(c, fit=replace(c.fit, residual=c.fit.residual**0.5)))
    with pytest.raises(AssertionError):
        spoilt.test_fits_are_on_the_measured_points_and_their_residuals_are_r2wp()


def test_the_suite_notices_a_forgotten_origin():
    with pytest.raises(AssertionError):
        suite(lambda c: replace(c, origin="")).test_refined_candidates_remember_where_they_are_from()


def test_the_suite_notices_a_refiner_that_does_nothing():
    spoilt = suite(lambda c: c)
    spoilt.create_refiner = lambda: type("Idle", (ToyRefiner,), {"_refine": _fit_without_refining})(ToyRefinerOptions())
    with pytest.raises(AssertionError):
        spoilt.test_the_right_structure_is_refined_to_the_right_volume()


def _fit_without_refining(self, problem, candidate, workbench):
    from xtal_core.agreement import compare_with_pattern

    return compare_with_pattern(problem, [candidate], workbench.simulator)[0]
