"""Fits a calibration of the verdict to judged solutions: the regression, the thresholds of its words, its rivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judged_solutions import JudgedSolution, labels_of, values_of
from logistic import Array, Labels, ReliabilityRow, choose_strength, fit_logistic, reliability, wilson_lower_bound
from xtal_core.errors import InputError
from xtal_core.verdict_calibration import Calibration, WeighedFeature

#: What of those called solved must be right, at the lower end of Wilson's interval.
SOLVED_PRECISION = 0.97

#: Share of right structures among those called not solved, at most, and the highest probability of that name.
NOT_SOLVED_SHARE, NOT_SOLVED_LIMIT = 0.2, 0.5

#: Of the right structures that are listed but not first, the share that the window of rivals must hold.
RIVALS_HELD = 0.9

#: Fewer cases than this say nothing about a threshold.
FEWEST_CASES = 5

#: Where the range of a feature begins, whatever the solutions have: a fit better than theirs is nothing unusual.
LEAST = {"misfit": 0.0, "unexplained": 0.0}

#: Above every probability: the word is never used.
NEVER = 2.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A calibration and what cross-validation says of it.

    Attributes
    ----------
    calibration
        Fitted to all of `judged`.
    judged
        What it was fitted to.
    strength
        Of the regularisation.
    probabilities : (n_solutions,)
        Out of fold, solutions of one material always in the same fold.
    """

    calibration: Calibration
    judged: Sequence[JudgedSolution]
    strength: float
    probabilities: Array

    @property
    def rows(self) -> list[ReliabilityRow]:
        """The reliability table of the probabilities out of fold."""
        return reliability(self.probabilities, labels_of(self.judged))


def fit_calibration(
    judged: Sequence[JudgedSolution], names: Sequence[str], other_window: float | None = None
) -> Fitted:
    """Return the calibration by the features `names`.

    Where too few of the right structures are listed but not first to say how far behind rivals are, the window of
    rivals is `other_window`. Raises InputError where there is none, and where too few solutions are right or wrong.
    """
    values, labels = values_of(judged, names), labels_of(judged)
    n_wrong = int((~labels).sum())
    if min(n_wrong, len(labels) - n_wrong) < FEWEST_CASES:
        raise InputError(f"of {len(labels)} solutions {n_wrong} are wrong: too few of one kind", "solve more")
    strength, probabilities = choose_strength(values, labels, [one.material_id for one in judged])
    model = fit_logistic(values, labels, strength)
    features = tuple(
        WeighedFeature(name, *(float(f"{number:.6g}") for number in numbers))
        for name, *numbers in zip(
            names,
            model.means,
            model.scales,
            model.coefficients,
            [LEAST.get(name, least) for name, least in zip(names, np.nanmin(values, 0), strict=True)],
            np.nanmax(values, 0),
            strict=True,
        )
    )
    solved_from = solved_threshold(probabilities, labels)
    calibration = Calibration(
        features=features,
        intercept=float(f"{model.intercept:.6g}"),
        solved_from=solved_from,
        not_solved_below=min(not_solved_threshold(probabilities, labels), solved_from),
        rival_window=rival_window(rival_distances(judged), other_window),
    )
    return Fitted(calibration, judged, strength, probabilities)


def solved_threshold(probabilities: Array, labels: Labels) -> float:
    """Return the lowest probability from which on `SOLVED_PRECISION` is kept; `NEVER` where no sample shows that."""
    for threshold in np.unique(np.floor(probabilities * 1000) / 1000):
        called = probabilities >= threshold
        if called.any() and wilson_lower_bound(int(labels[called].sum()), int(called.sum())) >= SOLVED_PRECISION:
            return float(threshold)
    return NEVER


def not_solved_threshold(probabilities: Array, labels: Labels) -> float:
    """Return the highest probability, up to a limit, below which at most `NOT_SOLVED_SHARE` is right.

    Where fewer than `FEWEST_CASES` are that improbable, it is that share itself.
    """
    for threshold in np.arange(NOT_SOLVED_LIMIT, NOT_SOLVED_SHARE, -0.01):
        called = probabilities < threshold
        if called.sum() >= FEWEST_CASES and labels[called].mean() <= NOT_SOLVED_SHARE:
            return round(float(threshold), 2)
    return NOT_SOLVED_SHARE


def rival_distances(judged: Sequence[JudgedSolution]) -> list[float]:
    """Return how far behind the first, in merit, the right structures are that are listed but not first."""
    return [one.distance for one in judged if not one.right and one.distance is not None]


def rival_window(distances: Sequence[float], other: float | None = None) -> float:
    """Return how far behind the first, in merit, a candidate must be to be no rival of it; `other` where few say so.

    Raises InputError where there is no other.
    """
    if len(distances) < FEWEST_CASES:
        if other is None:
            raise InputError(f"only {len(distances)} right structures are listed but not first", "solve more")
        return other
    return round(float(np.quantile(distances, RIVALS_HELD, method="higher")) + 0.005, 2)
