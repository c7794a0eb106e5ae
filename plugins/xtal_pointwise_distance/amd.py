"""Average minimum distance: the neighbour distances averaged over the atoms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pymatgen.core import Structure
from scipy.spatial.distance import cdist

from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_pointwise_distance.neighbours import neighbour_distances_of_structures
from xtal_pointwise_distance.plugin import AMDOptions


class AMDMetric(SimilarityMetric):
    """Chebyshev distance in Å between average minimum distances AMD_1 … AMD_k.

    AMD_j is the mean over the atoms of the distance to the j-th nearest neighbour: D. Widdowson, M. Mosca,
    A. Pulido, A. Cooper, V. Kurlin, MATCH Commun. Math. Comput. Chem. 87, 529 (2022). Species are ignored.
    A lower bound of the `pdd` value of the same pair, much faster for many pairs.
    """

    name: ClassVar[str] = "amd"
    unit: ClassVar[str] = "Å"

    def __init__(self, options: AMDOptions) -> None:
        self.same_below = options.same_below
        self._k = options.k

    def featurise(self, items: Sequence[Structure]) -> list[FloatArray]:
        """Return the (k,) Å averages of each structure. Raises StructureError for sites that are partly empty."""
        return [rows.mean(axis=0) for rows in neighbour_distances_of_structures(items, self._k, self.name)]

    def compare(self, first: Sequence[FloatArray], second: Sequence[FloatArray]) -> FloatArray:
        """Return the (n_first, n_second) distances in Å."""
        rows, columns = (np.reshape(np.array(vectors, float), (-1, self._k)) for vectors in (first, second))
        return np.asarray(cdist(rows, columns, "chebyshev"), float)
