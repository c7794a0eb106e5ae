"""Maxima of a periodic map, and those of them that can be atoms at once."""

from __future__ import annotations

from functools import cache

import gemmi
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray

#: No two atoms are closer, in the sum of their covalent radii: bonds in crystals are longer than 0.74 of it. What is
#: left between is for errors of predicted positions.
CLOSEST_CONTACT = 0.62


def maxima(values: FloatArray) -> IntArray:
    """Return the (n, 3) indices of the points of a map that are positive and below none of their 26 neighbours.

    The highest come first. Opposite faces of the map are neighbours.
    """
    peaks = np.argwhere((values > 0) & (maximum_filter(values, 3, mode="wrap") == values))
    return peaks[np.argsort(-values[tuple(peaks.T)], kind="stable")]


def vertices(values: FloatArray, peaks: IntArray) -> FloatArray:
    """Return the (n, 3) fractional coordinates of maxima between the points of a map.

    Along each axis, the vertex of the parabola through the point in `peaks` (n, 3) and its two neighbours.
    """
    shape = np.array(values.shape)
    top = values[tuple(peaks.T)]
    shifts = np.zeros(peaks.shape)
    for axis, step in enumerate(np.eye(3, dtype=int)):
        below, above = (values[tuple(((peaks + sign * step) % shape).T)] for sign in (-1, 1))
        curvature = 2 * top - below - above
        rises = curvature > 0
        shifts[rises, axis] = 0.5 * (above - below)[rises] / curvature[rises]
    return (peaks + shifts) / shape


def room_for(
    lattice: FloatArray, places: FloatArray, number: int, count: int, taken: FloatArray, taken_by: IntArray
) -> IntArray:
    """Return the indices of the first of `places` where `count` atoms of atomic `number` have room; fewer if there are.

    `places` (n, 3) and `taken` (m, 3), where atoms of the atomic numbers `taken_by` (m,) are, are fractional.
    """
    radii = _covalent_radii()
    closest = CLOSEST_CONTACT * (radii[number] + radii[taken_by])
    free = ~_within(lattice, places, taken, closest).any(axis=1)
    closest = np.array([2 * CLOSEST_CONTACT * radii[number]])
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        chosen.append(int(free.argmax()))
        free &= ~_within(lattice, places, places[chosen[-1:]], closest)[:, 0]
    return np.array(chosen, int)


def _within(lattice: FloatArray, first: FloatArray, second: FloatArray, limits: FloatArray) -> NDArray[np.bool_]:
    """Return (n, m) whether points `first` (n, 3) are within `limits` (m,) Å of `second` (m, 3) or their images."""
    # Of differences between −1/2 and 1/2, in units of the distance between opposite faces of the cell.
    reach = limits.max(initial=0.0) * np.linalg.norm(np.linalg.inv(lattice), axis=0) + 0.5
    n1, n2, n3 = (np.arange(-n, n + 1) for n in np.floor(reach).astype(int))
    difference = first[:, None] - second
    difference = (difference - np.round(difference)) @ lattice
    within = np.zeros(difference.shape[:2], bool)
    for image in np.stack(np.meshgrid(n1, n2, n3, indexing="ij"), axis=-1).reshape(-1, 3) @ lattice:
        within |= np.square(difference + image).sum(axis=-1) <= limits**2
    return within


@cache
def _covalent_radii() -> FloatArray:
    """Return the Å of all elements (Cordero et al., Dalton Trans. 2832 (2008)); the row is the atomic number."""
    return np.array([gemmi.Element(number).covalent_r for number in range(119)])
