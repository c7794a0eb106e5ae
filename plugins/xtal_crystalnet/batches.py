"""Batches of crystals for training: sticks, compositions, and densities at points drawn anew every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from xtal_core.pattern import FloatArray
from xtal_core.training_set import TrainingSet
from xtal_crystalnet.density_folder import DensityFolder
from xtal_crystalnet.points import Density, draw
from xtal_crystalnet.standard_cell import StandardCell, standard_cell


class Batch(NamedTuple):
    """Some crystals in their standard cells.

    Attributes
    ----------
    sticks : (n, `N_BINS`)
    composition : (n, n_species)
        Atomic fractions, by atomic number from 1.
    lattice : (n, 3, 3) Å
    points : (n, n_points, 3)
        Fractional coordinates.
    density : (n, n_points) e⁻/Å³
    weights : (n, n_points)
        What each point counts in a mean over the cell.
    """

    sticks: Tensor
    composition: Tensor
    lattice: Tensor
    points: Tensor
    density: Tensor
    weights: Tensor


class Collate:
    """Makes a batch of the crystals with certain indices; a class, so that worker processes can be sent it.

    `seed` is where the points of every batch start; None draws others each time. Densities are those of the files in
    `densities`, without a folder those of independent atoms.
    """

    def __init__(
        self,
        data: TrainingSet,
        n_species: int,
        strata: int,
        near_atoms: int,
        seed: int | None,
        densities: DensityFolder | None = None,
    ) -> None:
        self.data, self.n_species = data, n_species
        self.strata, self.near_atoms = strata, near_atoms
        self.seed = seed
        self.densities = densities
        self._cells: dict[int, StandardCell] = {}

    def __call__(self, indices: Sequence[int]) -> Batch:
        """Return the batch of the crystals at `indices`."""
        # torch's seed is that of the run and the worker, and goes on with every batch.
        start = int(torch.randint(2**62, ())) if self.seed is None else [self.seed, *indices]
        random = np.random.default_rng(start)
        crystals = [self.crystal(index) for index in indices]
        cells = [cell for cell, _ in crystals]
        drawn = [draw(cell, self.strata, self.near_atoms, random, density) for cell, density in crystals]
        counts = [np.bincount(cell.numbers, minlength=self.n_species + 1)[1:] / len(cell.numbers) for cell in cells]
        return Batch(
            torch.from_numpy(self.data.sticks(indices)),
            _stacked(counts),
            _stacked([cell.lattice for cell in cells]),
            _stacked([each.points for each in drawn]),
            _stacked([each.density for each in drawn]),
            _stacked([each.weights for each in drawn]),
        )

    def crystal(self, index: int) -> tuple[StandardCell, Density | None]:
        """Return the crystal at `index` in its standard cell, and its density if that is not of independent atoms."""
        data = self.data
        if self.densities is not None:
            atoms = slice(data.atom_offsets[index], data.atom_offsets[index + 1])
            volume = abs(float(np.linalg.det(data.lattice[index])))
            found = self.densities.density(data.names[index], data.atomic_numbers[atoms], volume)
            return found.cell, found.at
        if index not in self._cells:
            self._cells[index] = cell_of(data, index)
        return self._cells[index], None


def cell_of(data: TrainingSet, index: int) -> StandardCell:
    """Return crystal `index` of `data` in its standard cell. Raises StructureError when it has no symmetry."""
    atoms = slice(data.atom_offsets[index], data.atom_offsets[index + 1])
    return standard_cell(
        data.lattice[index].astype(float), data.frac_coords[atoms].astype(float), data.atomic_numbers[atoms].astype(int)
    )


def _stacked(arrays: Sequence[FloatArray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).float()
