"""Points of a cell where the density is learned: spread evenly, and near atoms, where it changes most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xtal_core.pattern import FloatArray
from xtal_crystalnet.density_map import density_at, pairs_within
from xtal_crystalnet.standard_cell import StandardCell

#: Å: standard deviation of the distance, along each axis, of a point from the atom near which it is drawn.
NEAR = 0.35

#: Standard deviations beyond which nothing is drawn to speak of.
REACH = 4.5


#: The (n_points,) e⁻/Å³ at (n_points, 3) fractional coordinates.
Density = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Points of one crystal.

    Attributes
    ----------
    points : (n_points, 3)
        Fractional coordinates.
    density : (n_points,) e⁻/Å³
    weights : (n_points,)
        Of means over the cell: points where many are drawn count less. Their mean over many draws is 1.
    """

    points: FloatArray
    density: FloatArray
    weights: FloatArray


def draw(
    cell: StandardCell, strata: int, near_atoms: int, random: np.random.Generator, density: Density | None = None
) -> Drawn:
    """Return `strata`³ points, one in each of as many equal parts of the cell, and `near_atoms` near atoms.

    Without a `density` it is that of independent atoms. The paper has 10³ points and none near atoms. Weights are those
    of the balance heuristic (Veach and Guibas 1995), so that weighted means are those of evenly spread points whatever
    `near_atoms` is.
    """
    corners = np.indices((strata,) * 3).reshape(3, -1).T
    points = (corners + random.random(corners.shape)) / strata
    weights = np.ones(len(points))
    if near_atoms:
        chosen = random.integers(len(cell.numbers), size=near_atoms)
        offsets = NEAR * random.standard_normal((near_atoms, 3)) @ np.linalg.inv(cell.lattice)
        points = np.concatenate([points, (cell.fractional[chosen] + offsets) % 1])
        share = near_atoms / strata**3
        weights = (1 + share) / (1 + share * _crowding(cell, points))
    if density is None:
        values = density_at(cell.lattice, cell.fractional, cell.numbers, np.ones(len(cell.numbers)), points)
    else:
        values = density(points)
    return Drawn(points, values, weights)


def _crowding(cell: StandardCell, points: FloatArray) -> FloatArray:
    """Return (n_points,) how much likelier `points` are to be drawn near an atom than anywhere."""
    volume = abs(float(np.linalg.det(cell.lattice)))
    peak = volume / len(cell.numbers) / (2 * np.pi * NEAR**2) ** 1.5
    reach = np.full(len(cell.numbers), REACH * NEAR)
    found = np.zeros(len(points))
    for point, _, squared in pairs_within(cell.lattice, cell.fractional, reach, points):
        found += np.bincount(point, peak * np.exp(-0.5 / NEAR**2 * squared), minlength=len(found))
    return found
