from __future__ import annotations

import pytest

from toys import ToyGenerator, ToyGeneratorOptions, ToySimulator, rocksalt
from xtal_core.candidate import Candidate
from xtal_core.testing import GeneratorConformance


class TestToyGenerator(GeneratorConformance):
    def create_generator(self):
        return ToyGenerator(ToyGeneratorOptions(edge=5.6))

    def create_simulator(self):
        return ToySimulator()

    def test_cells_hold_z_formula_units_when_z_is_known(self):
        with pytest.raises(AssertionError, match="CsCl type"):  # the toy ignores z
            super().test_cells_hold_z_formula_units_when_z_is_known()


class Suite(GeneratorConformance):
    """The suite with a generator that proposes what a test says."""

    proposals = ()

    def create_generator(self):
        class Fixed(ToyGenerator):
            def generate(self, problem, workbench, proposals=self.proposals):
                return [Candidate(proposals() if callable(proposals) else proposals, "toy")]

        return Fixed(ToyGeneratorOptions())

    def create_simulator(self):
        return ToySimulator()


def test_the_suite_notices_a_wrong_formula():
    suite = Suite()
    suite.proposals = rocksalt(5.6, "Li", "F")
    with pytest.raises(AssertionError):
        suite.test_candidates_are_found_and_have_the_formula_asked_for()


def test_the_suite_notices_atoms_on_top_of_each_other():
    suite = Suite()
    suite.proposals = rocksalt(5.6)
    suite.proposals.translate_sites([0], [0.499, 0, 0])
    with pytest.raises(AssertionError):
        suite.test_structures_are_crystals()


def test_the_suite_notices_randomness_outside_the_seed():
    import numpy as np

    suite = Suite()
    suite.proposals = lambda: rocksalt(5.6 + np.random.random())  # noqa: NPY002
    with pytest.raises(AssertionError):
        suite.test_the_same_seed_gives_the_same_candidates()
