from __future__ import annotations

import inspect

import numpy as np
import pytest

from toys import ToyGenerator, caesium_chloride_type, rocksalt, salt_problem
from xtal_core import pipeline, provenance
from xtal_core.candidate import Candidate
from xtal_core.errors import OptionError, PluginError
from xtal_core.interruption import Interruption
from xtal_core.pipeline import solve


def without_clock(provenance):
    return {key: value for key, value in provenance.items() if key not in ("date", "seconds")}


def test_the_right_structure_comes_first_and_its_twin_is_merged(toy_tools):
    solution = solve(salt_problem(), toy_tools())
    first, second = solution.ranked
    assert first.candidate.origin.startswith("rock salt")
    assert first.space_group == ("Fm-3m", 225)
    assert first.duplicates == 1
    assert first.candidate.fit.residual < 1e-3 < second.candidate.fit.residual
    assert not solution.interrupted


def test_refinement_finds_the_volume_that_the_generator_missed(toy_tools):
    wrong = {"toy": {"edge": 5.64 * 0.98 ** (1 / 3)}}
    refined = solve(salt_problem(), toy_tools(settings=wrong)).ranked[0].candidate
    unrefined = solve(salt_problem(), toy_tools(settings=wrong, refiner=None)).ranked[0].candidate
    assert refined.structure.volume / len(refined.structure) == pytest.approx(5.64**3 / 8, rel=0.005)
    assert refined.fit.residual < 0.2 * unrefined.fit.residual


def test_without_a_refiner_structures_stay_and_only_get_a_fit(toy_tools):
    solution = solve(salt_problem(), toy_tools(refiner=None))
    best = solution.ranked[0].candidate
    assert best.structure in (rocksalt(5.64), rocksalt(5.64).get_primitive_structure())
    assert best.fit.residual < 0.05
    assert [tool["kind"] for tool in solution.provenance["plugins"]] == ["simulator", "generator", "metric"]


def test_candidates_of_several_generators_are_pooled(toy_tools):
    solution = solve(salt_problem(), toy_tools(generators=("toy", "toy-twin")))
    assert [r.duplicates for r in solution.ranked] == [3, 1]


def test_one_failing_generator_of_two_becomes_a_note(toy_tools):
    tools = toy_tools(generators=("toy", "toy-twin"), settings={"toy": {"fail": "true"}})
    solution = solve(salt_problem(), tools)
    assert len(solution.ranked) == 2
    assert solution.notes == ("generator toy failed and was left out: plugin toy: RuntimeError: the toy is broken",)


def test_an_only_generator_that_fails_is_a_plugin_error(toy_tools):
    with pytest.raises(PluginError, match="plugin toy: RuntimeError: the toy is broken"):
        solve(salt_problem(), toy_tools(settings={"toy": {"fail": "true"}}))


def test_no_candidate_is_an_empty_solution_with_a_note(toy_tools):
    solution = solve(salt_problem(), toy_tools(settings={"toy": {"empty": "true"}}))
    assert solution.ranked == ()
    assert solution.notes == ("generator toy found no candidate",)


def test_interruption_ranks_what_was_refined_and_keeps_the_rest_as_found(toy_tools):
    tools = toy_tools(settings={"toy-refiner": {"interrupt_after": "2"}, "toy": {"edge": "5.62"}})
    solution = solve(salt_problem(), tools)
    assert solution.interrupted
    assert "2 of 3 candidates were finished" in solution.notes[0]
    # The first two were refined; the third, the same structure in its primitive cell, was not and fits worse.
    assert [r.candidate.origin for r in solution.ranked][:2] == ["rock salt", "rock salt, primitive"]
    assert solution.ranked[0].candidate.structure.volume != pytest.approx(5.62**3)
    assert solution.ranked[1].candidate.structure.volume == pytest.approx(5.62**3 / 4)


def test_interruption_before_anything_was_found_goes_through(toy_tools, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ToyGenerator, "generate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solve(salt_problem(), toy_tools())


def test_interruption_of_a_second_generator_keeps_what_the_first_found(toy_tools, monkeypatch):
    tools = toy_tools(generators=("toy", "toy-twin"), refiner=None)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tools.generators["toy-twin"], "generate", interrupted)
    solution = solve(salt_problem(), tools)
    assert solution.interrupted
    assert len(solution.ranked) == 2


def interrupting(function, *, calls):
    """Return `function`, interrupted in those of its calls that are numbered in `calls`, counted from 1."""
    count = 0

    def wrapped(*arguments, **options):
        nonlocal count
        count += 1
        if count in calls:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    return wrapped


@pytest.mark.parametrize("stage", ["compare_with_pattern", "rank"])
def test_interruption_of_the_ranking_still_ranks_everything(toy_tools, monkeypatch, stage):
    monkeypatch.setattr(pipeline, stage, interrupting(getattr(pipeline, stage), calls={1}))
    told = []
    solution = solve(salt_problem(), toy_tools(), interruption=Interruption(told.append))
    assert told == ["interrupted: ranking what was finished"]
    assert solution.interrupted
    assert solution.ranked[0].candidate.origin.startswith("rock salt")
    assert all(ranked.agreement is not None for ranked in solution.ranked)


def test_interruption_of_the_assessment_keeps_the_ranking_and_what_was_assessed(toy_tools, monkeypatch):
    monkeypatch.setattr(pipeline, "agreement_factors", interrupting(pipeline.agreement_factors, calls={2}))
    told = []
    solution = solve(salt_problem(), toy_tools(), interruption=Interruption(told.append))
    assert told == ["interrupted: leaving out what is left of the assessment"]
    assert [ranked.agreement is not None for ranked in solution.ranked] == [True, False]
    assert solution.verdict.word == "not assessed"
    assert "interrupted after ranking" in solution.notes[0]


def test_interruption_of_the_verdict_leaves_only_the_verdict_out(toy_tools, monkeypatch):
    monkeypatch.setattr(pipeline, "judge", interrupting(pipeline.judge, calls={1}))
    solution = solve(salt_problem(), toy_tools())
    assert all(ranked.agreement is not None for ranked in solution.ranked)
    assert (solution.interrupted, solution.verdict.word) == (True, "not assessed")


@pytest.mark.parametrize("stage", ["rank", "agreement_factors"])
def test_a_second_interruption_ends_everything(toy_tools, monkeypatch, stage):
    monkeypatch.setattr(pipeline, stage, interrupting(getattr(pipeline, stage), calls={1, 2}))
    with pytest.raises(KeyboardInterrupt):
        solve(salt_problem(), toy_tools(settings={"toy-refiner": {"interrupt_after": "2"}}))


def test_a_generator_that_ignores_the_formula_is_a_plugin_error(toy_tools, monkeypatch):
    monkeypatch.setattr(ToyGenerator, "generate", lambda *_: [Candidate(rocksalt(5.0, "Li", "F"), "toy")])
    with pytest.raises(PluginError, match="plugin toy: proposed LiF for NaCl"):
        solve(salt_problem(), toy_tools())


def test_the_same_seed_gives_the_same_solution(toy_tools):
    one, two = (solve(salt_problem(), toy_tools()) for _ in range(2))
    assert without_clock(one.provenance) == without_clock(two.provenance)
    for a, b in zip(one.ranked, two.ranked, strict=True):
        assert a.merit == b.merit
        assert a.candidate.structure == b.candidate.structure
        np.testing.assert_array_equal(a.candidate.fit.calculated, b.candidate.fit.calculated)


def test_provenance_names_every_option_with_its_default(toy_tools):
    record = solve(salt_problem(), toy_tools(settings={"toy": {"edge": "5.65"}}, seed=7)).provenance
    assert record["seed"] == 7
    generator = next(plugin for plugin in record["plugins"] if plugin["kind"] == "generator")
    assert generator["options"] == {"edge": 5.65, "fail": False, "empty": False}
    assert (generator["distribution"], generator["version"]) == ("toys", "1.0")
    assert {"numpy", "pymatgen", "spglib", "scipy", "gemmi"} <= set(record["packages"])


def test_packages_are_recorded_when_they_were_used(toy_tools, monkeypatch):
    monkeypatch.setattr(
        provenance, "PACKAGES", {"numpy": None, "no-such-package": "no_such_module", "pluggy": "pluggy"}
    )
    assert set(solve(salt_problem(), toy_tools()).provenance["packages"]) == {"numpy", "pluggy"}


def test_provenance_hashes_the_files_that_a_plugin_uses(toy_tools, monkeypatch, tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"abc")
    monkeypatch.setattr(ToyGenerator, "files", lambda self: [weights], raising=False)
    record = solve(salt_problem(), toy_tools()).provenance
    generator = next(plugin for plugin in record["plugins"] if plugin["kind"] == "generator")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, example B.1
    assert generator["files"] == [{"path": str(weights), "sha256": digest}]


def test_nothing_of_the_pipeline_takes_a_reference():
    for name, function in inspect.getmembers(pipeline, inspect.isfunction):
        assert "reference" not in inspect.signature(function).parameters, name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generators": ("toi",)}, "there is no generator 'toi'; did you mean 'toy'"),
        ({"refiner": "toy"}, "there is no refiner 'toy'"),
        ({"metric": "nothing-like-it"}, "installed metrics are toy-metric"),
        ({"n_candidates": 0}, "ask for at least 1"),
        ({"settings": {"toy": {"egde": "5"}}}, "did you mean 'edge'"),
        ({"settings": {"toy": {"edge": "50"}}}, "give a value from 1.0 to 20.0"),
        ({"settings": {"toy-twin": {"edge": "5"}}}, "takes no part in this run"),
        ({"settings": {"toy-metric": {"edge": "5"}}}, "toy-metric has no options"),
    ],
)
def test_plans_that_cannot_work_are_refused_before_anything_runs(toy_tools, changes, message):
    with pytest.raises(OptionError, match=message):
        toy_tools(**changes)


def test_without_generators_a_structure_must_be_given(toy_tools):
    tools = toy_tools(generators=())
    with pytest.raises(OptionError, match="no generator was named; name one, or give a structure"):
        solve(salt_problem(), tools)
    (only,) = solve(salt_problem(), tools, given=[Candidate(rocksalt(5.6), "given", "a guess")]).ranked
    assert only.candidate.structure.lattice.a == pytest.approx(5.64, rel=5e-3)
    assert (only.candidate.generator, only.candidate.origin) == ("given", "a guess")


def test_given_structures_join_those_of_the_generators(toy_tools):
    given = Candidate(rocksalt(5.64), "given", "the best")
    ranked = solve(salt_problem(), toy_tools(), given=[given]).ranked
    assert len(ranked) == 2
    assert ranked[0].duplicates == 2  # one more than without


def test_every_ranked_candidate_has_its_agreement_factors(toy_tools):
    problem = salt_problem()
    for ranked in solve(problem, toy_tools()).ranked:
        fit, factors = ranked.candidate.fit, ranked.agreement
        misfit, intensity = problem.pattern.intensity - fit.calculated, problem.pattern.intensity
        assert factors.rwp == pytest.approx(np.sqrt(np.sum(misfit**2) / np.sum(intensity**2)))
        assert factors.r2wp == fit.residual
        assert (factors.r_bragg, ranked.reflections) == (None, None)  # the toy simulator lists no reflections


def test_unrefined_candidates_with_their_own_fit_keep_it(toy_tools, monkeypatch):
    fitted = solve(salt_problem(), toy_tools()).ranked[1].candidate
    monkeypatch.setattr(ToyGenerator, "generate", lambda *_: [fitted, Candidate(caesium_chloride_type(3.0), "toy")])
    ranked = solve(salt_problem(), toy_tools(refiner=None)).ranked
    assert any(r.candidate.fit is fitted.fit for r in ranked)
