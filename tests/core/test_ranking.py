from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from toys import ToyMetric, caesium_chloride_type, rocksalt
from xtal_core.candidate import Candidate, Fit
from xtal_core.errors import PluginError
from xtal_core.measurement import Profile
from xtal_core.parsimony import Parsimony
from xtal_core.ranking import rank, space_group

PARSIMONY = Parsimony(25.0)


def candidate(structure, residual, origin="", n_parameters=1):
    fit = Fit(np.zeros(2), np.zeros(2), Profile(), 1.0, residual, n_parameters)
    return Candidate(structure, "toy", origin, fit=fit)


def test_lower_residuals_come_first():
    ranked, _ = rank(
        [candidate(rocksalt(5.6), 0.3), candidate(caesium_chloride_type(3.0), 0.1)], ToyMetric(), 10, PARSIMONY
    )
    assert [r.candidate.fit.residual for r in ranked] == [0.1, 0.3]
    assert [r.rank for r in ranked] == [1, 2]
    assert [r.merit for r in ranked] == [PARSIMONY.merit(residual, 1, 0.0) for residual in (0.1, 0.3)]


def test_a_better_fit_must_be_worth_its_parameters():
    few, many = candidate(rocksalt(5.6), 0.10, n_parameters=5), candidate(caesium_chloride_type(3.0), 0.09, "", 30)
    ranked, _ = rank([many, few], ToyMetric(), 10, PARSIMONY)
    assert [r.candidate for r in ranked] == [few, many]
    ranked, _ = rank([few, many], ToyMetric(), 10, Parsimony(1e6))
    assert [r.candidate for r in ranked] == [many, few]


def test_atoms_that_lie_on_each_other_are_not_made_up_for_by_a_good_fit():
    rutile = Lattice.tetragonal(4.50, 3.15)
    sound, absurd = (
        Structure.from_spacegroup("P4_2/mnm", rutile, ["Ir", "O"], [[0, 0, 0], [x, x, 0]]) for x in (0.31, 0.14)
    )
    ranked, _ = rank([candidate(absurd, 0.01), candidate(sound, 0.1)], ToyMetric(), 10, PARSIMONY)
    assert [r.candidate.structure for r in ranked] == [sound, absurd]
    assert ranked[0].merit == PARSIMONY.merit(0.1, 1, 0.0)


def test_equal_residuals_keep_the_order_of_the_generator():
    candidates = [candidate(rocksalt(edge), 0.2) for edge in (5.0, 6.0, 7.0)]
    ranked, _ = rank(candidates, ToyMetric(), 10, PARSIMONY)
    assert [r.candidate for r in ranked] == candidates


def test_a_likelier_proposal_may_be_described_less_well():
    plain, likely = candidate(rocksalt(5.6), 0.1), replace(candidate(rocksalt(6.0), 0.2), prior=1.0)
    ranked, _ = rank([plain, likely], ToyMetric(), 10, PARSIMONY)
    assert [r.candidate for r in ranked] == [likely, plain]


def test_the_same_structure_is_merged_into_the_better_candidate():
    salt = rocksalt(5.6)
    candidates = [candidate(salt.get_primitive_structure(), 0.3), candidate(salt, 0.1), candidate(rocksalt(6), 0.2)]
    ranked, _ = rank(candidates, ToyMetric(), 10, PARSIMONY)
    assert [(r.candidate.fit.residual, r.duplicates) for r in ranked] == [(0.1, 1), (0.2, 0)]


def test_no_more_than_the_limit_are_returned_and_no_more_are_compared():
    seen = []

    class Counting(ToyMetric):
        def featurise(self, items):
            seen.extend(items)
            return super().featurise(items)

    ranked, _ = rank([candidate(rocksalt(5 + i), 0.1 * i) for i in range(1, 6)], Counting(), 2, PARSIMONY)
    assert len(ranked) == 2
    assert len(seen) == 2


def test_structures_that_the_metric_cannot_compare_are_kept_and_noted():
    lonely = candidate(Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]]), 0.1, "one atom")
    ranked, notes = rank([lonely, lonely, candidate(rocksalt(5.6), 0.2)], ToyMetric(), 10, PARSIMONY)
    assert [r.duplicates for r in ranked] == [0, 0, 0]
    assert len(notes) == 2
    assert "toy-metric cannot compare one atom (Po1 has a single atom" in notes[0]


def test_nan_means_no_match():
    class Blind(ToyMetric):
        def compare(self, first, second):
            return np.full((len(first), len(second)), np.nan)

    ranked, _ = rank([candidate(rocksalt(5.6), 0.1), candidate(rocksalt(5.6), 0.2)], Blind(), 10, PARSIMONY)
    assert len(ranked) == 2


def test_a_metric_of_which_more_is_better_merges_above_its_threshold():
    class Similarity(ToyMetric):
        better = "higher"
        same_below = 0.99

        def compare(self, first, second):
            return np.exp(-super().compare(first, second))

    edges = (5.6, 5.601, 6.0)
    ranked, _ = rank([candidate(rocksalt(e), i) for i, e in enumerate(edges, 1)], Similarity(), 10, PARSIMONY)
    assert [r.duplicates for r in ranked] == [1, 0]


def test_a_metric_that_fails_is_named():
    class Broken(ToyMetric):
        def compare(self, first, second):
            raise ZeroDivisionError("oops")

    with pytest.raises(PluginError, match="plugin toy-metric: ZeroDivisionError: oops"):
        rank([candidate(rocksalt(5.6), 0.1), candidate(rocksalt(5.6), 0.2)], Broken(), 10, PARSIMONY)


def test_no_candidates_rank_to_nothing():
    assert rank([], ToyMetric(), 10, PARSIMONY) == ((), ())


def test_space_groups_are_found_and_p1_is_the_fallback():
    assert space_group(rocksalt(5.6)) == ("Fm-3m", 225)
    coincident = Structure(Lattice.cubic(3), ["Fe", "Fe"], [[0, 0, 0], [0, 0, 0]])
    assert space_group(coincident) == ("P1", 1)
