"""The cell, origin and axes in which maps are learned: of all that describe a crystal one, so that alike look alike.

The Cartesian mapped electron density of one crystal depends on the choice of its cell, origin and axes. Two crystals of
one structure type must not be learned as two different maps, so a crystal comes in the primitive cell of spglib's
standard setting, with its origin in an atom of the rarest element and its axes such that its coordinates are the
smallest. A powder pattern does not tell a crystal from its mirror image: either may be taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import spglib

from xtal_core.cells import IntArray
from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

#: Å; atoms this far from where symmetry wants them still have it.
SYMMETRY_TOLERANCE = 0.01

#: Relative differences of metrics below which two lattices are the same.
SAME_METRIC = 1e-4

#: Columns: axes of a primitive cell on those of a conventional one, by the letter of the centring.
CENTRINGS = {
    "A": ((1, 0, 0), (0, 1 / 2, -1 / 2), (0, 1 / 2, 1 / 2)),
    "C": ((1 / 2, 1 / 2, 0), (-1 / 2, 1 / 2, 0), (0, 0, 1)),
    "I": ((-1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (1 / 2, 1 / 2, -1 / 2)),
    "F": ((0, 1 / 2, 1 / 2), (1 / 2, 0, 1 / 2), (1 / 2, 1 / 2, 0)),
    "R": ((2 / 3, -1 / 3, -1 / 3), (1 / 3, 1 / 3, -2 / 3), (1 / 3, 1 / 3, 1 / 3)),
}

#: Coordinates are compared in steps of this fraction of a cell edge.
STEPS = 1000


@dataclass(frozen=True, eq=False)
class StandardCell:
    """A crystal in its standard cell.

    Attributes
    ----------
    lattice : (3, 3) Å
        Lattice vectors as rows.
    fractional : (n_atoms, 3)
        In [0, 1).
    numbers : (n_atoms,)
        Atomic numbers.
    space_group
        International number.
    axes : (3, 3)
        Rows: axes of this cell on those of the cell it was made from.
    shift : (3,)
        Its origin, in fractional coordinates of the cell it was made from.
    """

    lattice: FloatArray
    fractional: FloatArray
    numbers: IntArray
    space_group: int
    axes: FloatArray
    shift: FloatArray

    def given(self, points: FloatArray) -> FloatArray:
        """Return (m, 3) fractional coordinates in the cell it was made from, of those in this cell."""
        return points @ self.axes + self.shift


def standard_cell(lattice: FloatArray, fractional: FloatArray, numbers: IntArray) -> StandardCell:
    """Return an ordered crystal, `lattice` (3, 3) Å and `fractional` (n_atoms, 3), in its standard primitive cell.

    Raises StructureError when no symmetry can be found.
    """
    cell: Any = (lattice, fractional, numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=SYMMETRY_TOLERANCE)
    if found is None:
        raise StructureError("its symmetry cannot be determined", "check its atoms for overlaps")
    to_primitive = np.array(CENTRINGS.get(found.international[0], np.eye(3)))
    # Of the atoms of the conventional cell that are one atom of the primitive cell, the first.
    _, first = np.unique(found.std_mapping_to_primitive, return_index=True)
    lattice = to_primitive.T @ found.std_lattice
    fractional = found.std_positions[first] @ np.linalg.inv(to_primitive).T
    numbers = np.asarray(found.std_types[first], int)
    _, example = np.unique(found.mapping_to_primitive, return_index=True)
    orbits = np.asarray(found.crystallographic_orbits, int)[example]
    origins, changes = fractional[_origins(numbers, orbits)], changes_of_axes(lattice)
    starts = fractional[None] - origins[:, None]
    moved = (starts[:, None] @ changes).reshape(-1, *fractional.shape)
    chosen = _smallest(moved, numbers)
    origin, change = (int(each) for each in divmod(chosen, len(changes)))
    # The primitive cell of the conventional one, which has the axes and the origin of the dataset on the given one.
    from_conventional = np.linalg.inv(found.transformation_matrix).T
    axes = np.linalg.inv(changes[change]) @ to_primitive.T @ from_conventional
    shift = (origins[origin] @ to_primitive.T - found.origin_shift) @ from_conventional
    wrapped = moved[chosen] % 1
    wrapped[wrapped > 1 - 0.5 / STEPS] = 0  # rounding must not part what coincides with the origin from it
    return StandardCell(np.asarray(lattice, float), wrapped, numbers, int(found.number), axes, shift)


def _origins(numbers: IntArray, orbits: IntArray) -> IntArray:
    """Return the atoms an origin may be in: of the rarest element, of several the heaviest, on its rarest sites."""
    counts = {number: int((numbers == number).sum()) for number in set(numbers.tolist())}
    rarest = min(counts, key=lambda number: (counts[number], -number))
    atoms = np.flatnonzero(numbers == rarest)
    sizes = np.array([(orbits == orbits[atom]).sum() for atom in atoms])
    return atoms[sizes == sizes.min()]


def changes_of_axes(lattice: FloatArray) -> FloatArray:
    """Return the (n, 3, 3) matrices M, so that x M are coordinates on other axes with the same metric as `lattice`."""
    changes, inverses = _unimodular()
    metric = lattice @ lattice.T
    images = changes @ metric @ changes.transpose(0, 2, 1)
    same = np.abs(images - metric).max(axis=(1, 2)) < SAME_METRIC * metric.max()
    return inverses[same]


@cache
def _unimodular() -> tuple[FloatArray, FloatArray]:
    """Return the (n, 3, 3) matrices of determinant ±1 with elements −1, 0 and 1, and their inverses."""
    matrices = np.array(list(product((-1, 0, 1), repeat=9)), float).reshape(-1, 3, 3)
    chosen = matrices[np.abs(np.abs(np.linalg.det(matrices)) - 1) < 1e-6]
    return chosen, np.round(np.linalg.inv(chosen))


def _smallest(moved: FloatArray, numbers: IntArray) -> int:
    """Return which of the (n, n_atoms, 3) coordinates, in whatever order of the atoms, come first."""
    steps = np.round(moved * STEPS).astype(int) % STEPS
    packed = (steps[..., 0] * STEPS + steps[..., 1]) * STEPS + steps[..., 2]
    listed = np.sort(packed + numbers * STEPS**3, axis=1)
    return int(np.lexsort(listed.T[::-1])[0])
