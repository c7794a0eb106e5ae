"""Unit cells as flat arrays: what simulators and refiners compute with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

if TYPE_CHECKING:
    from pymatgen.core import Structure

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CellBatch:
    """Several unit cells of different sizes, their atoms one after the other.

    Attributes
    ----------
    lattices : (n_cells, 3, 3) Å
        Lattice vectors as rows.
    offsets : (n_cells + 1,)
        Atoms of cell i are rows `offsets[i]:offsets[i + 1]` of the arrays below.
    fractional : (n_atoms, 3)
        Fractional coordinates.
    numbers : (n_atoms,)
        Atomic numbers.
    occupancies : (n_atoms,)
        Site occupancies; a disordered site is as many atoms as it has species.
    """

    lattices: FloatArray
    offsets: IntArray
    fractional: FloatArray
    numbers: IntArray
    occupancies: FloatArray

    @classmethod
    def from_cells(cls, cells: Iterable[tuple[FloatArray, FloatArray, Sequence[int] | IntArray]]) -> CellBatch:
        """Return ordered cells given as (lattice (3, 3) Å, fractional (n, 3), atomic numbers (n,))."""
        parts = [(np.asarray(a, float), np.asarray(b, float).reshape(-1, 3), np.asarray(c, int)) for a, b, c in cells]
        counts = [len(fractional) for _, fractional, _ in parts]
        return cls(
            lattices=np.array([lattice for lattice, _, _ in parts]).reshape(-1, 3, 3),
            offsets=np.concatenate([[0], np.cumsum(counts, dtype=int)]),
            fractional=np.concatenate([np.empty((0, 3)), *(fractional for _, fractional, _ in parts)]),
            numbers=np.concatenate([np.empty(0, int), *(numbers for _, _, numbers in parts)]),
            occupancies=np.ones(sum(counts)),
        )

    @classmethod
    def from_structures(cls, structures: Sequence[Structure]) -> CellBatch:
        """Return the cells of pymatgen structures, partial occupancies kept.

        Raises StructureError when a site holds something that is not an element.
        """
        from pymatgen.core import DummySpecies

        offsets, fractional, numbers, occupancies = [0], [], [], []
        for structure in structures:
            for site in structure:
                for species, occupancy in site.species.items():
                    # A dummy species has a Z, too: a hash of its name.
                    if isinstance(species, DummySpecies):
                        raise StructureError(
                            f"{structure.composition.formula}: site {site.label} holds {species}, not an element",
                            "replace it by an element",
                        )
                    fractional.append(site.frac_coords)
                    numbers.append(species.Z)
                    occupancies.append(float(occupancy))
            offsets.append(len(numbers))
        return cls(
            lattices=np.array([structure.lattice.matrix for structure in structures], float).reshape(-1, 3, 3),
            offsets=np.array(offsets),
            fractional=np.array(fractional, float).reshape(-1, 3),
            numbers=np.array(numbers, int),
            occupancies=np.array(occupancies, float),
        )

    @classmethod
    def join(cls, parts: Sequence[CellBatch]) -> CellBatch:
        """Return the cells of all `parts`, which are at least one, in order."""
        counts = np.concatenate([part.counts for part in parts])
        return cls(
            lattices=np.concatenate([part.lattices for part in parts]),
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            fractional=np.concatenate([part.fractional for part in parts]),
            numbers=np.concatenate([part.numbers for part in parts]),
            occupancies=np.concatenate([part.occupancies for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.lattices)

    @property
    def counts(self) -> IntArray:
        """(n_cells,) atoms in each cell."""
        return np.diff(self.offsets)

    @property
    def volumes(self) -> FloatArray:
        """(n_cells,) Å³."""
        return np.abs(np.linalg.det(self.lattices))

    def atoms(self, index: int) -> slice:
        """Return the rows of the atoms of cell `index`."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def select(self, indices: Sequence[int] | IntArray) -> CellBatch:
        """Return the cells at `indices`, in that order."""
        chosen = np.asarray(indices, int)
        counts = self.counts[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        starts = np.repeat(self.offsets[chosen] - offsets[:-1], counts)
        rows = starts + np.arange(offsets[-1])
        return CellBatch(
            self.lattices[chosen], offsets, self.fractional[rows], self.numbers[rows], self.occupancies[rows]
        )
