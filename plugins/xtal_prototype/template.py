"""A known structure type as the search uses it: a symmetrised cell whose elements are to be replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from math import gcd

import numpy as np
from numpy.typing import NDArray

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray


def anonymous_key(amounts: Iterable[int]) -> str:
    """Return the reduced composition without its elements, amounts ascending: "A1B1C3" for a perovskite."""
    ordered = sorted(amounts)
    divisor = reduce(gcd, ordered)
    return "".join(f"{_letters(rank)}{amount // divisor}" for rank, amount in enumerate(ordered))


def anonymous_key_of_atoms(numbers: Iterable[int] | NDArray[np.integer]) -> str:
    """Return `anonymous_key` of a cell given by its atomic numbers."""
    return anonymous_key(Counter(int(number) for number in numbers).values())


@dataclass(frozen=True, eq=False)
class Template:
    """A structure type, given by one of its members or by the aggregate of many.

    Attributes
    ----------
    label
        Protostructure label: anonymous formula, Pearson symbol, space group number, Wyckoff letters of each species.
    source
        Where it comes from, e.g. "library mp-1234", "prototype table", "AFLOW".
    anonymous
        `anonymous_key` of its composition.
    lattice : (3, 3) Å
        Vectors of the standard primitive cell as rows, symmetrised.
    fractional : (n_atoms, 3)
        Fractional coordinates in that cell, symmetrised.
    numbers : (n_atoms,)
        Atomic numbers; in an aggregate, a typical element of each species.
    orbits : (n_atoms,)
        Index, from 0, of the set of symmetry-equivalent atoms that each atom belongs to.
    space_group
        International number.
    z_primitive, z_conventional
        Formula units in the primitive and in the conventional standard cell.
    n_members
        How many known structures are of this type.
    weight
        `n_members` as a fraction of all known structures of the same anonymous composition.
    site_species
        For each orbit, how many members have which atomic number there; None for a single structure.
    """

    label: str
    source: str
    anonymous: str
    lattice: FloatArray
    fractional: FloatArray
    numbers: IntArray
    orbits: IntArray
    space_group: int
    z_primitive: int
    z_conventional: int
    n_members: int
    weight: float
    site_species: tuple[Mapping[int, int], ...] | None = None

    @property
    def n_atoms(self) -> int:
        """Atoms in the primitive cell."""
        return len(self.numbers)

    @property
    def n_orbits(self) -> int:
        """Sets of symmetry-equivalent atoms."""
        return int(self.orbits.max()) + 1

    @property
    def volume(self) -> float:
        """Volume of the primitive cell in Å³."""
        return float(abs(np.linalg.det(self.lattice)))

    @cached_property
    def amounts(self) -> dict[int, int]:
        """How many atoms of each atomic number one formula unit holds."""
        return {number: count // self.z_primitive for number, count in Counter(self.numbers.tolist()).items()}

    def is_of(self, amounts: Mapping[int, int]) -> bool:
        """Return whether this is one structure, not an aggregate, of a formula with these `amounts`."""
        return self.site_species is None and self.amounts == amounts


def _letters(rank: int) -> str:
    """Return A, B, … Z, AA, AB, … for rank 0, 1, …."""
    text = ""
    rank += 1
    while rank:
        rank, digit = divmod(rank - 1, 26)
        text = chr(ord("A") + digit) + text
    return text
