"""Distances from every atom of a crystal to its k nearest neighbours, exact for every choice of cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Structure
from scipy.spatial import KDTree

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

#: A site is one atom when its occupancies sum to 1 within this: 0.33 written three times does.
OCCUPANCY_TOLERANCE = 0.0101

#: First guess of the search radius over the radius of a sphere that holds k + 1 atoms on average. At k = 100
#: inorganic crystals then need a single pass; anything less even takes a second one.
RADIUS_MARGIN = 1.1


def neighbour_distances_of_structures(structures: Sequence[Structure], k: int, metric: str) -> list[FloatArray]:
    """Return (n_sites, k) Å for each structure: distances to the k nearest sites, increasing.

    Species are ignored; a site shared by several species is one point. Raises StructureError, naming the structure
    and the site, for vacancies (a partly empty site is neither a point nor none), and for impossible cells.
    """
    return [
        neighbour_distances(*_points(structure, f"structure {position}", metric), k)
        for position, structure in enumerate(structures, start=1)
    ]


def neighbour_distances(lattice: FloatArray, fractional: FloatArray, k: int) -> FloatArray:
    """Return (n_points, k) Å: distances from each point to its k nearest neighbours, increasing.

    Parameters
    ----------
    lattice : (3, 3) Å
        Lattice vectors as rows, of any shape: however sheared, the result is exact. A reduced cell is only faster.
    fractional : (n_points, 3)
        Fractional coordinates.

    Notes
    -----
    All images within a radius R of any point lie in a parallelepiped whose faces are R away from the outermost
    points, measured along the reciprocal vectors. It is filled completely, so that every k-th distance found that is
    not above R is final. Otherwise the largest distance found bounds the true one from above and is a sufficient R.
    """
    fractional = fractional - np.floor(fractional)
    spacings = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    volume = abs(np.linalg.det(lattice))
    radius = RADIUS_MARGIN * (3 * volume * (k + 1) / (4 * np.pi * len(fractional))) ** (1 / 3)
    points = fractional @ lattice
    while True:
        images = _images_within(fractional, radius / spacings) @ lattice
        if len(images) <= k:
            radius *= 2
            continue
        distances, _ = KDTree(images).query(points, k=k + 1)
        farthest = distances[:, -1].max()
        if farthest <= radius:
            return distances[:, 1:]  # the first is the point itself
        # Slightly more, lest rounding keep a neighbour at exactly this distance out and the search go on for ever.
        radius = farthest * (1 + 1e-9)


def _images_within(fractional: FloatArray, margin: FloatArray) -> FloatArray:
    """Return the (n_images, 3) translated points at most `margin` (3,) outside the box that holds all points."""
    low, high = fractional.min(axis=0) - margin, fractional.max(axis=0) + margin
    reach = np.ceil(margin + np.ptp(fractional, axis=0)).astype(int)
    shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    images = (fractional[:, None, :] + shifts).reshape(-1, 3)
    return images[((images >= low) & (images <= high)).all(axis=1)]


def _points(structure: Structure, label: str, metric: str) -> tuple[FloatArray, FloatArray]:
    """Return the LLL-reduced lattice (3, 3) Å and the fractional coordinates (n_sites, 3) in it."""
    if not len(structure):
        raise StructureError(f"{label} has no sites", "give a structure with at least one atom")
    label = f"{structure.composition.formula} ({label})"
    for number, site in enumerate(structure, start=1):
        occupancy = float(sum(site.species.values()))
        if abs(occupancy - 1) > OCCUPANCY_TOLERANCE:
            raise StructureError(
                f"site {number} ({site.label}) of {label} has occupancy {occupancy:.3g}, {metric} needs full sites",
                "compare an ordered model, or choose --metric structure-matcher",
            )
    if not (np.isfinite(structure.cart_coords).all() and structure.volume > 1e-6):
        raise StructureError(f"the cell of {label} is flat or not finite", "check its lattice and coordinates")
    matrix, fractional = structure.lattice.matrix, structure.frac_coords
    mapping = np.round(structure.lattice.lll_mapping)
    # Wrapped first: far-away cells would cost digits when multiplied by the entries of a strong shear.
    return mapping @ matrix, (fractional - np.floor(fractional)) @ np.round(np.linalg.inv(mapping))
