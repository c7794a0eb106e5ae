"""From the cell a candidate was refined in to the cell it is written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gemmi
import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_core.ranking import SYMMETRY_TOLERANCE

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Setting:
    """A change of cell and origin, x' = P x + p, and the symmetry operations x' → R x' + t of the new cell.

    Attributes
    ----------
    matrix : (3, 3)
        P, acting on columns of fractional coordinates.
    shift : (3,)
        p.
    rotations : (n_operations, 3, 3)
    translations : (n_operations, 3)
        Centring translations included.
    """

    matrix: FloatArray
    shift: FloatArray
    rotations: FloatArray
    translations: FloatArray

    def lattice(self, lattice: FloatArray) -> FloatArray:
        """Return the (3, 3) vectors of the new cell as rows, in the orientation of the old `lattice`."""
        return np.linalg.inv(self.matrix).T @ lattice

    def positions(self, fractional: FloatArray) -> FloatArray:
        """Return the (n, 3) coordinates in the new cell."""
        return fractional @ self.matrix.T + self.shift

    def indices(self, hkl: IntArray) -> FloatArray:
        """Return the (n, 3) Miller indices in the new cell, whole numbers up to rounding."""
        return hkl @ np.linalg.inv(self.matrix)

    def averaged_metric(self, metrics: FloatArray) -> FloatArray:
        """Return (…, 3, 3) `metrics` averaged over the symmetry operations."""
        turned = np.einsum("oki,...kl,olj->...oij", self.rotations, metrics, self.rotations)
        return turned.mean(axis=-3)


def standard_setting(structure: Structure, block: gemmi.cif.Block) -> Setting | None:
    """Return the setting of `block`, to which pymatgen wrote `structure` with its symmetry, standardised by spglib.

    None where an operation is none of a standard setting, like x' = z − 2x: in cells that fit a symmetry only roughly,
    spglib may find such.
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    try:
        operations = _operations(block)
    except RuntimeError:  # what gemmi raises for an operation that it cannot read
        return None
    dataset = SpacegroupAnalyzer(structure, SYMMETRY_TOLERANCE).get_symmetry_dataset()
    return Setting(np.array(dataset.transformation_matrix), np.array(dataset.origin_shift), *operations)


def same_setting(block: gemmi.cif.Block) -> Setting:
    """Return the setting of `block`, to which a structure was written in the cell that it has."""
    return Setting(np.eye(3), np.zeros(3), *_operations(block))


def _operations(block: gemmi.cif.Block) -> tuple[FloatArray, FloatArray]:
    """Return the rotations and translations that `block` lists."""
    operations = [gemmi.Op(gemmi.cif.as_string(text)) for text in block.find_values("_symmetry_equiv_pos_as_xyz")]
    rotations = np.array([operation.rot for operation in operations], float) / gemmi.Op.DEN
    return rotations, np.array([operation.tran for operation in operations], float) / gemmi.Op.DEN
