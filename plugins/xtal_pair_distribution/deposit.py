"""Points put on a grid so that sums of smooth functions over the points become sums over the grid."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xtal_core.pattern import FloatArray

#: Grid points along r that share a point: interpolation by polynomials of one degree less.
POINTS_R = 6

#: The same between levels.
POINTS_LEVEL = 4


class Deposit:
    """A grid of levels and distances on which weighted points are put.

    The weight of a point is shared by the grid points around it as Lagrange's polynomials at them say, so that for a
    function f the sum of weight · f(point) equals the sum of grid · f(grid point) as exactly as polynomials interpolate
    f. These shares are polynomials of the point's offset t from the grid: they follow from sums of weight · tᵖ over the
    points of each interval of the grid, and these moments are all that is kept of the points.

    Parameters
    ----------
    n_levels, n
        Size of the grid.
    between_levels
        Whether points lie between levels, and are shared along that axis, too, or on them.
    """

    def __init__(self, n_levels: int, n: int, *, between_levels: bool) -> None:
        self._shape = (n_levels, n)
        self._moments = np.zeros((POINTS_LEVEL if between_levels else 1, POINTS_R, n_levels * n))

    def add(self, position: FloatArray, level: FloatArray | NDArray[np.int64], weights: FloatArray) -> None:
        """Put points of `weights` (m,) on the grid.

        `position` (m,) is where along r in steps of the grid, from 2 to below n − 3; `level` (m,) is a whole
        number, or a real one from 1 to below n_levels − 2 if points lie between levels.
        """
        whole = position.astype(np.int64)
        offset = position - whole
        if len(self._moments) == 1:
            index = whole + level.astype(np.int64, copy=False) * self._shape[1] if self._shape[0] > 1 else whole
            self._add_moments(self._moments[0], offset, index, weights)
            return
        below = level.astype(np.int64)
        between = level - below
        index = whole + below * self._shape[1]
        for moments in self._moments:
            self._add_moments(moments, offset, index, weights)
            weights = weights * between

    @staticmethod
    def _add_moments(moments: FloatArray, offset: FloatArray, index: NDArray[np.int64], weights: FloatArray) -> None:
        """Add weights · offsetᵖ of the points of each `index` to row p of `moments`."""
        for power, moment in enumerate(moments):
            weights = weights * offset if power else weights
            moment += np.bincount(index, weights, minlength=len(moment))

    def grid(self) -> FloatArray:
        """Return the (n_levels, n) grid."""
        shared = np.array([_share(moments) for moments in self._moments]).reshape(-1, *self._shape)
        return _share(shared) if len(shared) > 1 else shared[0]


def _share(moments: FloatArray) -> FloatArray:
    """Return the grid (n, …) that `moments` (points, n, …) along its first axis stand for."""
    points = len(moments)
    grid = np.zeros(moments.shape[1:])
    for shift, share in enumerate(np.tensordot(_lagrange(points), moments, axes=(0, 0)), start=1 - points // 2):
        if shift < 0:
            grid[:shift] += share[-shift:]
        else:
            grid[shift:] += share[: len(grid) - shift]
    return grid


@lru_cache(maxsize=2)
def _lagrange(points: int) -> FloatArray:
    """Return (power, point) coefficients of Lagrange's polynomials on `points` whole numbers around 0 to 1."""
    nodes = np.arange(points) + 1.0 - points // 2
    return np.linalg.inv(np.vander(nodes, increasing=True)).astype(float, copy=False)
