"""Whether a structure is solved: the probability that the first candidate is right, put into a word.

A low residual proves nothing, and whether a structure is solved used to be left to the eye. Here it is a logistic
regression on a few features of the solution, calibrated on structures whose answer is known; see docs/verdict.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from xtal_core.candidate import RankedCandidate
from xtal_core.plan import Plan
from xtal_core.problem import Problem
from xtal_core.verdict_calibration import Calibrations, calibration_digest, calibrations
from xtal_core.verdict_features import VerdictFeatures, verdict_features


@dataclass(frozen=True)
class Verdict:
    """What is to be thought of a solution.

    Attributes
    ----------
    word
        "not assessed" where the calibration does not cover how the solution was made.
    probability
        That the first candidate is the right structure; None where it was not assessed.
    features
        What it follows from; None without a candidate that has a fit.
    rivals
        Ranks of the candidates, distinct from the first, that the pattern does not tell from it.
    remarks
        Why it was not assessed, or what limits its validity.
    calibration
        SHA-256 of the file that the probability was calculated with; None without a probability.
    """

    word: Literal["solved", "ambiguous", "not solved", "not assessed"]
    probability: float | None = None
    features: VerdictFeatures | None = None
    rivals: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    calibration: str | None = None


def judge(problem: Problem, ranked: Sequence[RankedCandidate], plan: Plan, *, interrupted: bool = False) -> Verdict:
    """Return the verdict on the candidates `ranked`, which were found for `problem` by `plan`."""
    if not ranked or ranked[0].candidate.fit is None:
        return Verdict("not assessed", remarks=("there is no candidate with a fit",))
    known = calibrations()
    calibration = known.model_limited if is_model_limited(problem) else known.noise_limited
    features = verdict_features(problem.pattern, ranked)
    reasons = _not_covered(ranked[0], plan, known, interrupted=interrupted)
    if calibration is None:
        reasons.append("it is a laboratory pattern, and only simulated ones of one wavelength are calibrated")
    if calibration is None or reasons:
        return Verdict("not assessed", None, features, remarks=tuple(reasons))
    rivals = tuple(r.rank for r in ranked[1:] if r.merit - ranked[0].merit <= calibration.rival_window)
    values = asdict(features)
    probability = calibration.probability(values)
    remarks = _limits(problem, plan, known, calibration.outside(values))
    return Verdict(calibration.word(probability), probability, features, rivals, tuple(remarks), calibration_digest())


def is_model_limited(problem: Problem) -> bool:
    """Return whether more than noise must be expected to separate the pattern from the right structure's.

    So it is with laboratory radiation, which has several wavelengths: that much is known before any fit, while a misfit
    that is seen afterwards may as well come from a wrong structure.
    """
    return len(problem.pattern.radiation.wavelengths) > 1


def _not_covered(first: RankedCandidate, plan: Plan, known: Calibrations, *, interrupted: bool) -> list[str]:
    """Return why the calibration says nothing about a solution."""
    reasons = []
    if plan.refiner is None:
        reasons.append("structures were not refined")
    elif plan.refiner != known.refiner:
        reasons.append(f"the refiner was {plan.refiner}, calibrated is {known.refiner}")
    if plan.simulator != known.simulator:
        reasons.append(f"the simulator was {plan.simulator}, calibrated is {known.simulator}")
    if first.candidate.generator not in known.generators:
        generators = " or ".join(known.generators)
        reasons.append(f"the first candidate comes from {first.candidate.generator}, calibrated is {generators}")
    if interrupted:
        reasons.append("the search was interrupted")
    return reasons


def _limits(problem: Problem, plan: Plan, known: Calibrations, outside: Sequence[str]) -> list[str]:
    """Return what makes a probability less certain than it looks."""
    remarks = []
    if is_model_limited(problem):
        remarks.append("a guide only: laboratory pattern, calibrated on simulated ones")
    if problem.robust:
        remarks.append("calibrated without other phases")
    if plan.metric != known.metric:
        remarks.append(f"candidates were grouped by {plan.metric}, calibrated is {known.metric}")
    if outside:
        remarks.append(f"beyond the calibrated range: {', '.join(outside).replace('_', ' ')}")
    return remarks
