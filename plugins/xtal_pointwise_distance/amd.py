"""Average minimum distance: the neighbour distances averaged over the atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import ClassVar

import numpy as np
from pymatgen.core import Structure
from scipy.spatial.distance import cdist

from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_pointwise_distance.atoms import Atoms
from xtal_pointwise_distance.neighbours import neighbours_by_kind
from xtal_pointwise_distance.plugin import AMDOptions

#: The kinds of atoms in alphabetical order, each with its number in the empirical formula.
Formula = tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class AverageDistances:
    """Average minimum distances of a crystal.

    Attributes
    ----------
    formula
        Kinds of atoms, a single one unless elements are told apart.
    distances : (n_kinds, n_distances) Å
        For each kind its atoms' rows (see `neighbours_by_kind`), averaged.
    """

    formula: Formula
    distances: FloatArray


class AMDMetric(SimilarityMetric):
    """Chebyshev distance in Å between average minimum distances AMD_1 … AMD_k.

    AMD_j is the mean over the atoms of the distance to the j-th nearest neighbour: D. Widdowson, M. Mosca,
    A. Pulido, A. Cooper, V. Kurlin, MATCH Commun. Math. Comput. Chem. 87, 529 (2022). It is symmetric and obeys the
    triangle inequality, but different crystals may be at 0. It is a lower bound of the `pdd` value of the same pair
    and much faster for many pairs.

    Species are ignored unless `elements` is set. Then AMD_j is averaged for each ordered pair of elements, over the
    atoms of the first, of the distances to the j-th nearest atom of the second. The value is the sum over the first
    elements of their share of the atoms times the Chebyshev distance of all that belongs to them; NaN for crystals of
    different composition.
    """

    name: ClassVar[str] = "amd"
    symmetric: ClassVar[bool] = True
    unit: ClassVar[str] = "Å"

    def __init__(self, options: AMDOptions) -> None:
        self.same_below = options.same_below
        self._options = options

    def featurise(self, items: Sequence[Structure]) -> list[AverageDistances]:
        """Return the averages of each structure. Raises StructureError for what `Atoms.of` refuses."""
        return [self._averages(structure, f"structure {number}") for number, structure in enumerate(items, start=1)]

    def compare(self, first: Sequence[AverageDistances], second: Sequence[AverageDistances]) -> FloatArray:
        """Return the (n_first, n_second) distances in Å; NaN between different compositions."""
        return distances_of_averages(first, second)

    def _averages(self, structure: Structure, label: str) -> AverageDistances:
        atoms = Atoms.of(structure, label, self.name, self._options.elements)
        rows = neighbours_by_kind(atoms, self._options.k)
        return AverageDistances(formula_of(rows), np.array([part.sum(axis=0) / len(part) for part in rows.values()]))


def formula_of(rows: dict[str, FloatArray]) -> Formula:
    """Return the empirical formula of the kinds of atoms, from the rows of each."""
    divisor = gcd(*map(len, rows.values()))
    return tuple((kind, len(part) // divisor) for kind, part in rows.items())


@cache
def shares_of(formula: Formula) -> tuple[float, ...]:
    """Return which share of the atoms each kind has."""
    total = sum(number for _, number in formula)
    return tuple(number / total for _, number in formula)


def distances_of_averages(first: Sequence[AverageDistances], second: Sequence[AverageDistances]) -> FloatArray:
    """Return the (n_first, n_second) distances in Å between averages; NaN between different compositions."""
    values = np.full((len(first), len(second)), np.nan)
    for formula in {one.formula for one in first} & {other.formula for other in second}:
        rows, columns = ([i for i, each in enumerate(side) if each.formula == formula] for side in (first, second))
        one, other = np.stack([first[i].distances for i in rows]), np.stack([second[i].distances for i in columns])
        values[np.ix_(rows, columns)] = sum(
            share * cdist(one[:, kind], other[:, kind], "chebyshev") for kind, share in enumerate(shares_of(formula))
        )
    return values
