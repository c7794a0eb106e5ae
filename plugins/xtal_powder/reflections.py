"""Which reflections a lattice has within a sphere of reciprocal space, padded into batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xtal_core.cells import CellBatch, IntArray
from xtal_core.pattern import FloatArray


@lru_cache(maxsize=4096)
def _half_box(h_max: int, k_max: int, l_max: int) -> tuple[FloatArray, FloatArray]:
    """Return the indices (n, 3) of one Friedel half of a box and the (6, n) monomials hh, kk, ll, kl, hl, hk."""
    axes = [np.arange(-n, n + 1) for n in (h_max, k_max, l_max)]
    hkl = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(float)
    # In this order the second half of the box, after the origin, is the Friedel mate of the first.
    hkl = hkl[len(hkl) // 2 + 1 :]
    h, k, l = hkl.T  # noqa: E741
    return hkl, np.stack([h * h, k * k, l * l, k * l, h * l, h * k])


def reflections_within(lattices: FloatArray, g_max: FloatArray) -> list[FloatArray]:
    """Return for each lattice (n, 3, 3) Å the (n_reflections, 3) Miller indices with 0 < |g| ≤ g_max (n,) Å⁻¹.

    One of each Friedel pair, g = 1/d. Raises nothing: an empty sphere is an empty array.
    """
    reciprocal = np.linalg.inv(lattices)  # columns are a*, b*, c*
    metric = np.einsum("nxi,nxj->nij", reciprocal, reciprocal)
    monomial_weights = np.stack(
        [metric[:, 0, 0], metric[:, 1, 1], metric[:, 2, 2], *(2 * metric[:, i, j] for i, j in ((1, 2), (0, 2), (0, 1)))],
        axis=1,
    )
    bounds = np.floor(np.linalg.norm(lattices, axis=2) * g_max[:, None] + 1e-9).astype(int)
    squares = g_max**2
    found = []
    for weights, bound, square in zip(monomial_weights, bounds.tolist(), squares.tolist(), strict=True):
        hkl, monomials = _half_box(*bound)
        found.append(hkl[np.flatnonzero(weights @ monomials <= square)])
    return found


@dataclass(frozen=True, eq=False)
class PaddedCells:
    """Cells and their reflections, padded to rectangular arrays.

    Padding atoms have occupancy 0; padding reflections are masked.

    Attributes
    ----------
    indices : (n_cells,)
        Where the cells stood in the batch they were taken from.
    hkl : (n_cells, n_reflections, 3)
    mask : (n_cells, n_reflections)
        1 for real reflections, 0 for padding.
    fractional : (n_cells, n_atoms, 3)
    elements : (n_cells, n_elements)
        Atomic numbers, padded with 0.
    membership : (n_cells, n_atoms, n_elements)
        Occupancy of each atom in the column of its element.
    """

    indices: IntArray
    lattices: FloatArray
    hkl: FloatArray
    mask: FloatArray
    fractional: FloatArray
    elements: IntArray
    membership: FloatArray


def padded_batches(cells: CellBatch, g_max: FloatArray, largest: int) -> list[PaddedCells]:
    """Return all cells in padded batches of similar size, each with at most `largest` atom–reflection pairs."""
    hkls = reflections_within(cells.lattices, g_max)
    counts = cells.counts
    sizes = np.array([len(hkl) for hkl in hkls]) * counts
    batches: list[list[int]] = []
    current: list[int] = []
    n_reflections = n_atoms = 0
    for index in np.argsort(sizes, kind="stable").tolist():
        r, a = max(n_reflections, len(hkls[index])), max(n_atoms, int(counts[index]))
        if current and r * a * (len(current) + 1) > largest:
            batches.append(current)
            current, r, a = [], len(hkls[index]), int(counts[index])
        current.append(index)
        n_reflections, n_atoms = r, a
    if current:
        batches.append(current)
    return [_pad(cells, hkls, batch) for batch in batches]


def _pad(cells: CellBatch, hkls: list[FloatArray], chosen: list[int]) -> PaddedCells:
    counts = cells.counts[chosen]
    n_reflections = max(1, *(len(hkls[index]) for index in chosen)) if len(chosen) > 1 else max(1, len(hkls[chosen[0]]))
    n_atoms = int(counts.max(initial=1))
    distinct = [np.unique(cells.numbers[cells.atoms(index)], return_inverse=True) for index in chosen]
    n_elements = max(1, max(len(numbers) for numbers, _ in distinct))
    hkl = np.zeros((len(chosen), n_reflections, 3))
    # Padding reflections sit at hkl = (1, 0, 0): a valid place where nothing divides by zero.
    hkl[:, :, 0] = 1
    mask: NDArray[np.float64] = np.zeros((len(chosen), n_reflections))
    fractional = np.zeros((len(chosen), n_atoms, 3))
    elements = np.zeros((len(chosen), n_elements), int)
    membership = np.zeros((len(chosen), n_atoms, n_elements))
    for row, (index, (numbers, column)) in enumerate(zip(chosen, distinct, strict=True)):
        atoms = cells.atoms(index)
        n = len(column)
        hkl[row, : len(hkls[index])] = hkls[index]
        mask[row, : len(hkls[index])] = 1
        fractional[row, :n] = cells.fractional[atoms]
        elements[row, : len(numbers)] = numbers
        membership[row, np.arange(n), column] = cells.occupancies[atoms]
    return PaddedCells(np.array(chosen), cells.lattices[chosen], hkl, mask, fractional, elements, membership)
