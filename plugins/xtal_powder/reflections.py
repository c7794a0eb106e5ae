"""Which reflections lattices have within a sphere of reciprocal space."""

from __future__ import annotations

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray


def reflections_within(lattices: FloatArray, g_max: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the Miller indices with 0 < |g| ≤ `g_max`, one of each Friedel pair, for many lattices at once.

    `lattices` is (n, 3, 3) Å with positive volumes, `g_max` (n,) Å⁻¹, g = 1/d. The indices (n_reflections, 3) of one
    lattice follow those of another; the (n,) numbers of reflections say where one ends. A reflection less than 1e-9 of
    `g_max` outside the sphere counts as inside.

    |g|² is a sum of three squares, (r₁₁h)² + (r₂₂k + r₂₁h)² + (r₃₃l + r₃₂k + r₃₁h)², so that h, then k, then l run over
    intervals known beforehand (Fincke and Pohst, Math. Comput. 44, 463 (1985)): no reflection outside is looked at.
    """
    reciprocal = np.linalg.inv(lattices)  # columns are a*, b*, c*
    metric = np.swapaxes(reciprocal, 1, 2) @ reciprocal
    # The factor of the metric in reverse order of axes has the index that is bounded first, h, in its last row.
    (r33, _, _), (r32, r22, _), (r31, r21, r11) = np.linalg.cholesky(metric[:, ::-1, ::-1]).transpose(1, 2, 0)
    square = (g_max * (1 + 1e-9)) ** 2
    none = np.zeros(len(lattices))
    lattice, h = _integers_in(none, np.floor(np.sqrt(square) / r11))
    rest = square[lattice] - (r11[lattice] * h) ** 2
    centre, half = -r21[lattice] * h, np.sqrt(np.maximum(rest, 0))
    low = np.ceil((centre - half) / r22[lattice])
    low[h == 0] = 0
    row, k = _integers_in(low, np.floor((centre + half) / r22[lattice]))
    lattice, h = lattice[row], h[row]
    rest = rest[row] - (r22[lattice] * k + r21[lattice] * h) ** 2
    centre, half = -r32[lattice] * k - r31[lattice] * h, np.sqrt(np.maximum(rest, 0))
    low = np.ceil((centre - half) / r33[lattice])
    low[(h == 0) & (k == 0)] = 1
    row, l = _integers_in(low, np.floor((centre + half) / r33[lattice]))  # noqa: E741
    hkl = np.stack([h[row], k[row], l], axis=1)
    return hkl, np.bincount(lattice[row], minlength=len(lattices))


def _integers_in(lowest: FloatArray, highest: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return all whole numbers of the intervals from `lowest` to `highest` and which interval each is from."""
    counts = np.maximum(highest - lowest + 1, 0).astype(np.int64)
    interval = np.repeat(np.arange(len(counts)), counts)
    firsts = np.cumsum(counts) - counts
    return interval, np.arange(len(interval)) + np.repeat(lowest - firsts, counts)
