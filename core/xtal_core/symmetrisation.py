"""Symmetry that a structure comes close to, and the structure that has it: averages over all operations.

spglib finds operations within a tolerance; what it makes of a strongly distorted cell is not relied upon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import spglib

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray


@dataclass(frozen=True, eq=False)
class SymmetryOperations:
    """Symmetry operations of a cell, x → R x + t.

    Shapes: rotations (n, 3, 3), translations (n, 3), permutations (n, n_atoms), the atom each atom is moved onto.
    `space_group` is the international number.
    """

    rotations: FloatArray
    translations: FloatArray
    permutations: IntArray
    space_group: int


def symmetry_operations(
    lattice: FloatArray, fractional: FloatArray, numbers: IntArray, tolerance: float
) -> SymmetryOperations | None:
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
    return SymmetryOperations(rotations, translations, permutations, int(dataset.number))


def idealise(
    lattice: FloatArray, fractional: FloatArray, numbers: IntArray, tolerance: float
) -> tuple[FloatArray, FloatArray, int] | None:
    """Return lattice, fractional coordinates and space group after averaging over all operations within `tolerance` Å.

    The setting of the cell is kept. None where the search for operations fails.
    """
    operations = symmetry_operations(lattice, fractional, numbers, tolerance)
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


class HigherSymmetry(NamedTuple):
    """What a structure is in a symmetry that it comes close to.

    Attributes
    ----------
    lattice : (3, 3) Å
    fractional : (n_atoms, 3)
    space_group
        International number.
    tolerance
        Å within which its operations were found.
    """

    lattice: FloatArray
    fractional: FloatArray
    space_group: int
    tolerance: float


def higher_symmetries(
    lattice: FloatArray, fractional: FloatArray, numbers: IntArray, tolerances: Sequence[float], averagings: int = 1
) -> Iterator[HigherSymmetry]:
    """Yield a structure in every space group above P1 that it comes close to, each once.

    It is averaged over the operations found within each of `tolerances`, up to `averagings` times in turn: what
    averages over some operations may come closer to more of them.
    """
    seen = {1}
    for tolerance in tolerances:
        cell, atoms, reached = lattice, fractional, 1
        for _ in range(averagings):
            ideal = idealise(cell, atoms, numbers, tolerance)
            if ideal is None or ideal[2] == reached:
                break
            cell, atoms, reached = ideal
            if reached not in seen:
                seen.add(reached)
                yield HigherSymmetry(cell, atoms, reached, tolerance)
