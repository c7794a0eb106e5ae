"""What the verdict looks at: a few numbers about a solution that say whether its first candidate can be believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xtal_core.candidate import Fit, RankedCandidate
from xtal_core.chemistry_checks import check_chemistry
from xtal_core.counting_statistics import standard_uncertainties
from xtal_core.parsimony import CALCULATION_FLOOR
from xtal_core.pattern import Pattern
from xtal_core.pattern_features import is_noisy, noise_level, peak_width

#: Units of merit beyond which a next candidate is no rival; also where there is none.
MOST_GAP = 5.0


@dataclass(frozen=True)
class VerdictFeatures:
    """The numbers, each of which tells something that the others do not.

    Attributes
    ----------
    misfit
        How far the residual of the first candidate is above what noise explains, measured by noise; see `misfit`.
    unexplained
        The same as a share of the pattern; see `unexplained`.
    gap
        Merit of the next distinct candidate less that of the first, up to `MOST_GAP`, which also stands for no other.
    parameters
        How many parameters were refined for each independent value of the pattern.
    information
        Natural logarithm of how many independent values that are: two for every standard deviation of the peaks.
    noisy
        1 for a pattern with visible noise, 0 without.
    prior
        Prior of the first candidate, as its generator gives it.
    shortest_contact, instability
        See `xtal_core.chemistry_checks.ChemistryChecks`; None where it is not known.
    """

    misfit: float
    unexplained: float
    gap: float
    parameters: float
    information: float
    noisy: float
    prior: float
    shortest_contact: float
    instability: float | None


def verdict_features(pattern: Pattern, ranked: Sequence[RankedCandidate]) -> VerdictFeatures:
    """Return the features of the solution of `pattern` that `ranked` is; its first candidate must have a fit."""
    first, fit = ranked[0].candidate, ranked[0].candidate.fit
    assert fit is not None
    # Unlike in the ranking the number is not limited: here it is to tell broad patterns from sharp ones.
    observations = 2 * float(pattern.q[-1] - pattern.q[0]) / peak_width(pattern)
    chemistry = check_chemistry(first.structure)
    excess, deviation = unexplained(pattern, fit)
    return VerdictFeatures(
        misfit=misfit(excess, deviation),
        unexplained=excess,
        gap=min(ranked[1].merit - ranked[0].merit, MOST_GAP) if len(ranked) > 1 else MOST_GAP,
        parameters=fit.n_parameters / observations,
        information=math.log(observations),
        noisy=float(is_noisy(pattern)),
        prior=first.prior,
        shortest_contact=chemistry.shortest_contact,
        instability=chemistry.instability,
    )


def misfit(excess: float, deviation: float) -> float:
    """Return ln(1 + z), z being an excess in standard deviations of what noise leaves, both as `unexplained` has them.

    To the deviation `CALCULATION_FLOOR` is added, so that patterns with and without noise share one scale: 0 is all
    that can be asked for, whichever it is.
    """
    return math.log1p(excess / (deviation + CALCULATION_FLOOR))


def unexplained(pattern: Pattern, fit: Fit) -> tuple[float, float]:
    """Return how far R² is above its noise floor, 0 if below, and the standard deviation of that floor.

    R² = Σ (o − c)² / Σ (o − b)² with unit weights over the N points that count. Noise of variance σ² leaves
    Σ σ² (N − P)/N in the numerator, with a relative standard deviation of √(2/N) if it is normally distributed; where σ
    is not known, it is the scatter of neighbouring points.
    """
    included = pattern.included
    n_points = int(included.sum())
    sigma, _ = standard_uncertainties(pattern)
    variance = noise_level(pattern) ** 2 * n_points if sigma is None else float(np.sum(sigma[included] ** 2))
    net = float(np.sum((pattern.intensity - fit.background)[included] ** 2))
    residual = float(np.sum((pattern.intensity - fit.calculated)[included] ** 2)) / net
    floor = variance * max(1 - fit.n_parameters / n_points, 0.0) / net
    return max(residual - floor, 0.0), floor * math.sqrt(2 / n_points)
