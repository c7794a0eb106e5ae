from dataclasses import replace

import pytest

from case_runs import problem_of
from missed_structures import follow
from toys import caesium_chloride_type, rocksalt


@pytest.fixture
def without_generators(toy_tools):
    tools = toy_tools()
    members = tuple(member for member in tools.members if member.offer.kind != "generator")
    return replace(tools, plan=replace(tools.plan, generators=(), n_candidates=1), members=members)


def test_a_proposal_is_found_and_refined_by_itself(toy_tools, without_generators, salt_case):
    row = follow(rocksalt(5.64), problem_of(salt_case()), toy_tools(), without_generators)
    assert (row["proposals"], row["place"], row["origin"], row["still"]) == (3, 2, "rock salt", True)
    assert row["r2wp"] < 0.01
    assert row["merit"] < 0


def test_the_true_structure_may_fit_worse_than_what_was_found(toy_tools, without_generators, salt_case):
    problem = problem_of(salt_case())
    right, wrong = (
        follow(truth, problem, toy_tools(), without_generators)
        for truth in (rocksalt(5.64), caesium_chloride_type(3.5))
    )
    assert wrong["place"] == 1
    assert wrong["r2wp"] > right["r2wp"]
    assert wrong["merit"] > right["merit"]


def test_what_was_never_proposed_has_no_figures(toy_tools, without_generators, salt_case):
    assert follow(rocksalt(5.64, "Na", "F"), problem_of(salt_case()), toy_tools(), without_generators) == {
        "rank": None,
        "proposals": 3,
        "place": None,
    }
