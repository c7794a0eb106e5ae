"""Logistic regression with few features and few cases, and how well its probabilities are calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Array = NDArray[np.float64]
Labels = NDArray[np.bool_]

#: Strengths of the regularisation that cross-validation chooses from.
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)

#: Parts of a cross-validation.
FOLDS = 10

#: Bins of the expected calibration error.
BINS = 10


@dataclass(frozen=True, eq=False)
class Logistic:
    """ln p/(1 − p) = intercept + Σ coefficient (value − mean)/scale; a value not known, NaN, counts as the mean.

    `means`, `scales` and `coefficients` are (n_features,).
    """

    means: Array
    scales: Array
    coefficients: Array
    intercept: float

    def probabilities(self, values: Array) -> Array:
        """Return the (n_cases,) probabilities for `values`, (n_cases, n_features)."""
        return expit(self.intercept + _standardised(values, self.means, self.scales) @ self.coefficients)


def fit_logistic(values: Array, labels: Labels, strength: float) -> Logistic:
    """Return the regression of `labels` (n_cases,) on `values` (n_cases, n_features) of least penalised log-loss.

    The penalty is strength/2 Σ coefficient², that of the intercept 0: the log-loss being summed over the cases, it
    weighs less the more there are. Features that do not vary have no influence.
    """
    means = np.nanmean(values, axis=0)
    scales = np.nanstd(values, axis=0)
    scales = np.where(scales > 1e-9 * (1 + np.abs(means)), scales, 1.0)
    standardised = _standardised(values, means, scales)
    signs = np.where(labels, 1.0, -1.0)

    def loss(parameters: Array) -> tuple[float, Array]:
        log_odds = signs * (parameters[0] + standardised @ parameters[1:])
        residuals = -signs * expit(-log_odds)
        value = float(np.logaddexp(0, -log_odds).sum() + 0.5 * strength * parameters[1:] @ parameters[1:])
        gradient = np.concatenate([[residuals.sum()], residuals @ standardised + strength * parameters[1:]])
        return value, gradient

    found = minimize(loss, np.zeros(1 + values.shape[1]), jac=True, method="BFGS")
    return Logistic(means, scales, np.asarray(found.x[1:]), float(found.x[0]))


def out_of_fold(values: Array, labels: Labels, groups: Sequence[str], strength: float, seed: int = 0) -> Array:
    """Return the (n_cases,) probabilities that regressions give which did not see the case, nor others of its group."""
    names = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[index]: place % FOLDS for place, index in enumerate(order)}
    folds = np.array([fold_of[group] for group in groups])
    probabilities = np.empty(len(labels))
    for fold in np.unique(folds):
        held_out = folds == fold
        model = fit_logistic(values[~held_out], labels[~held_out], strength)
        probabilities[held_out] = model.probabilities(values[held_out])
    return probabilities


def choose_strength(values: Array, labels: Labels, groups: Sequence[str]) -> tuple[float, Array]:
    """Return the strength of least log-loss out of fold, and the (n_cases,) probabilities out of fold with it."""
    tried = {strength: out_of_fold(values, labels, groups, strength) for strength in STRENGTHS}
    best = min(tried, key=lambda strength: log_loss(tried[strength], labels))
    return best, tried[best]


def log_loss(probabilities: Array, labels: Labels) -> float:
    """Return the mean of −ln of the probability that was given to what is the case."""
    given = np.clip(np.where(labels, probabilities, 1 - probabilities), 1e-12, 1.0)
    return float(-np.log(given).mean())


@dataclass(frozen=True)
class ReliabilityRow:
    """Cases whose probability is in one bin: their number, mean probability, and share for which it was the case."""

    low: float
    high: float
    n: int
    probability: float
    share: float


def reliability(probabilities: Array, labels: Labels) -> list[ReliabilityRow]:
    """Return the bins, of equal width, that hold a case."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    return [
        ReliabilityRow(
            b / BINS, (b + 1) / BINS, int(here.sum()), float(probabilities[here].mean()), float(labels[here].mean())
        )
        for b in range(BINS)
        if (here := bins == b).any()
    ]


def expected_calibration_error(rows: Sequence[ReliabilityRow]) -> float:
    """Return Σ n |share − probability| / Σ n over bins (Naeini et al., AAAI 2015)."""
    return sum(row.n * abs(row.share - row.probability) for row in rows) / sum(row.n for row in rows)


def wilson_lower_bound(right: int, n: int, z: float = 1.0) -> float:
    """Return the lower end of Wilson's interval (J. Am. Stat. Assoc. 22, 209 (1927)) for the share of `right` in `n`.

    With z = 1 the true share is above it with 84 % confidence.
    """
    share = right / n
    centre = share + z**2 / (2 * n)
    spread = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float((centre - spread) / (1 + z**2 / n))


def _standardised(values: Array, means: Array, scales: Array) -> Array:
    return np.nan_to_num((values - means) / scales)
