"""Atoms of a unit cell with what their pair distribution function depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_pair_distribution.displacements import cartesian_displacements

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Crystal:
    """A periodic structure; a site shared by several elements is as many atoms.

    Attributes
    ----------
    label
        Its name, for messages.
    lattice : (3, 3) Å
        Lattice vectors as rows.
    fractional : (n_atoms, 3)
        Fractional coordinates.
    symbols : (n_atoms,)
        Elements, D among them.
    occupancies : (n_atoms,)
        How much of each atom is there.
    displacements : (n_atoms,) or (n_atoms, 3, 3) Å²
        Mean squared displacement of each atom along any direction; or Cartesian covariances if one depends on it.
    """

    label: str
    lattice: FloatArray
    fractional: FloatArray
    symbols: tuple[str, ...]
    occupancies: FloatArray
    displacements: FloatArray

    @classmethod
    def from_structure(cls, structure: Structure, u_iso: float, label: str = "the structure") -> Crystal:
        """Return the atoms of a pymatgen structure.

        Its site properties hold displacements (see `xtal_core.displacements`); sites without any get `u_iso` Å². Raises
        StructureError for structures without atoms, with a flat cell, numbers that are not finite or species that are
        no elements.
        """
        from pymatgen.core import DummySpecies, Species

        sites, symbols, occupancies = [], [], []
        for number, site in enumerate(structure):
            for species, occupancy in site.species.items():
                if isinstance(species, DummySpecies):
                    place = f"site {number + 1} ({site.label}) of {structure.formula} ({label})"
                    raise StructureError(f"{place} holds {species}, not an element", "replace it by an element")
                sites.append(number)
                symbols.append(species.element.name if isinstance(species, Species) else species.name)
                occupancies.append(float(occupancy))
        if not sum(occupancies):
            raise StructureError(f"{label} has no atoms", "give a structure with at least one")
        lattice, fractional = structure.lattice.matrix, structure.frac_coords
        if not (np.isfinite(lattice).all() and np.isfinite(fractional).all() and abs(np.linalg.det(lattice)) > 1e-6):
            raise StructureError(
                f"the cell of {structure.formula} ({label}) is flat or not finite", "check its lattice and coordinates"
            )
        displacements = cartesian_displacements(structure, u_iso, label)
        return cls(label, lattice, fractional[sites], tuple(symbols), np.array(occupancies), displacements[sites])

    @property
    def name(self) -> str:
        """Formula and label, for messages."""
        from pymatgen.core import Composition

        amounts: dict[str, float] = {}
        for symbol, occupancy in zip(self.symbols, self.occupancies, strict=True):
            amounts[symbol] = amounts.get(symbol, 0.0) + occupancy
        return f"{Composition(amounts).formula} ({self.label})"

    @property
    def n_atoms(self) -> float:
        """How many atoms the cell holds, partly filled sites counted accordingly."""
        return float(self.occupancies.sum())

    @property
    def number_density(self) -> float:
        """Atoms a volume in Å⁻³."""
        return self.n_atoms / abs(float(np.linalg.det(self.lattice)))
