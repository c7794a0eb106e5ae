"""Electron densities of crystals: as maps over one unit cell, and at any point of it.

The density of a crystal is here that of independent atoms: the sum over all atoms and their periodic images, each as
`atomic_densities` has it. A map whose lattice is left aside is the Cartesian mapped electron density (CMED) of Guo et
al., "Towards end-to-end structure solutions from information-compromised diffraction data via generative deep learning"
(2023), section "Charge Density"; with its lattice the same array is the density as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xtal_core.cells import CellBatch, IntArray
from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray
from xtal_crystalnet.atomic_densities import B_ISO, RadialTable, check_tabulated, radial_table

#: Points along each axis of a map, as in the paper.
SHAPE = (50, 50, 50)

#: Å: the longest edge of a voxel whose value is the density at its point. The sum over such points misses less than
#: 0.4 % of the electrons of any element: what it sees of reflections with 1/d = 1/edge, six on a cubic grid, is
#: f(s)/Z ≤ 0.25 times exp(−B/(4 edge²)) = 0.17 %.
LONGEST_EDGE = 0.28 * math.sqrt(B_ISO / 2.0)

#: Pairs of a point and an atom looked at together: what fits a processor's cache.
_PAIRS_AT_ONCE = 1 << 15


@dataclass(frozen=True, eq=False)
class DensityMap:
    """A density on a grid over one unit cell.

    Attributes
    ----------
    values : (n1, n2, n3) e⁻/Å³
        Element [i, j, k] is for the fractional coordinates (i/n1, j/n2, k/n3).
    lattice : (3, 3) Å
        Lattice vectors as rows; None when they are unknown.
    """

    values: FloatArray
    lattice: FloatArray | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Points along each axis."""
        n1, n2, n3 = self.values.shape
        return n1, n2, n3

    @property
    def volume(self) -> float:
        """Å³ of the unit cell. Raises InputError without a lattice."""
        if self.lattice is None:
            raise InputError("this density has no lattice", "give the lattice vectors of the crystal with it")
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def n_electrons(self) -> float:
        """Electrons in the unit cell. Raises InputError without a lattice."""
        return float(self.values.mean()) * self.volume

    def at(self, points: ArrayLike) -> FloatArray:
        """Return the (m,) e⁻/Å³ at (m, 3) fractional coordinates, by periodic cubic splines through all values."""
        from scipy.ndimage import map_coordinates

        coordinates = np.asarray(points, float).reshape(-1, 3) % 1 * self.shape
        return map_coordinates(self.values, coordinates.T, order=3, mode="grid-wrap")

    def resampled(self, shape: tuple[int, int, int] = SHAPE) -> DensityMap:
        """Return the map on a grid of `shape`, by Fourier interpolation.

        Exact when the density has no waves shorter than two steps of either grid. A coarser grid leaves out those that
        it cannot hold, which keeps the number of electrons but may make values around sharp maxima negative.
        """
        values = self.values
        for axis, n in enumerate(shape):
            values = _resampled_along(axis, values, n)
        return DensityMap(values, self.lattice)


def electron_density(cells: CellBatch, index: int = 0, shape: tuple[int, int, int] = SHAPE) -> DensityMap:
    """Return the density of the independent atoms of cell `index`, on a grid of `shape`.

    Values are the density at the points of the grid as long as no edge of a voxel is longer than `LONGEST_EDGE`: 14 Å
    for a cell of 50 points. Points farther apart could miss atoms or count them twice; along such an axis a value is
    the mean over its voxel, centred on the point, of an odd number of points that are close enough. The integral is
    that of the atoms within 0.5 % either way.

    Raises InputError for an element whose density is not known.
    """
    atoms, lattice = cells.atoms(index), cells.lattices[index]
    numbers = cells.numbers[atoms]
    check_tabulated(numbers)
    edges = np.linalg.norm(lattice, axis=1) / shape
    finer = 2 * np.ceil((edges / LONGEST_EDGE - 1) / 2).astype(int) + 1
    grid = finer * shape
    values = np.zeros(grid)
    table = radial_table()
    for position, number, occupancy in zip(cells.fractional[atoms], numbers, cells.occupancies[atoms], strict=True):
        _add_atom(values, lattice, position, int(number), float(occupancy), table)
    for axis, n in enumerate(finer):
        if n > 1:
            around = np.roll(values, n // 2, axis=axis)
            values = around.reshape(*around.shape[:axis], shape[axis], n, *around.shape[axis + 1 :]).mean(axis=axis + 1)
    return DensityMap(values, lattice)


def density_at(
    lattice: FloatArray, fractional: FloatArray, numbers: IntArray, occupancies: FloatArray, points: FloatArray
) -> FloatArray:
    """Return the (m,) e⁻/Å³ of independent atoms at `points`, (m, 3) fractional coordinates.

    `lattice` (3, 3) Å has lattice vectors as rows; `fractional` (n, 3), `numbers` (n,) and `occupancies` (n,) are the
    atoms, as in a CellBatch. Raises InputError for an element whose density is not known.
    """
    check_tabulated(numbers)
    table = radial_table()
    found = np.zeros(len(points))
    for point, atom, squared in pairs_within(lattice, fractional, table.cutoffs[numbers], points):
        found += np.bincount(point, occupancies[atom] * table.at(numbers[atom], squared), minlength=len(found))
    return found


def pairs_within(
    lattice: FloatArray, fractional: FloatArray, cutoffs: FloatArray, points: FloatArray
) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """Yield (k,) rows of `points` (m, 3), (k,) rows of `fractional` (n, 3), and (k,) Å² the squared distances.

    All pairs of a point and an atom or image of one that is nearer than that atom's of the `cutoffs` (n,) Å, in parts.
    """
    images, atoms = _images(lattice, fractional, cutoffs)
    if not len(images):
        return
    squared_cutoffs = cutoffs[atoms] ** 2
    # |p − q|² as one matrix product: (p, |p|², 1) · (−2q, 1, |q|²).
    places = points % 1 @ lattice
    left = np.column_stack([places, np.square(places).sum(axis=1), np.ones(len(places))])
    right = np.vstack([-2 * images.T, np.ones(len(images)), np.square(images).sum(axis=1)])
    n_at_once = max(1, _PAIRS_AT_ONCE // len(images))
    for start in range(0, len(points), n_at_once):
        squared = left[start : start + n_at_once] @ right
        near = np.flatnonzero(squared < squared_cutoffs)
        point, image = np.divmod(near, len(images))
        yield point + start, atoms[image], squared.reshape(-1)[near]


def _resampled_along(axis: int, values: FloatArray, n: int) -> FloatArray:
    """Return `values` on `n` points along `axis`, by Fourier interpolation."""
    present = values.shape[axis]
    if n == present:
        return values
    waves = np.moveaxis(np.fft.rfft(values, axis=axis), axis, 0)
    coarser = min(n, present)
    if coarser % 2 == 0:
        # Two steps of an even grid: one wave there, a pair of opposite ones on the other grid.
        waves[coarser // 2] *= 0.5 if n > present else 2.0
    return np.fft.irfft(np.moveaxis(waves, 0, axis), n, axis=axis) * (n / present)


def _add_atom(
    values: FloatArray, lattice: FloatArray, position: FloatArray, number: int, occupancy: float, table: RadialTable
) -> None:
    """Add the density of an atom at the fractional coordinates `position`, and of its images, to the grid `values`.

    The sphere of the atom's cutoff radius may be larger than the cell: what lies outside belongs to images of the atom,
    and is added where they are inside. In an oblique cell a box around the sphere would mostly be empty; rows of points
    along the last axis that meet the sphere are few, and together little more than the sphere.
    """
    cutoff, shape = table.cutoffs[number], np.array(values.shape)
    reach = cutoff * np.linalg.norm(np.linalg.inv(lattice), axis=0)
    first = np.ceil((position - reach) * shape).astype(int)
    last = np.floor((position + reach) * shape).astype(int)
    i, j = np.meshgrid(np.arange(first[0], last[0] + 1), np.arange(first[1], last[1] + 1), indexing="ij", sparse=True)
    x, y = i / shape[0] - position[0], j / shape[1] - position[1]
    metric = lattice @ lattice.T
    # Every row passes the atom at its point `nearest`, in fractional coordinates, at the distance √`beside`.
    nearest = (metric[0, 2] * x + metric[1, 2] * y) / -metric[2, 2]
    beside = metric[0, 0] * x**2 + 2 * metric[0, 1] * x * y + metric[1, 1] * y**2 - metric[2, 2] * nearest**2
    rows = np.nonzero(beside < cutoff**2)
    nearest, beside = nearest[rows][:, None], beside[rows][:, None]
    half = cutoff / math.sqrt(metric[2, 2])
    first_k = np.ceil((position[2] + nearest - half) * shape[2]).astype(int)
    along = np.arange(int(2 * half * shape[2]) + 1)
    starts = ((i % shape[0]) * shape[1] + j % shape[1])[rows][:, None] * shape[2]
    n_at_once = max(1, _PAIRS_AT_ONCE // len(along))
    for some in (slice(start, start + n_at_once) for start in range(0, len(starts), n_at_once)):
        k = first_k[some] + along
        squared = beside[some] + metric[2, 2] * (k / shape[2] - position[2] - nearest[some]) ** 2
        near = np.flatnonzero(squared < cutoff**2)
        places = (starts[some] + k % shape[2]).reshape(-1)[near]
        np.add.at(values.reshape(-1), places, occupancy * table.at(number, squared.reshape(-1)[near]))


def _images(lattice: FloatArray, fractional: FloatArray, cutoffs: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the (k, 3) Å of atoms and images that reach into the cell, and the (k,) rows of `fractional` they are of.

    `cutoffs` (n,) Å is how far each atom reaches; it is compared with the distances from the faces of the cell.
    """
    reach = cutoffs[:, None] * np.linalg.norm(np.linalg.inv(lattice), axis=0)
    n1, n2, n3 = np.ceil(reach.max(axis=0, initial=0.0)).astype(int)
    shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in (n1, n2, n3)), indexing="ij"), axis=-1).reshape(-1, 3)
    moved = fractional[:, None] % 1 + shifts
    atoms, chosen = np.nonzero(((moved > -reach[:, None]) & (moved < 1 + reach[:, None])).all(axis=-1))
    return moved[atoms, chosen] @ lattice, atoms
