"""What every refiner must fulfil."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from xtal_core.agreement import compare_with_pattern, ranking_fit
from xtal_core.candidate import Candidate
from xtal_core.interfaces import Workbench
from xtal_core.registry import installed_registry
from xtal_core.testing.problems import caesium_chloride_type, problem_of, rock_salt

if TYPE_CHECKING:
    from xtal_core.interfaces import Refiner, Simulator
    from xtal_core.problem import Problem


class RefinerConformance(ABC):
    """Tests of a refiner: subclass it as `Test…` and create the refiner.

        class TestMyRefiner(RefinerConformance):
            def create_refiner(self):
                return MyRefiner(MyOptions())

    Attributes
    ----------
    volume_tolerance
        How far, as a fraction, the refined cell volume of an easy case may be from the truth.
    """

    volume_tolerance: ClassVar[float] = 0.003

    @abstractmethod
    def create_refiner(self) -> Refiner:
        """Return the refiner under test."""

    def create_simulator(self) -> Simulator:
        """Return the simulator that makes the pattern and lies on the workbench: `powder` unless overridden."""
        return installed_registry().create("simulator", "powder")

    def problem(self) -> Problem:
        """Return the problem of the tests: rock salt with a cell edge of 5.64 Å."""
        return problem_of(rock_salt(5.64), self.create_simulator(), z=4)

    def candidates(self) -> list[Candidate]:
        """Return a wrong structure type, and the right one 1 % too small."""
        return [
            Candidate(caesium_chloride_type(), "test", "wrong type", prior=-1.0, details={"kept": True}),
            Candidate(rock_salt(5.64 * 0.99 ** (1 / 3)), "test", "right type", prior=-2.0),
        ]

    def test_the_right_structure_is_refined_to_the_right_volume(self) -> None:
        best = min(self._refine(), key=self._residual)
        assert best.origin == "right type"
        volume = best.structure.volume / len(best.structure)
        assert volume == pytest.approx(5.64**3 / 8, rel=self.volume_tolerance)

    def test_refinement_makes_the_best_fit_better(self) -> None:
        before = compare_with_pattern(self.problem(), self.candidates(), self.create_simulator())
        assert min(map(self._residual, self._refine())) < min(map(self._residual, before))

    def test_fits_are_on_the_measured_points_and_their_residuals_are_r2wp(self) -> None:
        pattern = self.problem().pattern
        for candidate in self._refine():
            fit = candidate.fit
            assert fit is not None
            assert np.shape(fit.calculated) == np.shape(fit.background) == np.shape(pattern.intensity)
            assert np.isfinite(fit.calculated).all()
            expected = float(ranking_fit(pattern, fit).residuals[0])
            assert fit.residual == pytest.approx(expected, rel=1e-6, abs=1e-12)
            assert fit.scale >= 0
            assert fit.n_parameters > 0

    def test_refined_candidates_remember_where_they_are_from(self) -> None:
        known = {(c.generator, c.origin, c.prior) for c in self.candidates()}
        assert {(c.generator, c.origin, c.prior) for c in self._refine()} <= known

    def test_compositions_stay(self) -> None:
        for candidate in self._refine():
            assert candidate.structure.composition.reduced_formula == "NaCl"

    def test_the_candidates_handed_over_stay_as_they_were(self) -> None:
        given, untouched = self.candidates(), self.candidates()
        self.create_refiner().refine(self.problem(), given, Workbench(self.create_simulator()))
        for candidate, before in zip(given, untouched, strict=True):
            assert candidate.structure == before.structure
            assert candidate.fit is None

    def test_the_same_seed_gives_the_same_refinement(self) -> None:
        first, second = self._refine(), self._refine()
        assert [self._residual(c) for c in first] == [self._residual(c) for c in second]
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one.structure.lattice.matrix, other.structure.lattice.matrix)

    def test_nothing_to_refine_is_an_empty_list(self) -> None:
        assert self.create_refiner().refine(self.problem(), [], Workbench(self.create_simulator())) == []

    def _refine(self) -> list[Candidate]:
        return self.create_refiner().refine(
            self.problem(), self.candidates(), Workbench(self.create_simulator(), seed=5)
        )

    def _residual(self, candidate: Candidate) -> float:
        assert candidate.fit is not None
        return candidate.fit.residual
