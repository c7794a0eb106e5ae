"""Distances from every atom of a crystal to its k nearest neighbours, exact for every choice of cell."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.distance import cdist

from xtal_core.pattern import FloatArray
from xtal_pointwise_distance.atoms import Atoms
from xtal_pointwise_distance.cell import Cell

#: First guess of the search radius over that of a sphere that holds the neighbours on average. At k = 100 one inorganic
#: crystal in a hundred then needs a second pass; more costs time in all the others.
RADIUS_MARGIN = 1.06

#: Vectors between atoms that are looked at together, which bounds the memory that large cells take.
VECTORS_AT_ONCE = 20_000


def neighbours_by_kind(atoms: Atoms, k: int) -> dict[str, FloatArray]:
    """Return {kind: (n_atoms_of_kind, n_kinds k) Å}: the distances from each atom to its k nearest of every kind.

    Kinds are in alphabetical order, both as keys and along the rows; distances to each increase.
    """
    if len(kinds := sorted(set(atoms.kinds))) == 1:
        return {kinds[0]: neighbour_distances(atoms.cell, atoms.fractional, k)}
    members = {kind: np.array([each == kind for each in atoms.kinds]) for kind in kinds}
    blocks = []
    for own in members.values():
        distances = nearest_distances(atoms.cell, atoms.fractional, atoms.fractional[own], k + 1)
        # Where the atom is of this kind itself, the first is its distance to itself.
        blocks.append(np.where(own[:, None], distances[:, 1:], distances[:, :-1]))
    rows = np.hstack(blocks)
    return {kind: rows[own] for kind, own in members.items()}


def neighbour_distances(cell: Cell, fractional: FloatArray, k: int) -> FloatArray:
    """Return (n_atoms, k) Å: distances from each atom to its k nearest neighbours, increasing.

    For `cell` and `fractional` see `nearest_distances`.
    """
    return nearest_distances(cell, fractional, fractional, k + 1)[:, 1:]


def nearest_distances(cell: Cell, points: FloatArray, atoms: FloatArray, count: int) -> FloatArray:
    """Return (n_points, count) Å: distances from each point to the `count` nearest images of `atoms`, increasing.

    Parameters
    ----------
    cell
        However sheared, the result is exact. A reduced cell is only faster.
    points, atoms : (n_points, 3), (n_atoms, 3)
        Fractional coordinates.

    Notes
    -----
    An image of an atom is at v + T from a point, v being one vector between the two and T a translation of the lattice.
    With all T that may bring a v to within R, every image within R is looked at, so that a row is final when R holds
    `count` of them. Otherwise the largest distance found for the count-th bounds the true one from above and is a
    sufficient R.
    """
    rows = max(1, VECTORS_AT_ONCE // len(atoms))
    radius = RADIUS_MARGIN * (3 * cell.volume * count / (4 * math.pi * len(atoms))) ** (1 / 3)
    parts = []
    for start in range(0, len(points), rows):
        vectors = points[start : start + rows, None] - atoms
        vectors -= np.rint(vectors)
        parts.append(_nearest(vectors @ cell.lattice, cell, count, radius))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _nearest(vectors: FloatArray, cell: Cell, count: int, radius: float) -> FloatArray:
    """Return (n_points, count) Å from (n_points, n_atoms, 3) Å vectors, searching from `radius` on."""
    n_points = len(vectors)
    vectors = vectors.reshape(-1, 3)
    longest = math.sqrt(np.einsum("ij,ij->i", vectors, vectors).max())
    while True:
        squares = cdist(vectors, cell.translations(radius, longest), "sqeuclidean").reshape(n_points, -1)
        if squares.shape[1] < count:
            radius *= 2
            continue
        # Selecting first is what NumPy does fastest: only what is near is sorted.
        nearest = np.partition(squares, count - 1, axis=1)[:, :count]
        farthest = math.sqrt(nearest[:, -1].max())
        if farthest <= radius:
            nearest.sort(axis=1)
            return np.sqrt(nearest)
        # Slightly more, lest rounding keep a neighbour at exactly this distance out and the search go on for ever.
        radius = farthest * (1 + 1e-9)
