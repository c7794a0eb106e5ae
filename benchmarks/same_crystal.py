"""How far two descriptions of a crystal are apart, whatever cell, origin, order of atoms and hand they use.

A powder pattern does not tell a structure from its mirror image, and one structure can be described in many cells: all
lattice vectors of one are looked for that may be the basis of the other, improper ones included, and for each of them
the atoms are assigned one to one, by element, for the common shift that suits them best. Structures that have the same
pattern without being congruent (homometric ones) are not taken for the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray

if TYPE_CHECKING:
    from pymatgen.core import Lattice, Structure

#: What counts as the same crystal: principal strains, and displacements in Å.
SAME_CELL, SAME_POSITIONS = 1e-4, 1e-3

#: Bases that differ by more (lengths relatively, angles in degrees) are not considered.
LENGTH_TOLERANCE, ANGLE_TOLERANCE = 0.15, 8.0

#: Distance between atoms of different elements: they are never assigned to each other.
NEVER = 1e6

#: Rounds of assigning atoms and shifting the origin.
ROUNDS = 3


@dataclass(frozen=True)
class Deviation:
    """How far apart two descriptions are where they agree best; infinite where no cell or no atoms correspond.

    Attributes
    ----------
    displacement
        Å; the farthest that an atom is from its counterpart.
    strain
        The largest principal strain, without sign, from one cell to the other: no length of the lattice and, to first
        order, no angle in radians by more than twice this.
    """

    displacement: float
    strain: float

    @property
    def in_tolerances(self) -> float:
        """The larger of both, in units of what counts as the same crystal."""
        return max(self.displacement / SAME_POSITIONS, self.strain / SAME_CELL)

    @property
    def is_same(self) -> bool:
        """Whether both are the same crystal."""
        return self.in_tolerances <= 1


def deviation(truth: Structure, found: Structure) -> Deviation:
    """Return how far `found` is from `truth`, which hold the same elements."""
    best = Deviation(np.inf, np.inf)
    mappings = truth.lattice.find_all_mappings(found.lattice, LENGTH_TOLERANCE, ANGLE_TOLERANCE)
    for _, _, basis in mappings:
        if round(abs(np.linalg.det(basis))) != 1 or len(found) != len(truth):
            continue
        strain = largest_strain(basis @ truth.lattice.matrix, found.lattice.matrix)
        displacement = largest_displacement(
            truth.lattice,
            truth.frac_coords,
            found.frac_coords @ basis,
            np.array(truth.atomic_numbers),
            np.array(found.atomic_numbers),
        )
        best = min(best, Deviation(displacement, strain), key=lambda found: found.in_tolerances)
    return best


def largest_strain(before: FloatArray, after: FloatArray) -> float:
    """Return the largest principal strain, without sign, between cells whose rows are the same lattice vectors."""
    deformation = np.linalg.solve(before, after)
    return float(np.abs(np.linalg.svd(deformation, compute_uv=False) - 1).max())


def described_as(truth: Structure, found: Structure, within: float) -> Structure | None:
    """Return `truth` in the cell, from the origin and with the order of atoms of `found`.

    None where atoms are `within` Å off or more. Of several ways, which a crystal has that is nearly of higher symmetry,
    it is that of the least strain.
    """
    from pymatgen.core import Structure

    numbers, found_numbers = np.array(truth.atomic_numbers), np.array(found.atomic_numbers)
    ways: list[tuple[float, float, Structure]] = []
    for _, _, basis in truth.lattice.find_all_mappings(found.lattice, LENGTH_TOLERANCE, ANGLE_TOLERANCE):
        if round(abs(np.linalg.det(basis))) != 1 or len(found) != len(truth):
            continue
        apart, order, shift = _assigned(
            truth.lattice, truth.frac_coords, found.frac_coords @ basis, numbers, found_numbers
        )
        if apart < within:
            lattice = basis @ truth.lattice.matrix
            fractional = (truth.frac_coords[order] - shift) @ np.linalg.inv(basis)
            described = Structure(lattice, [truth[i].species for i in order], fractional)
            ways.append((largest_strain(lattice, found.lattice.matrix), apart, described))
    if not ways:
        return None
    # The symmetry of the lattice makes ways of the same strain, which only the atoms tell apart.
    least = min(strain for strain, *_ in ways) + SAME_CELL
    return min((way for way in ways if way[0] <= least), key=lambda way: way[1])[2]


def largest_displacement(
    lattice: Lattice, truth: FloatArray, found: FloatArray, elements: IntArray, found_elements: IntArray
) -> float:
    """Return the farthest in Å that an atom is from its counterpart, for the best assignment and common shift.

    Shapes: fractional coordinates (n, 3) in the same `lattice`, elements (n,) as atomic numbers.
    """
    return _assigned(lattice, truth, found, elements, found_elements)[0]


def _assigned(
    lattice: Lattice, truth: FloatArray, found: FloatArray, elements: IntArray, found_elements: IntArray
) -> tuple[float, IntArray, FloatArray]:
    """Return what `largest_displacement` does, the counterparts of `found`, and the shift (3,) that takes it there.

    The counterparts (n,) are rows of `truth`.
    """
    from scipy.optimize import linear_sum_assignment

    least, order, best_shift = np.inf, np.arange(len(truth)), np.zeros(3)
    if not np.array_equal(np.sort(elements), np.sort(found_elements)):
        return least, order, best_shift
    numbers, counts = np.unique(elements, return_counts=True)
    rarest = numbers[counts.argmin()]
    first = truth[elements == rarest][0]
    for start in found[found_elements == rarest]:
        shift = first - start
        apart, columns = np.zeros_like(truth), order
        for _ in range(ROUNDS):
            difference = truth[:, None] - found[None] - shift
            difference -= np.rint(difference)
            distance = np.linalg.norm(difference @ lattice.matrix, axis=-1)
            distance[elements[:, None] != found_elements[None]] = NEVER
            rows, columns = linear_sum_assignment(distance**2)
            apart = difference[rows, columns]
            common = apart.mean(axis=0)
            shift, apart = shift + common, apart - common
        farthest = float(np.linalg.norm(apart @ lattice.matrix, axis=1).max())
        if farthest < least:
            least, order, best_shift = farthest, np.argsort(columns), shift
    return least, order, best_shift
