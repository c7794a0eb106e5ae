"""Which changes of a structure keep its symmetry.

A structure of n atoms can be strained in six ways and its atoms moved in 3n; its space group leaves only those
combinations free that every operation maps onto themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_core.symmetrisation import SymmetryOperations, symmetry_operations

#: Row, column of each of the six Voigt components 11, 22, 33, 23, 13, 12.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

#: Å; how exactly atoms must sit on symmetric positions. Templates are idealised, so this can be tight.
SYMMETRY_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class FreeDirections:
    """The changes that keep the symmetry, as columns in the convention of `DifferentiableSimulator.linearise`.

    Attributes
    ----------
    columns : (6 + 3 n_atoms, n_directions)
        Strains first: `n_strains` of them, of unit length; then displacements, each moving its farthest atom by 1 Å.
    n_strains
        How many columns are strains.
    """

    columns: FloatArray
    n_strains: int

    @property
    def n_directions(self) -> int:
        """Number of free structural parameters."""
        return self.columns.shape[1]


def free_directions(
    lattice: FloatArray, fractional: FloatArray, numbers: IntArray, *, keep_symmetry: bool = True
) -> FreeDirections:
    """Return the free directions of the cell; all of P1 (but for a common shift) without `keep_symmetry`.

    Shapes: lattice (3, 3) Å, fractional (n_atoms, 3), numbers (n_atoms,).
    """
    operations = None
    if keep_symmetry:
        operations = symmetry_operations(lattice, fractional, numbers, SYMMETRY_TOLERANCE)
    if operations is None:
        operations = SymmetryOperations(np.eye(3)[None], np.zeros((1, 3)), np.arange(len(numbers))[None], 1)
    rotations, permutations = operations.rotations, operations.permutations
    strains = _free_strains(lattice, rotations)
    shifts = _free_displacements(lattice, rotations, permutations)
    columns = np.zeros((6 + shifts.shape[0], strains.shape[1] + shifts.shape[1]))
    columns[:6, : strains.shape[1]] = strains
    columns[6:, strains.shape[1] :] = shifts
    return FreeDirections(columns, strains.shape[1])


def equivalent_atoms(lattice: FloatArray, fractional: FloatArray, numbers: IntArray) -> IntArray:
    """Return (n_atoms,): for every atom the first of those that the space group makes equivalent to it."""
    operations = symmetry_operations(lattice, fractional, numbers, SYMMETRY_TOLERANCE)
    if operations is None:
        return np.arange(len(numbers))
    return operations.permutations.min(axis=0)


def _free_strains(lattice: FloatArray, rotations: FloatArray) -> FloatArray:
    """Return (6, n_strains) unit vectors of Voigt strains (shears doubled) that every rotation leaves alone."""
    # A row vector v = f L turns into f Rᵀ L: the Cartesian rotation, acting on rows from the right, is L⁻¹ Rᵀ L.
    cartesian = np.linalg.inv(lattice) @ rotations.transpose(0, 2, 1) @ lattice
    projector = np.zeros((6, 6))
    for column, (i, j) in enumerate(VOIGT):
        strain = np.zeros((3, 3))
        strain[i, j] = strain[j, i] = 1.0 if i == j else 0.5
        mean = (cartesian.transpose(0, 2, 1) @ strain @ cartesian).mean(0)
        projector[:, column] = [mean[a, b] * (1 if a == b else 2) for a, b in VOIGT]
    return _column_space(projector)


def _free_displacements(lattice: FloatArray, rotations: FloatArray, permutations: IntArray) -> FloatArray:
    """Return (3 n_atoms, n) displacements in fractional coordinates, without those that shift the whole cell."""
    n_atoms = permutations.shape[1]
    projector = np.zeros((n_atoms, 3, n_atoms, 3))
    atoms = np.arange(n_atoms)
    for rotation, permutation in zip(rotations, permutations, strict=True):
        projector[permutation, :, atoms] += rotation
    projector = (projector / len(rotations)).reshape(3 * n_atoms, 3 * n_atoms)
    basis = _column_space(projector)
    # A common shift (possible in polar groups and in P1) changes no intensity.
    common = _column_space(np.tile(np.eye(3), (n_atoms, 1)))
    inside = basis.T @ common
    _, overlap, axes = np.linalg.svd(inside.T, full_matrices=True)
    n_common = int((overlap > 1 - 1e-6).sum())
    basis = basis @ axes[n_common:].T
    lengths = np.linalg.norm(basis.T.reshape(-1, n_atoms, 3) @ lattice, axis=-1).max(axis=1, initial=0.0)
    return basis / lengths


def _column_space(matrix: FloatArray) -> FloatArray:
    """Return orthonormal columns that span the columns of `matrix`."""
    left, singular, _ = np.linalg.svd(matrix, full_matrices=False)
    return left[:, singular > 1e-6 * max(1.0, singular[0])]
