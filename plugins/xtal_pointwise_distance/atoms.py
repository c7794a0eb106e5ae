"""The atoms of a structure as points: coordinates in a cell that is not strongly skewed, and what tells them apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_pointwise_distance.cell import Cell

#: A site is one atom when its occupancies sum to 1 within this: 0.33 written three times does.
OCCUPANCY_TOLERANCE = 0.0101

#: Å³; a cell below is flat.
SMALLEST_VOLUME = 1e-6

#: Cells of a higher skewness are reduced first: it changes no distance, and saves more time than it takes.
SKEWED = 3.0

#: Kind of every atom where elements are not told apart.
ANY = ""


@dataclass(frozen=True, eq=False)
class Atoms:
    """The points of a crystal.

    Attributes
    ----------
    cell
        A cell that is not strongly skewed.
    fractional : (n_atoms, 3)
        Fractional coordinates from 0 to 1.
    kinds : (n_atoms,)
        Element of each atom, or `ANY`.
    """

    cell: Cell
    fractional: FloatArray
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, structure: Structure, label: str, metric: str, elements: bool) -> Atoms:
        """Return the atoms of `structure`, which messages call `label`.

        A site shared by several species is one point. Raises StructureError, naming the site and the `metric`, for
        vacancies (a partly empty site is neither a point nor none), for shared sites where `elements` are told apart,
        and for impossible cells.
        """
        if not len(structure):
            raise StructureError(f"{label} has no sites", "give a structure with at least one atom")
        for number, site in enumerate(structure, start=1):
            if abs(site.species.num_atoms - 1) > OCCUPANCY_TOLERANCE:
                raise StructureError(
                    f"site {number} ({site.label}) of {_name(structure, label)} has occupancy "
                    f"{site.species.num_atoms:.3g}, {metric} needs full sites",
                    "compare an ordered model, or choose --metric structure-matcher",
                )
        kinds = _elements(structure, label, metric) if elements else (ANY,) * len(structure)
        cell, fractional = Cell(structure.lattice.matrix), structure.frac_coords
        if not (np.isfinite(fractional).all() and cell.volume > SMALLEST_VOLUME):  # nor is what is not a number
            raise StructureError(
                f"the cell of {_name(structure, label)} is flat or not finite", "check its lattice and coordinates"
            )
        # Wrapped first: far-away cells would cost digits when multiplied by the entries of a strong shear.
        fractional = fractional - np.floor(fractional)
        if cell.skewness > SKEWED:
            mapping = np.round(structure.lattice.lll_mapping)
            cell, fractional = Cell(mapping @ cell.lattice), fractional @ np.round(np.linalg.inv(mapping))
            fractional -= np.floor(fractional)
        return cls(cell, fractional, kinds)


def _elements(structure: Structure, label: str, metric: str) -> tuple[str, ...]:
    for number, site in enumerate(structure, start=1):
        if len(site.species) > 1:
            raise StructureError(
                f"site {number} ({site.label}) of {_name(structure, label)} is shared, {metric}.elements needs one "
                "element a site",
                f"compare an ordered model, or set {metric}.elements=false",
            )
    return tuple(site.species.elements[0].symbol for site in structure)


def _name(structure: Structure, label: str) -> str:
    return f"{structure.composition.formula} ({label})"
