"""Pointwise distance distribution: the neighbour distances of every atom, compared by the earth mover's distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pymatgen.core import Structure
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, squareform

from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_pointwise_distance.amd import AverageDistances, Formula, distances_of_averages, formula_of, shares_of
from xtal_pointwise_distance.atoms import Atoms
from xtal_pointwise_distance.earth_mover import earth_movers_distance
from xtal_pointwise_distance.neighbours import neighbours_by_kind
from xtal_pointwise_distance.plugin import PDDOptions

#: Å; a pair is left out when its lower bound is above the limit by more than rounding could have added.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """The distribution of the atoms of one kind.

    Attributes
    ----------
    weights : (n_rows,)
        Share of these atoms that a row stands for; sums to 1.
    distances : (n_rows, n_distances) Å
        Distances to the nearest neighbours of each kind (see `neighbours_by_kind`).
    """

    weights: FloatArray
    distances: FloatArray

    @classmethod
    def of(cls, rows: FloatArray, tolerance: float | None) -> WeightedRows:
        """Return the distribution of the (n_atoms, n_distances) Å `rows`, alike rows merged into their mean.

        Rows are merged when all distances of all of them agree within `tolerance` (complete linkage), so that the
        result moves by at most `tolerance` and does not depend on the order of the atoms or the size of the cell. None
        keeps a row for each atom.
        """
        if len(rows) == 1 or tolerance is None:
            return cls(np.full(len(rows), 1 / len(rows)), rows)
        apart = cdist(rows, rows, "chebyshev")
        near = apart <= tolerance
        first = near.argmax(axis=1)
        if not (near == (first[:, None] == first)).all():
            # Being near is no equivalence: a chain of near rows has ends that are not. Else linkage finds just these.
            labels = fcluster(linkage(squareform(apart, checks=False), "complete"), tolerance, "distance")
            near = labels[:, None] == labels
            first = near.argmax(axis=1)
        members = near[first == np.arange(len(rows))].astype(float)
        counts = members.sum(axis=1)
        return cls(counts / len(rows), members @ rows / counts[:, None])


@dataclass(frozen=True, eq=False)
class PointwiseDistances:
    """A pointwise distance distribution.

    Attributes
    ----------
    formula
        Kinds of atoms, a single one unless elements are told apart.
    parts : n_kinds
        The distribution of the atoms of each.
    """

    formula: Formula
    parts: tuple[WeightedRows, ...]

    def averages(self) -> AverageDistances:
        """Return the average minimum distances."""
        return AverageDistances(self.formula, np.array([part.weights @ part.distances for part in self.parts]))


class PDDMetric(SimilarityMetric):
    """Earth mover's distance in Å between pointwise distance distributions, the ground distance being Chebyshev's.

    D. Widdowson, V. Kurlin, Adv. Neural Inf. Process. Syst. 35, 24625 (2022). It is symmetric, obeys the triangle
    inequality, is 0 for crystals that differ by a rigid motion or a reflection only (and, in theory, for a few others)
    and changes by at most twice as much as atoms move. Species are ignored: two compounds of one structure type and
    the same cell dimensions are close.

    With `elements` set, the row of an atom holds its distances to the k nearest atoms of each element in turn, and
    weight moves between atoms of the same element only: the value is the sum over the elements of their share of the
    atoms times the earth mover's distance between their atoms. All that is said above holds, except that exchanging
    species is seen; crystals of different composition are no match (NaN), which is an infinite distance where the
    triangle inequality is concerned.

    Offers `ComparesWithin`, by the `amd` value of the pair, which is a lower bound: by the triangle inequality a
    transport costs at least the Chebyshev distance of the weighted means.
    """

    name: ClassVar[str] = "pdd"
    symmetric: ClassVar[bool] = True
    unit: ClassVar[str] = "Å"

    def __init__(self, options: PDDOptions) -> None:
        self.same_below = options.same_below
        self._options = options

    def featurise(self, items: Sequence[Structure]) -> list[PointwiseDistances]:
        """Return the distribution of each structure. Raises StructureError for what `Atoms.of` refuses."""
        return [self._distribution(structure, f"structure {number}") for number, structure in enumerate(items, start=1)]

    def compare(self, first: Sequence[PointwiseDistances], second: Sequence[PointwiseDistances]) -> FloatArray:
        """Return the (n_first, n_second) distances in Å; NaN between different compositions."""
        values = np.empty((len(first), len(second)))
        for row, one in enumerate(first):
            for column, other in enumerate(second):
                values[row, column] = _distance(one, other)
        return values

    def compare_within(
        self, first: Sequence[PointwiseDistances], second: Sequence[PointwiseDistances], limit: float
    ) -> FloatArray:
        """Return the distances as `compare` does, infinity where the AMD proves one to be above `limit` Å."""
        values = distances_of_averages([one.averages() for one in first], [other.averages() for other in second])
        values[values > limit + ROUNDING] = np.inf
        for row, column in np.argwhere(np.isfinite(values)):
            values[row, column] = _distance(first[row], second[column])
        return values

    def _distribution(self, structure: Structure, label: str) -> PointwiseDistances:
        atoms = Atoms.of(structure, label, self.name, self._options.elements)
        rows = neighbours_by_kind(atoms, self._options.k)
        parts = tuple(WeightedRows.of(part, self._options.collapse) for part in rows.values())
        return PointwiseDistances(formula_of(rows), parts)


def _distance(one: PointwiseDistances, other: PointwiseDistances) -> float:
    if one.formula != other.formula:
        return np.nan
    return sum(
        share * earth_movers_distance(a.weights, b.weights, _costs(a, b))
        for share, a, b in zip(shares_of(one.formula), one.parts, other.parts, strict=True)
    )


def _costs(one: WeightedRows, other: WeightedRows) -> FloatArray:
    return np.asarray(cdist(one.distances, other.distances, "chebyshev"), float)
