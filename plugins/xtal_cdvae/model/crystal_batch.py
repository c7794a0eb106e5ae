"""Crystals as tensors, the atoms of all one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from xtal_core.cells import CellBatch
    from xtal_core.training_set import TrainingSet


@dataclass(frozen=True, eq=False)
class CrystalBatch:
    """Several crystals with any number of atoms each.

    Attributes
    ----------
    atomic_numbers : (n_atoms.sum(),) int64
    frac_coords : (n_atoms.sum(), 3)
        Fractional coordinates, in any cell.
    lattice : (n, 3, 3) Å
        Lattice vectors as rows.
    n_atoms : (n,) int64
    """

    atomic_numbers: Tensor
    frac_coords: Tensor
    lattice: Tensor
    n_atoms: Tensor

    @classmethod
    def from_training_set(cls, data: TrainingSet, indices: ArrayLike) -> CrystalBatch:
        """Return the crystals of `data` at `indices` (n,), in that order."""
        chosen = data.subset(indices)
        return cls(
            torch.from_numpy(chosen.atomic_numbers.astype(np.int64)),
            torch.from_numpy(np.ascontiguousarray(chosen.frac_coords)),
            torch.from_numpy(np.ascontiguousarray(chosen.lattice)),
            torch.from_numpy(chosen.n_atoms.astype(np.int64)),
        )

    @classmethod
    def from_cells(cls, cells: CellBatch) -> CrystalBatch:
        """Return ordered `cells` in single precision."""
        return cls(
            torch.from_numpy(cells.numbers.astype(np.int64)),
            torch.from_numpy(cells.fractional.astype(np.float32)),
            torch.from_numpy(cells.lattices.astype(np.float32)),
            torch.from_numpy(np.diff(cells.offsets).astype(np.int64)),
        )

    def __len__(self) -> int:
        return len(self.n_atoms)

    @property
    def owner(self) -> Tensor:
        """(n_atoms.sum(),) int64, the crystal that each atom belongs to."""
        return atom_owner(self.n_atoms)

    def to(self, device: torch.device | str) -> CrystalBatch:
        """Return the crystals on `device`."""
        return CrystalBatch(
            self.atomic_numbers.to(device),
            self.frac_coords.to(device),
            self.lattice.to(device),
            self.n_atoms.to(device),
        )

    def with_coordinates(self, frac_coords: Tensor) -> CrystalBatch:
        """Return the crystals with their atoms at `frac_coords` (n_atoms.sum(), 3)."""
        return replace(self, frac_coords=frac_coords)


def atom_owner(n_atoms: Tensor) -> Tensor:
    """Return (n_atoms.sum(),) the crystal of each atom, when crystals have `n_atoms` (n,) atoms."""
    return torch.repeat_interleave(torch.arange(len(n_atoms), device=n_atoms.device), n_atoms)


def crystal_means(values: Tensor, n_atoms: Tensor) -> Tensor:
    """Return the (n, …) means of `values` (n_atoms.sum(), …) over the atoms of each crystal."""
    sums = values.new_zeros(len(n_atoms), *values.shape[1:]).index_add_(0, atom_owner(n_atoms), values)
    return sums / n_atoms.reshape(-1, *[1] * (values.dim() - 1))
