"""What every structure must be before it is used: atoms of elements, apart from each other, in a real cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.errors import StructureError

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Å. Atoms closer than this are the same atom written twice, unless their occupancies leave room for one only.
MIN_DISTANCE = 0.3

#: Å. Longest axis and smallest distance between opposite faces of a cell; neighbour searches do not end beyond.
MAX_LENGTH = 1000.0
MIN_THICKNESS = 0.1

#: Largest sum of occupancies on a site that is 1 up to rounding (0.333 + 0.334 + 0.334).
MAX_OCCUPANCY = 1.01

#: What structure files are, for messages.
WANTED = "a crystal structure as CIF, POSCAR or pymatgen JSON"


def check_structure(structure: Structure, path: str | Path, block: str = "") -> None:
    """Refuse a structure that is empty, has an impossible cell, holds more than elements, or overlapping atoms.

    `block` is the data block it is in, for the message.
    """
    from pymatgen.core import DummySpecies

    place = f"block '{block}': " if block else ""
    if len(structure) == 0:
        raise StructureError(f"{place}holds no atoms", f"give {WANTED} with atoms", path)
    if not np.isfinite(structure.frac_coords).all():
        raise StructureError(f"{place}a coordinate is not finite", "correct it", path)
    matrix = structure.lattice.matrix
    longest = np.linalg.norm(matrix, axis=1).max()
    with np.errstate(all="ignore"):  # whatever overflows here is refused below
        volume = abs(np.linalg.det(matrix))
        # Distances between opposite faces are the volume over the faces' areas.
        faces = np.linalg.norm(np.cross(matrix[[1, 2, 0]], matrix[[2, 0, 1]]), axis=1)
    if not (longest <= MAX_LENGTH and volume > 0 and (volume / faces).min() >= MIN_THICKNESS):
        problem = f"{place}the cell is not one of a crystal (longest axis {longest:.3g} Å, volume {volume:.3g} Å³)"
        raise StructureError(problem, "give the lattice vectors in Å", path)
    for site in structure:
        other = [str(species) for species in site.species if isinstance(species, DummySpecies)]
        if other:
            raise StructureError(
                f"{place}site {site.label} holds {other[0]}, not an element", "replace it by an element", path
            )
    occupancies = np.array([site.species.num_atoms for site in structure])
    first, second, _, distances = structure.get_neighbor_list(MIN_DISTANCE, exclude_self=True)
    overlapping = occupancies[first] + occupancies[second] > MAX_OCCUPANCY
    if overlapping.any():
        i, j, distance = first[overlapping][0], second[overlapping][0], distances[overlapping][0]
        names = " and ".join(f"{structure[k].label} (site {k + 1})" for k in (int(i), int(j)))
        remedy = f"remove one of them, or correct the symmetry; atoms must be {MIN_DISTANCE} Å apart"
        raise StructureError(f"{place}{names} are {distance:.2f} Å apart", remedy, path)
