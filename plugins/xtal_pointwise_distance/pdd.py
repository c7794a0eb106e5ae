"""Pointwise distance distribution: the neighbour distances of every atom, compared by the earth mover's distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pymatgen.core import Structure
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, pdist

from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_pointwise_distance.earth_mover import earth_movers_distance
from xtal_pointwise_distance.neighbours import neighbour_distances_of_structures
from xtal_pointwise_distance.plugin import PDDOptions


@dataclass(frozen=True, eq=False)
class PointwiseDistances:
    """A pointwise distance distribution.

    Attributes
    ----------
    weights : (n_rows,)
        Share of the atoms that a row stands for; sums to 1.
    distances : (n_rows, k) Å
        Distances to the k nearest neighbours, increasing.
    """

    weights: FloatArray
    distances: FloatArray

    @classmethod
    def from_neighbours(cls, distances: FloatArray, tolerance: float) -> PointwiseDistances:
        """Return the distribution of the (n_atoms, k) Å `distances`, alike rows merged into their mean.

        Rows are merged when all distances of all of them agree within `tolerance` (complete linkage), so that the
        result moves by at most `tolerance` and does not depend on the order of the atoms or the size of the cell.
        """
        if len(distances) == 1:
            return cls(np.ones(1), distances)
        merges = linkage(pdist(distances, "chebyshev"), method="complete")
        groups = fcluster(merges, tolerance, criterion="distance") - 1
        counts = np.bincount(groups)
        sums = np.zeros((len(counts), distances.shape[1]))
        np.add.at(sums, groups, distances)
        return cls(counts / len(distances), sums / counts[:, None])


class PDDMetric(SimilarityMetric):
    """Earth mover's distance in Å between pointwise distance distributions, the ground distance being Chebyshev's.

    D. Widdowson, V. Kurlin, Adv. Neural Inf. Process. Syst. 35, 24625 (2022). It is 0 for crystals that differ by a
    rigid motion or a reflection only, changes by at most twice as much as atoms move, and ignores species: two
    compounds of one structure type and the same cell dimensions are close.
    """

    name: ClassVar[str] = "pdd"
    unit: ClassVar[str] = "Å"

    def __init__(self, options: PDDOptions) -> None:
        self.same_below = options.same_below
        self._options = options

    def featurise(self, items: Sequence[Structure]) -> list[PointwiseDistances]:
        """Return the distribution of each structure. Raises StructureError for sites that are partly empty."""
        return [
            PointwiseDistances.from_neighbours(distances, self._options.collapse)
            for distances in neighbour_distances_of_structures(items, self._options.k, self.name)
        ]

    def compare(self, first: Sequence[PointwiseDistances], second: Sequence[PointwiseDistances]) -> FloatArray:
        """Return the (n_first, n_second) distances in Å."""
        values = np.empty((len(first), len(second)))
        for row, one in enumerate(first):
            for column, other in enumerate(second):
                costs = np.asarray(cdist(one.distances, other.distances, "chebyshev"), float)
                values[row, column] = earth_movers_distance(one.weights, other.weights, costs)
        return values
