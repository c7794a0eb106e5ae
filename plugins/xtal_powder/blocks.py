"""Cells and their reflections as rectangular arrays on the device that computes.

Cells differ in their numbers of reflections and atoms. Reflections are cut into blocks of equal length, each with all
atoms of its cell, and blocks of cells with similar numbers of atoms are computed together: little is padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xtal_core.cells import CellBatch, IntArray
from xtal_core.pattern import FloatArray
from xtal_powder.reflections import reflections_within

#: Reflections in a block.
LENGTH = 64

#: Atom–reflection pairs computed at once: on processors few enough for temporaries to stay within the cache.
LARGEST_ON_CPU = 150_000
LARGEST_ON_GPU = 20_000_000

#: Reflections enumerated at once.
ENUMERATED = 500_000


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of reflections of some cells.

    Padding atoms have occupancy 0; padding reflections repeat (0, 0, 1) and are not present.

    Attributes
    ----------
    cells : (n_cells,)
        Where the cells stood in the batch they were taken from.
    owner : (n_blocks,)
        Which of `cells` a block belongs to.
    hkl : (n_blocks, n_reflections, 3)
    present : (n_blocks, n_reflections)
        1 for reflections, 0 for padding.
    inverse_lattices : (n_blocks, 3, 3) Å⁻¹
        Columns are a*, b*, c*.
    fractional : (n_blocks, n_atoms, 3)
    elements : (n_blocks, n_elements)
        Atomic numbers, padded with 0.
    membership : (n_blocks, n_atoms, n_elements)
        Occupancy of each atom in the column of its element.
    """

    cells: IntArray
    owner: torch.Tensor
    hkl: torch.Tensor
    present: torch.Tensor
    inverse_lattices: torch.Tensor
    fractional: torch.Tensor
    elements: torch.Tensor
    membership: torch.Tensor

    def reciprocal_vectors(self) -> torch.Tensor:
        """Return (n_blocks, n_reflections, 3) Å⁻¹: g = h a* + k b* + l c*, Cartesian."""
        return self.hkl @ self.inverse_lattices.transpose(1, 2)


def blocks_of(
    cells: CellBatch, g_max: FloatArray, device: torch.device, *, largest: int = LARGEST_ON_CPU, cost_of_cell: int = 0
) -> Iterator[Blocks]:
    """Yield all cells that have reflections with |g| ≤ `g_max` (n_cells,) Å⁻¹, some at a time.

    Atom–reflection pairs yielded at once, plus `cost_of_cell` for each cell, number about `largest`; a single cell may
    exceed it.
    """
    order = np.argsort(cells.counts, kind="stable")
    cells, g_max = cells.select(order), g_max[order]
    columns = _element_columns(cells)
    expected = np.cumsum(cells.volumes * g_max**3) * (2 * np.pi / 3)
    for portion in _runs(expected, ENUMERATED):
        hkl, n_reflections = reflections_within(cells.lattices[portion], g_max[portion])
        ends = np.concatenate([[0], np.cumsum(n_reflections)])
        n_pairs = -(-n_reflections // LENGTH) * LENGTH * cells.counts[portion]
        for part in _runs(np.cumsum(n_pairs + cost_of_cell), largest):
            chosen = slice(portion.start + part.start, portion.start + part.stop)
            if n_reflections[part].any():
                yield _assemble(
                    order[chosen],
                    cells.select(np.arange(chosen.start, chosen.stop)),
                    columns[cells.offsets[chosen.start] : cells.offsets[chosen.stop]],
                    hkl[ends[part.start] : ends[part.stop]],
                    n_reflections[part],
                    device,
                )


def _runs(cumulated: NDArray[Any], largest: int) -> list[slice]:
    """Return consecutive slices over each of which the `cumulated` (n,) cost grows by about `largest`."""
    ends = [*(np.flatnonzero(np.diff(cumulated // largest)) + 1).tolist(), len(cumulated)]
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _element_columns(cells: CellBatch) -> IntArray:
    """Return for each atom the rank of its element among the elements of its cell."""
    cell = np.repeat(np.arange(len(cells)), cells.counts)
    keys, inverse = np.unique(cell * 1000 + cells.numbers, return_inverse=True)
    n_elements = np.bincount(keys // 1000, minlength=len(cells))
    return inverse - (np.cumsum(n_elements) - n_elements)[cell]


def _assemble(
    indices: IntArray,
    cells: CellBatch,
    columns: IntArray,
    hkl: FloatArray,
    n_reflections: IntArray,
    device: torch.device,
) -> Blocks:
    """Return the blocks of `cells`, whose reflections `hkl` follow one another."""
    n_blocks = -(-n_reflections // LENGTH)
    owner = np.repeat(np.arange(len(cells)), n_blocks)
    # A cell's blocks follow one another, too: only at the end of the last one is there padding.
    shift = (np.cumsum(n_blocks) - n_blocks) * LENGTH - (np.cumsum(n_reflections) - n_reflections)
    places = np.arange(len(hkl)) + np.repeat(shift, n_reflections)
    padded_hkl = np.zeros((len(owner) * LENGTH, 3))
    padded_hkl[:, 2] = 1
    padded_hkl[places] = hkl
    present = np.zeros(len(owner) * LENGTH)
    present[places] = 1
    n_atoms, n_elements = int(cells.counts.max()), int(columns.max()) + 1
    cell = np.repeat(np.arange(len(cells)), cells.counts)
    atom = np.arange(len(columns)) - cells.offsets[cell]
    fractional = np.zeros((len(cells), n_atoms, 3))
    fractional[cell, atom] = cells.fractional
    elements = np.zeros((len(cells), n_elements), int)
    elements[cell, columns] = cells.numbers
    membership = np.zeros((len(cells), n_atoms, n_elements))
    membership[cell, atom, columns] = cells.occupancies

    def tensor(values: NDArray[Any]) -> torch.Tensor:
        return torch.as_tensor(values, device=device)

    rows = tensor(owner)
    return Blocks(
        indices,
        rows,
        tensor(padded_hkl).reshape(len(owner), LENGTH, 3),
        tensor(present).reshape(len(owner), LENGTH),
        tensor(np.linalg.inv(cells.lattices))[rows],
        tensor(fractional)[rows],
        tensor(elements)[rows],
        tensor(membership)[rows],
    )
