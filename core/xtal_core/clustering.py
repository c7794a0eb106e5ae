"""Clusters of items that a metric calls the same, and the tree of merges behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xtal_core.comparison import MetricMatrix
from xtal_core.pattern import FloatArray


@dataclass(frozen=True, eq=False)
class MergeTree:
    """Items merged one after the other, by complete linkage: a group is as far apart as its two least alike members.

    Of the two directions of a pair, the less alike one counts. A pair without a value, because there is no match or
    because it could not be compared, is never merged, and so keeps apart whatever groups its members are in.

    Attributes
    ----------
    items : (n,)
        Indices of the items that take part: those that the metric did not refuse.
    merges : (n − 1, 4)
        As `scipy.cluster.hierarchy.linkage` returns it; merges at a height of `never` stand for none.
    order : (n,)
        Positions in `items`, so that what merges is side by side.
    never
        Larger than any height at which something merges.
    best
        The value of height 0: heights are `best` less the value where higher is better, and the value itself, with
        `best` 0, where lower is.
    """

    items: NDArray[np.int64]
    merges: FloatArray
    order: NDArray[np.int64]
    never: float
    best: float

    def height(self, value: float, better: str) -> float:
        """Return the height at which items of this value merge."""
        return value if better == "lower" else self.best - value


def merge_tree(result: MetricMatrix) -> MergeTree:
    """Return the merges of the items that could be compared."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    items = np.flatnonzero(result.matrix.compared_first)
    values = result.matrix.values[np.ix_(items, items)]
    known = values[np.isfinite(values)]
    best = 0.0 if result.better == "lower" else float(known.max(initial=0.0))
    heights = values if result.better == "lower" else best - values
    heights = np.maximum(heights, heights.T)  # NaN where either direction is
    np.fill_diagonal(heights, 0.0)
    never = 2 * float(np.nanmax(heights, initial=0.0)) + 1.0
    if len(items) < 2:
        return MergeTree(items, np.empty((0, 4)), np.arange(len(items)), never, best)
    condensed = squareform(np.where(np.isnan(heights), never, heights), checks=False)
    merges = np.asarray(linkage(condensed, method="complete"), float)
    return MergeTree(items, merges, np.asarray(leaves_list(merges), dtype=np.int64), never, best)


def clusters_of(result: MetricMatrix, tree: MergeTree, threshold: float | None = None) -> list[tuple[int, ...]]:
    """Return the indices of the items of each cluster: any two members are within `threshold`, or `same_below`.

    Clusters and their members are in the order of the items; items alone are clusters of one.
    """
    from scipy.cluster.hierarchy import fcluster

    if len(tree.items) < 2:
        return [(int(item),) for item in tree.items]
    limit = tree.height(result.same_below if threshold is None else threshold, result.better)
    # An infinite threshold takes every match, and no match is none all the same.
    labels = fcluster(tree.merges, min(limit, math.nextafter(tree.never, 0)), criterion="distance")
    members: dict[int, list[int]] = {}
    for item, label in zip(tree.items, labels, strict=True):
        members.setdefault(int(label), []).append(int(item))
    return [tuple(group) for group in members.values()]
