"""Which changes of a structure keep its symmetry.

A structure of n atoms can be strained in six ways and its atoms moved in 3n; its space group leaves only those
combinations free that every operation maps onto themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import spglib

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray

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
        operations = _operations(lattice, fractional, numbers, SYMMETRY_TOLERANCE)
    if operations is None:
        operations = Operations(np.eye(3)[None], np.zeros((1, 3)), np.arange(len(numbers))[None], 1)
    rotations, permutations = operations.rotations, operations.permutations
    strains = _free_strains(lattice, rotations)
    shifts = _free_displacements(lattice, rotations, permutations)
    columns = np.zeros((6 + shifts.shape[0], strains.shape[1] + shifts.shape[1]))
    columns[:6, : strains.shape[1]] = strains
    columns[6:, strains.shape[1] :] = shifts
    return FreeDirections(columns, strains.shape[1])


@dataclass(frozen=True, eq=False)
class Operations:
    """Symmetry operations of a cell, x → R x + t.

    Shapes: rotations (n, 3, 3), translations (n, 3), permutations (n, n_atoms), the atom each atom is moved onto.
    `space_group` is the international number.
    """

    rotations: FloatArray
    translations: FloatArray
    permutations: IntArray
    space_group: int


def _operations(lattice: FloatArray, fractional: FloatArray, numbers: IntArray, tolerance: float) -> Operations | None:
    """Return the operations that hold within `tolerance` Å; None where the search fails."""
    try:
        dataset = spglib.get_symmetry_dataset(
            (lattice.tolist(), fractional.tolist(), numbers.tolist()), symprec=tolerance
        )
    except spglib.SpglibError:
        return None
    if dataset is None:
        return None
    rotations, translations = dataset.rotations.astype(float), dataset.translations
    images = np.einsum("oij,nj->oni", rotations, fractional) + translations[:, None]
    difference = images[:, :, None] - fractional[None, None]
    difference -= np.round(difference)
    distance = np.linalg.norm(difference @ lattice, axis=-1)
    distance[:, numbers[:, None] != numbers[None]] = np.inf
    permutations = distance.argmin(-1)
    worst = np.take_along_axis(distance, permutations[..., None], -1).max()
    one_to_one = (np.sort(permutations, axis=1) == np.arange(len(numbers))).all()
    # The search reduces tolerances as it goes; what it returns is checked rather than believed.
    if worst > 10 * tolerance or not one_to_one:
        return None
    return Operations(rotations, translations, permutations, int(dataset.number))


def equivalent_atoms(lattice: FloatArray, fractional: FloatArray, numbers: IntArray) -> IntArray:
    """Return (n_atoms,): for every atom the first of those that the space group makes equivalent to it."""
    operations = _operations(lattice, fractional, numbers, SYMMETRY_TOLERANCE)
    if operations is None:
        return np.arange(len(numbers))
    return operations.permutations.min(axis=0)


def idealise(
    lattice: FloatArray, fractional: FloatArray, numbers: IntArray, tolerance: float
) -> tuple[FloatArray, FloatArray, int] | None:
    """Return lattice, fractional coordinates and space group after averaging over all operations within `tolerance` Å.

    The setting of the cell is kept. None where the search for operations fails.
    """
    operations = _operations(lattice, fractional, numbers, tolerance)
    if operations is None:
        return None
    # Rows of the lattice turn into R ᵀ L, whose metric must be that of L.
    transposed = operations.rotations.transpose(0, 2, 1)
    metric = (transposed @ (lattice @ lattice.T) @ operations.rotations).mean(0)
    # The symmetric strain that takes the old metric to the averaged one.
    inverse = np.linalg.inv(lattice)
    values, vectors = np.linalg.eigh(inverse @ metric @ inverse.T)
    averaged = lattice @ (vectors * np.sqrt(values)) @ vectors.T
    images = np.einsum("oij,nj->oni", operations.rotations, fractional) + operations.translations[:, None]
    total = np.zeros_like(fractional)
    for image, permutation in zip(images, operations.permutations, strict=True):
        offset = image - fractional[permutation]
        total[permutation] += fractional[permutation] + offset - np.round(offset)
    return averaged, total / len(images), operations.space_group


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
