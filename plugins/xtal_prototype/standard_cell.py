"""Standard cells: a crystal in any setting brought to the standard one, exactly symmetric, its orbits known."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

#: Å. Distortions larger than this are kept.
SYMMETRY_PRECISION = 0.01

#: Vectors of the primitive cell, as rows, in units of the conventional ones, for each centring (spglib's choice).
_PRIMITIVE_VECTORS = {
    "P": np.eye(3),
    "A": np.array([[1, 0, 0], [0, 0.5, -0.5], [0, 0.5, 0.5]]),
    "C": np.array([[0.5, 0.5, 0], [-0.5, 0.5, 0], [0, 0, 1]]),
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}


@dataclass(frozen=True, eq=False)
class StandardCell:
    """The standard primitive cell of a crystal.

    Attributes
    ----------
    lattice : (3, 3) Å
        Vectors as rows, idealised.
    fractional : (n_atoms, 3)
    numbers : (n_atoms,)
    orbits : (n_atoms,)
        Index, from 0, of the crystallographic orbit of each atom.
    wyckoffs
        Wyckoff letter of each orbit.
    space_group, hall_number
        International number, and spglib's number of the setting of the conventional cell.
    centring
        P, A, C, F, I or R.
    """

    lattice: FloatArray
    fractional: FloatArray
    numbers: IntArray
    orbits: IntArray
    wyckoffs: tuple[str, ...]
    space_group: int
    hall_number: int
    centring: str

    @property
    def conventional_multiplicity(self) -> int:
        """Lattice points in the conventional cell."""
        return round(1 / np.linalg.det(_PRIMITIVE_VECTORS[self.centring]))

    @property
    def conventional_lattice(self) -> FloatArray:
        """(3, 3) Å, vectors of the conventional standard cell as rows."""
        return np.linalg.inv(_PRIMITIVE_VECTORS[self.centring]) @ self.lattice

    @property
    def z_primitive(self) -> int:
        """Formula units in the primitive cell."""
        return reduce(gcd, Counter(self.numbers.tolist()).values())

    @property
    def z_conventional(self) -> int:
        """Formula units in the conventional cell."""
        return self.z_primitive * self.conventional_multiplicity


def primitive_vectors(centring: str) -> FloatArray:
    """Return (3, 3), vectors of the standard primitive cell as rows, in units of the conventional ones."""
    return _PRIMITIVE_VECTORS[centring]


def standardise(
    lattice: FloatArray,
    fractional: FloatArray,
    numbers: Sequence[int] | IntArray,
    precision: float = SYMMETRY_PRECISION,
) -> StandardCell:
    """Return the standard primitive cell of a crystal, idealised with spglib.

    Parameters
    ----------
    lattice : (3, 3) Å
        Vectors as rows.
    fractional : (n_atoms, 3)
    numbers : (n_atoms,)
        Atomic numbers.
    precision
        Å; smaller deviations from symmetry are removed.

    Raises
    ------
    StructureError
        When spglib finds no symmetry, as for coinciding atoms.
    """
    import spglib

    # It writes to standard error about every tolerance that it goes on to reduce.
    os.environ.setdefault("SPGLIB_WARNING", "OFF")
    cell = (np.asarray(lattice).tolist(), np.asarray(fractional).tolist(), np.asarray(numbers).tolist())
    try:
        dataset = spglib.get_symmetry_dataset(cell, symprec=precision)
    except spglib.SpglibError as error:
        raise StructureError(f"spglib finds no symmetry ({error})", "check for coinciding atoms") from None
    if dataset is None:
        raise StructureError("spglib finds no symmetry", "check for coinciding atoms")
    centring = dataset.international[0]
    vectors = _PRIMITIVE_VECTORS[centring]
    # One atom of the conventional cell for each atom of the primitive one; both mappings number those alike.
    primitive_index, kept = np.unique(dataset.std_mapping_to_primitive, return_index=True)
    of_input = {int(primitive): atom for atom, primitive in enumerate(dataset.mapping_to_primitive)}
    input_atoms = [of_input[int(primitive)] for primitive in primitive_index]
    _, first, orbits = np.unique(
        np.asarray(dataset.crystallographic_orbits)[input_atoms], return_index=True, return_inverse=True
    )
    return StandardCell(
        lattice=vectors @ dataset.std_lattice,
        fractional=(dataset.std_positions[kept] @ np.linalg.inv(vectors)) % 1.0,
        numbers=np.asarray(dataset.std_types)[kept].astype(int),
        orbits=orbits.astype(int),
        wyckoffs=tuple(dataset.wyckoffs[input_atoms[atom]] for atom in first),
        space_group=int(dataset.number),
        hall_number=int(dataset.hall_number),
        centring=centring,
    )
