"""The Bravais lattices: which of each kind is nearest to a lattice, and the strains that leave it one of its kind.

A lattice is of a kind when certain changes of its primitive axes leave its metric tensor as it is. The mean of a metric
over these changes is that of a lattice of the kind, and so with strains.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import numpy as np

from xtal_core.pattern import FloatArray
from xtal_crystalnet.known_cell import parse_cell
from xtal_crystalnet.standard_cell import CENTRINGS, changes_of_axes

#: By crystal system: a conventional cell that happens to have no higher symmetry, and the centrings. Trigonal crystals
#: have P and R, hexagonal ones P.
_KINDS = {
    "cubic": ("5.1 5.1 5.1 90 90 90", "PIF"),
    "hexagonal": ("5.1 5.1 7.9 90 90 120", "P"),
    "trigonal": ("5.1 5.1 7.9 90 90 120", "PR"),
    "tetragonal": ("5.1 5.1 7.9 90 90 90", "PI"),
    "orthorhombic": ("5.1 6.3 7.9 90 90 90", "PCAIF"),
    "monoclinic": ("5.1 6.3 7.9 90 103 90", "PC"),
    "triclinic": ("5.1 6.3 7.9 81 77 69", "P"),
}


@dataclass(frozen=True, eq=False)
class BravaisLattice:
    """One kind of lattice, in the primitive axes of spglib's standard setting.

    Attributes
    ----------
    name
        Crystal system and letter of the centring.
    changes : (n, 3, 3)
        All changes of axes M under which the metric tensor G = A Aᵀ of such a lattice is the same, M G Mᵀ = G.
    """

    name: str
    changes: FloatArray

    def nearest(self, lattice: FloatArray) -> FloatArray:
        """Return the lattice (3, 3) Å of this kind whose metric is the mean of those equivalent to `lattice`'s."""
        metric = self.changes @ (lattice @ lattice.T) @ self.changes.transpose(0, 2, 1)
        return np.linalg.cholesky(metric.mean(0))

    def strains(self, lattice: FloatArray) -> FloatArray:
        """Return (k, 3, 3) orthonormal symmetric strains that leave `lattice` (3, 3) Å one of this kind."""
        rotations = np.linalg.inv(lattice) @ self.changes @ lattice
        rows, columns = np.triu_indices(3)
        units = np.zeros((len(rows), 1, 3, 3))
        units[np.arange(len(rows)), 0, rows, columns] = 1.0
        means = (rotations.transpose(0, 2, 1) @ units @ rotations).mean(1)
        _, values, vectors = np.linalg.svd((means + means.transpose(0, 2, 1)).reshape(len(rows), 9))
        return vectors[: int((values > 1e-6 * values[0]).sum())].reshape(-1, 3, 3)


def bravais_lattices(systems: Collection[str]) -> list[BravaisLattice]:
    """Return the kinds of lattice that crystals of `systems` may have, each once, the most symmetric first."""
    found: dict[str, BravaisLattice] = {}
    for system, (_, centrings) in _KINDS.items():
        if system in systems:
            for letter in centrings:
                name = _name(system, letter)
                found[name] = _kind(name, system, letter)
    return list(found.values())


def _name(system: str, letter: str) -> str:
    # The primitive lattice of trigonal crystals is the hexagonal one.
    return "hexagonal P" if (system, letter) == ("trigonal", "P") else f"{system} {letter}"


@cache
def _kind(name: str, system: str, letter: str) -> BravaisLattice:
    example = np.array(CENTRINGS.get(letter, np.eye(3))).T @ parse_cell(_KINDS[system][0])
    return BravaisLattice(name, changes_of_axes(example))
