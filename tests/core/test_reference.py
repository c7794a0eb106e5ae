from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from toys import ToyMetric, rocksalt, salt_problem
from xtal_core.pipeline import solve
from xtal_core.reference import score_against


@pytest.fixture(scope="module")
def solution(request):
    return solve(salt_problem(), request.getfixturevalue("toy_tools")())


def test_every_candidate_gets_the_metrics_value_and_keeps_its_rank(solution, toy_registry):
    scored = score_against(solution, rocksalt(5.64), toy_registry)
    assert [replace(r, reference_scores=()) for r in scored.ranked] != list(scored.ranked)
    for before, after in zip(solution.ranked, scored.ranked, strict=True):
        assert after.candidate is before.candidate
        assert (after.rank, after.merit) == (before.rank, before.merit)
        (score,) = after.reference_scores
        distances = np.sort(after.candidate.structure.distance_matrix[0])
        assert (score.metric, score.unit, score.better) == ("toy-metric", "Å", "lower")
        assert score.value == pytest.approx(abs(distances[1] - 2.82), abs=1e-6)


def test_no_match_is_none(solution, toy_registry, monkeypatch):
    monkeypatch.setattr(ToyMetric, "compare", lambda self, a, b: np.full((len(a), len(b)), np.nan))
    scored = score_against(solution, rocksalt(5.64), toy_registry)
    assert [r.reference_scores[0].value for r in scored.ranked] == [None, None]


def test_a_metric_that_refuses_the_reference_is_left_out_and_noted(solution, toy_registry):
    lonely = Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]])
    scored = score_against(solution, lonely, toy_registry)
    assert all(r.reference_scores == () for r in scored.ranked)
    assert scored.notes[-1].startswith("no toy-metric against the reference: the reference: Po1 has")
    assert len(scored.notes) == len(solution.notes) + 1


def test_a_candidate_that_a_metric_refuses_is_noted_and_the_others_are_scored(solution, toy_registry):
    first, *others = solution.ranked
    lonely = replace(
        first, candidate=replace(first.candidate, structure=Structure(Lattice.cubic(3), ["Po"], [[0] * 3]))
    )
    scored = score_against(replace(solution, ranked=(lonely, *others)), rocksalt(5.64), toy_registry)
    assert [len(r.reference_scores) for r in scored.ranked] == [0] + [1] * len(others)
    assert scored.notes[-1].startswith("no toy-metric against the reference: candidate 1: Po1 has a single atom")


def test_metrics_of_patterns_are_not_asked(solution, toy_registry, monkeypatch):
    monkeypatch.setattr(ToyMetric, "compares", "patterns")
    scored = score_against(solution, rocksalt(5.64), toy_registry)
    assert all(r.reference_scores == () for r in scored.ranked)
    assert scored.notes == solution.notes
