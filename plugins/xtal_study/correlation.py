"""Statistics of columns in which there may be "no match": correlations with intervals, separation, median.

Pairs of structures are not independent when they share a structure or a formula, so that intervals come from drawing
whole groups of pairs with replacement (cluster bootstrap; B. Efron, R. Tibshirani, An Introduction to the Bootstrap,
Chapman & Hall 1993, percentile intervals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xtal_core.pattern import FloatArray

#: Share of the resamples between the bounds of an interval.
CONFIDENCE = 0.95

#: Pairs below which no correlation is given.
FEWEST_PAIRS = 10

#: Groups below which no interval is given: resampling fewer says nothing about others.
FEWEST_GROUPS = 5

#: Differences that say nothing: reducing cells moves atoms by some 1e-6 of their distances.
ROUNDING = 1e-5

#: Weights in memory at a time: 16 MB.
_NUMBERS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A correlation coefficient.

    Attributes
    ----------
    value
        From −1 to 1; None when it would say nothing: too few pairs, or one side is constant (see `is_constant`).
    low, high
        Bounds of the confidence interval; None when there is none.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Correlation:
    """How two columns correlate.

    Attributes
    ----------
    pairs, groups
        What it was computed from: pairs, and groups of pairs that are not independent.
    pearson, spearman
        Coefficients of values and of ranks.
    """

    pairs: int
    groups: int
    pearson: Estimate
    spearman: Estimate


def correlate(x: FloatArray, y: FloatArray, groups: ArrayLike, resamples: int, seed: int) -> Correlation:
    """Return the correlations of `x` with `y`, both (n_pairs,), over pairs where both are numbers.

    Parameters
    ----------
    x, y : (n_pairs,)
        NaN where there is no value.
    groups : (n_pairs,)
        Pairs of one group are drawn together.
    resamples
        How often groups are drawn for the confidence intervals.
    seed
        Of the resampling.
    """
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    names, membership = np.unique(np.asarray(groups, dtype=str)[finite], return_inverse=True)
    if len(x) < FEWEST_PAIRS or is_constant(x) or is_constant(y):
        return Correlation(len(x), len(names), Estimate(), Estimate())
    counts: FloatArray = np.ones((1, len(names)))
    if len(names) >= FEWEST_GROUPS:
        drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
        counts = np.vstack([counts, drawn.astype(float)])
    pearson, spearman = [], []
    for rows in np.array_split(counts, -(-counts.shape[0] * len(x) // _NUMBERS_AT_ONCE)):
        weights = rows[:, membership]
        pearson.append(weighted_pearson(x, y, weights))
        spearman.append(weighted_spearman(x, y, weights))
    return Correlation(len(x), len(names), _estimate(np.concatenate(pearson)), _estimate(np.concatenate(spearman)))


def is_constant(values: FloatArray) -> bool:
    """Return whether the central 95 % of `values`, (n,), are one number up to rounding: the rest are odd cases."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return bool(high - low <= ROUNDING * max(1.0, abs(low), abs(high)))


def weighted_pearson(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Return Pearson's correlation of `x` with `y`, (n,) each, for every row of `weights`, (n_rows, n).

    A weight is how often a point is there. NaN where a side is constant.
    """
    # Centred beforehand: products of large means would cancel.
    x, y = x - x.mean(), y - y.mean()
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    covariance = weights @ (x * y) / total - mean_x * mean_y
    return _ratio(covariance, weights @ x**2 / total - mean_x**2, weights @ y**2 / total - mean_y**2)


def weighted_spearman(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Return Spearman's correlation as `weighted_pearson` does, ranks being taken anew for every row of `weights`."""
    ranks = weighted_ranks(x, weights), weighted_ranks(y, weights)
    total = weights.sum(axis=1, keepdims=True)
    first, second = (r - (weights * r).sum(axis=1, keepdims=True) / total for r in ranks)
    return _ratio(*((weights * product).sum(axis=1) for product in (first * second, first**2, second**2)))


def weighted_ranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the (n_rows, n) ranks of `values`, (n,), when each is there as often as a row of `weights` says.

    Equal values share the mean of their ranks.
    """
    _, places = np.unique(values, return_inverse=True)
    counts = np.zeros((len(weights), int(places.max()) + 1))
    np.add.at(counts.T, places, weights.T)
    return (np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, places]


def separation(matched: FloatArray, unmatched: FloatArray) -> float | None:
    """Return how well a distance tells two groups apart: the area under the curve of true against false positives.

    It is the probability that a pair of `matched` is closer than one of `unmatched`, ties counting half; 0.5 is
    chance. NaN are left out; None when a group is empty.
    """
    from scipy.stats import mannwhitneyu

    matched, unmatched = matched[np.isfinite(matched)], unmatched[np.isfinite(unmatched)]
    if not (len(matched) and len(unmatched)):
        return None
    return float(mannwhitneyu(unmatched, matched).statistic / (len(matched) * len(unmatched)))


def median(values: FloatArray) -> float:
    """Return the median of `values`, NaN ("no match") being further than every number; infinity when it is that."""
    if not len(values):
        return np.inf
    ordered = np.sort(np.where(np.isnan(values), np.inf, values))
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(np.inf if np.isinf(high) else (low + high) / 2)


def _ratio(covariance: FloatArray, variance_x: FloatArray, variance_y: FloatArray) -> FloatArray:
    product = variance_x * variance_y
    return np.divide(covariance, np.sqrt(np.maximum(product, 0)), out=np.full(len(product), np.nan), where=product > 0)


def _estimate(values: FloatArray) -> Estimate:
    """Return the first of `values` with the interval of the others; resamples that are constant do not count."""
    low = high = None
    if len(values) > 1:
        tail = (1 - CONFIDENCE) / 2
        low, high = (float(bound) for bound in np.nanquantile(values[1:], [tail, 1 - tail]))
    return Estimate(float(values[0]), low, high)
