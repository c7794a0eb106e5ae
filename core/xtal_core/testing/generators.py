"""What every generator must fulfil."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.interfaces import Workbench
from xtal_core.registry import installed_registry
from xtal_core.testing.problems import problem_of, rock_salt

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from xtal_core.candidate import Candidate
    from xtal_core.interfaces import Generator, Simulator
    from xtal_core.problem import Problem


class GeneratorConformance(ABC):
    """Tests of a generator: subclass it as `Test…` and define `create_generator`.

    The generator must propose something for NaCl, or `problems` be overridden.
    """

    @abstractmethod
    def create_generator(self) -> Generator:
        """Return the generator under test."""

    def create_simulator(self) -> Simulator:
        """Return the simulator that makes the patterns and lies on the workbench: `powder` unless overridden."""
        return installed_registry().create("simulator", "powder")

    def problems(self) -> list[Problem]:
        """Return problems that the generator has candidates for."""
        return [problem_of(rock_salt(), self.create_simulator(), z=4)]

    def hopeless_problem(self) -> Problem | None:
        """Return a problem that the generator cannot have any candidate for; None if there is no such problem."""
        return None

    def test_candidates_are_found_and_have_the_formula_asked_for(self) -> None:
        for problem in self.problems():
            candidates = self._generate(problem)
            assert candidates
            for candidate in candidates:
                proposed = candidate.structure.composition.element_composition.reduced_composition
                assert proposed.as_dict() == dict(problem.formula.amounts)

    def test_structures_are_crystals(self) -> None:
        for problem in self.problems():
            for candidate in self._generate(problem):
                structure = candidate.structure
                assert structure.is_ordered
                assert np.isfinite(structure.lattice.matrix).all()
                assert np.isfinite(structure.frac_coords).all()
                assert 1 < structure.volume / len(structure) < 1000
                assert len(structure) == 1 or structure.is_valid(tol=0.3)

    def test_cells_hold_z_formula_units_when_z_is_known(self) -> None:
        """In the cell as it is, or in the primitive or the conventional cell."""
        for problem in self.problems():
            if problem.z is None:
                continue
            for candidate in self._generate(problem):
                n_atoms = problem.z * problem.formula.n_atoms
                assert n_atoms in self._cell_contents(candidate.structure), candidate.origin

    def test_candidates_say_where_they_are_from(self) -> None:
        for problem in self.problems():
            for candidate in self._generate(problem):
                assert candidate.generator
                assert "\n" not in candidate.origin
                assert np.isfinite(candidate.prior)
                json.dumps(candidate.details, allow_nan=False)

    def test_a_fit_that_a_generator_makes_itself_is_on_the_measured_points(self) -> None:
        for problem in self.problems():
            for fit in (candidate.fit for candidate in self._generate(problem)):
                assert fit is None or np.shape(fit.calculated) == np.shape(problem.pattern.intensity)
                assert fit is None or np.isfinite(fit.residual)

    def test_the_same_seed_gives_the_same_candidates(self) -> None:
        """Whatever the state of NumPy's global random numbers."""
        for problem in self.problems():
            np.random.seed(1)  # noqa: NPY002 (the global state that must not matter)
            first = self._generate(problem, seed=7)
            np.random.seed(2)  # noqa: NPY002
            second = self._generate(problem, seed=7)
            assert [c.origin for c in first] == [c.origin for c in second]
            for one, other in zip(first, second, strict=True):
                np.testing.assert_array_equal(one.structure.lattice.matrix, other.structure.lattice.matrix)
                np.testing.assert_array_equal(one.structure.frac_coords, other.structure.frac_coords)
                assert one.structure.species == other.structure.species

    def test_a_generator_can_be_used_again(self) -> None:
        generator = self.create_generator()
        for problem in self.problems():
            workbench = Workbench(self.create_simulator(), seed=3)
            counts = {len(generator.generate(problem, workbench)) for _ in range(2)}
            assert len(counts) == 1

    def test_nothing_found_is_an_empty_list(self) -> None:
        problem = self.hopeless_problem()
        assert problem is None or list(self._generate(problem)) == []

    def _generate(self, problem: Problem, seed: int = 0) -> Sequence[Candidate]:
        return self.create_generator().generate(problem, Workbench(self.create_simulator(), seed=seed))

    def _cell_contents(self, structure: Structure) -> set[int]:
        from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

        analyzer = SpacegroupAnalyzer(structure, symprec=0.01)
        primitive, conventional = analyzer.find_primitive(), analyzer.get_conventional_standard_structure()
        return {len(cell) for cell in (structure, primitive, conventional) if cell is not None}
