from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from importlib.resources import files

import numpy as np
import pytest

from toys import caesium_chloride_type, pattern_of, rocksalt, salt_problem
from xtal_core import verdict as verdict_module
from xtal_core.candidate import Candidate, Fit, RankedCandidate
from xtal_core.measurement import Profile
from xtal_core.pattern import Radiation
from xtal_core.pipeline import solve
from xtal_core.plan import Plan
from xtal_core.verdict import Verdict, judge
from xtal_core.verdict_calibration import Calibration, Calibrations, WeighedFeature

GAP = WeighedFeature("gap", mean=1.0, scale=1.0, coefficient=2.0, low=0.0, high=5.0)
MISFIT = WeighedFeature("misfit", mean=3.0, scale=1.0, coefficient=-2.0, low=0.0, high=8.0)
UNEXPLAINED = WeighedFeature("unexplained", mean=0.1, scale=0.05, coefficient=-2.0, low=0.0, high=0.5)
PLAN = Plan()


@pytest.fixture(autouse=True)
def calibration(monkeypatch):
    """Replace the shipped calibration by one whose answers are easily foreseen."""
    noise = Calibration((GAP, MISFIT), 0.0, solved_from=0.9, not_solved_below=0.2, rival_window=1.0)
    model = Calibration((GAP, UNEXPLAINED), 0.0, solved_from=0.9, not_solved_below=0.2, rival_window=2.5)
    known = Calibrations(noise, model, PLAN.generators, str(PLAN.refiner), PLAN.metric, PLAN.simulator)
    monkeypatch.setattr(verdict_module, "calibrations", lambda: known)


def candidates(*merits, factor=1.0, generator="prototype"):
    """Return ranked candidates whose calculated peaks are `factor` times the measured ones of rock salt."""
    measured = pattern_of(rocksalt(5.64))
    background = 300 - 30 * measured.q
    fit = Fit(background + factor * (measured.intensity - background), background, Profile(), 1.0, 1e-3, 5)
    structures = [rocksalt(5.64), *[caesium_chloride_type(3.5)] * len(merits)]
    return [
        RankedCandidate(place, Candidate(structures[place - 1], generator, fit=fit), merit, ("P1", place))
        for place, merit in enumerate(merits, start=1)
    ]


def test_a_perfect_fit_without_rival_is_solved():
    ranked = candidates(-10.0, -6.0)
    verdict = judge(salt_problem(), ranked, PLAN)
    assert verdict.word == "solved"
    assert verdict.probability > 0.99
    assert verdict.rivals == ()


def test_rivals_are_the_candidates_within_the_window():
    ranked = candidates(-10.0, -9.8, -9.1, -8.9, factor=1.001)
    verdict = judge(salt_problem(), ranked, PLAN)
    assert verdict.word == "ambiguous"
    assert verdict.rivals == (2, 3)


def test_a_misfit_is_not_solved_however_far_the_next_candidate_is():
    verdict = judge(salt_problem(), candidates(-3.0, 5.0, factor=0.8), PLAN)
    assert verdict.word == "not solved"
    assert verdict.probability < 0.2


def laboratory_problem():
    problem = salt_problem()
    return replace(problem, pattern=replace(problem.pattern, radiation=Radiation.from_line("CuKa")))


def test_a_laboratory_pattern_is_judged_by_a_calibration_of_its_own_and_says_so():
    ranked = candidates(-3.0, -0.8, factor=0.8)
    verdict = judge(laboratory_problem(), ranked, PLAN)
    assert verdict.word == "solved"
    assert verdict.rivals == (2,)
    assert verdict.remarks == ("a guide only: laboratory pattern, calibrated on simulated ones",)
    assert judge(salt_problem(), ranked, PLAN).word == "not solved"


def test_a_laboratory_pattern_that_is_described_badly_is_not_solved():
    verdict = judge(laboratory_problem(), candidates(-3.0, -0.8, factor=0.4), PLAN)
    assert verdict.word == "not solved"
    assert verdict.features.unexplained == pytest.approx(0.36, abs=0.01)


def test_a_laboratory_pattern_is_not_assessed_without_a_calibration_for_it(monkeypatch):
    known = replace(verdict_module.calibrations(), model_limited=None)
    monkeypatch.setattr(verdict_module, "calibrations", lambda: known)
    verdict = judge(laboratory_problem(), candidates(-10.0, -9.8), PLAN)
    assert (verdict.word, verdict.probability, verdict.rivals) == ("not assessed", None, ())
    assert "laboratory pattern" in verdict.remarks[0]
    assert judge(salt_problem(), candidates(-10.0, -6.0), PLAN).word == "solved"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"refiner": None}, "structures were not refined"),
        ({"refiner": "other"}, "the refiner was other, calibrated is fit"),
        ({"simulator": "other"}, "the simulator was other, calibrated is powder"),
    ],
)
def test_what_was_not_calibrated_is_not_assessed(changes, reason):
    ranked = candidates(-10.0, -6.0)
    verdict = judge(salt_problem(), ranked, replace(PLAN, **changes))
    assert (verdict.word, verdict.probability, verdict.remarks) == ("not assessed", None, (reason,))
    assert verdict.features is not None


def test_candidates_of_other_generators_are_not_assessed():
    verdict = judge(salt_problem(), candidates(-10.0, generator="oracle"), PLAN)
    assert verdict.remarks == ("the first candidate comes from oracle, calibrated is prototype",)


def test_interrupted_searches_are_not_assessed():
    verdict = judge(salt_problem(), candidates(-10.0), PLAN, interrupted=True)
    assert (verdict.word, verdict.remarks) == ("not assessed", ("the search was interrupted",))


@pytest.mark.parametrize("ranked", [[], [replace(candidates(1.0)[0], candidate=Candidate(rocksalt(5.6), "toy"))]])
def test_without_a_fit_there_is_nothing_to_assess(ranked):
    assert judge(salt_problem(), ranked, PLAN) == Verdict("not assessed", remarks=("there is no candidate with a fit",))


def test_a_probability_names_the_calibration_it_comes_from():
    content = (files("xtal_core") / "data" / "verdict_calibration.json").read_bytes()
    assert judge(salt_problem(), candidates(-6.0, -1.0), PLAN).calibration == sha256(content).hexdigest()
    assert judge(salt_problem(), (), PLAN).calibration is None


def test_what_limits_a_probability_is_said():
    problem = replace(salt_problem(), robust=True)
    ranked = candidates(-10.0, -6.0, factor=1e-3)
    verdict = judge(problem, ranked, replace(PLAN, metric="pdd"))
    assert verdict.remarks == (
        "calibrated without other phases",
        "candidates were grouped by pdd, calibrated is structure-matcher",
        "beyond the calibrated range: misfit",
    )


def test_the_pipeline_judges_what_was_searched_for(toy_tools):
    solution = solve(salt_problem(), toy_tools())
    assert solution.verdict.word == "not assessed"
    assert solution.verdict.remarks[0] == "the refiner was toy-refiner, calibrated is fit"
    assert np.isfinite(solution.verdict.features.misfit)


def test_structures_given_by_hand_get_no_verdict(toy_tools):
    given = [Candidate(rocksalt(5.6), "given")]
    assert solve(salt_problem(), toy_tools(generators=()), given=given).verdict is None
