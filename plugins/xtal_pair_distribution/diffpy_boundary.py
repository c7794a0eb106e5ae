"""Structures to and from diffpy.structure, the type that PDFgui and other tools of the PDF world read and write.

Cell, its orientation, elements and charges, occupancies, labels and displacements survive both ways. pymatgen keeps all
species of a site together, with one label; diffpy has an atom for each. Displacements are site properties in pymatgen
(see `xtal_core.displacements`). Whatever else either side may carry (other site properties, titles, settings of
programs) has no place on the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from diffpy.structure import Atom, Lattice, LatticeError
from diffpy.structure import Structure as DiffpyStructure
from pymatgen.core import Composition, DummySpecies, Element, Species, Structure, get_el_sp
from pymatgen.core import Lattice as PymatgenLattice

from xtal_core.displacements import ISOTROPIC, tensor_properties
from xtal_core.errors import StructureError
from xtal_pair_distribution.displacements import site_isotropic, site_tensor

#: Atoms this close in fractional coordinates are on one site; displacements in Å² that close are equal.
SAME = 1e-9


def to_diffpy(structure: Structure) -> DiffpyStructure:
    """Return a pymatgen structure as diffpy's, an atom for each species of a site.

    Sites without displacements get zero, which is diffpy's way to say so. Raises StructureError for species that are no
    elements, a left-handed cell and displacements that cannot be read.
    """
    try:
        result = DiffpyStructure(lattice=Lattice(base=structure.lattice.matrix))
    except LatticeError as error:
        raise StructureError(
            f"the cell of {structure.formula} is none for diffpy.structure ({error})", "make it right-handed, not flat"
        ) from None
    for number, site in enumerate(structure, start=1):
        name = f"site {number} ({site.label}) of {structure.formula}"
        tensor = site_tensor(site.properties, name)
        isotropic = site_isotropic(site.properties, name) or 0.0
        for species, occupancy in site.species.items():
            atom = Atom(_symbol(species, name), site.frac_coords, site.label, occupancy, lattice=result.lattice)
            if tensor is None:
                atom.Uisoequiv = isotropic
            else:
                atom.anisotropy = True
                atom.U = tensor
            result.append(atom, copy=False)
    return result


def from_diffpy(structure: DiffpyStructure, name: str = "the structure") -> Structure:
    """Return a diffpy structure as pymatgen's; `name` is for messages.

    Atoms that follow each other at one position with the same label and displacements become one site, as `to_diffpy`
    wrote it; all others stay apart. Raises StructureError for elements that are not known and impossible occupancies.
    """
    species, coordinates, labels, isotropic, tensors = [], [], [], [], []
    for group in _sites(structure):
        first = group[0]
        species.append(Composition({_element(atom, name): float(atom.occupancy) for atom in group}))
        coordinates.append(np.array(first.xyz, float))
        labels.append(first.label or None)
        tensors.append(tensor_properties(np.array(first.U, float) if first.anisotropy and first.U.any() else None))
        isotropic.append(None if first.anisotropy else float(first.Uisoequiv) or None)
    properties = {ISOTROPIC: isotropic, **{name: [row[name] for row in tensors] for name in tensor_properties(None)}}
    given = {name: values for name, values in properties.items() if any(value is not None for value in values)}
    return Structure(
        PymatgenLattice(np.array(structure.lattice.base, float)),
        species,
        coordinates,
        site_properties=given,
        labels=labels,
    )


def _symbol(species: Element | Species | DummySpecies, name: str) -> str:
    """Return an element or ion as diffpy and pdffit2 write it: Fe, Fe3+, Na1+."""
    if isinstance(species, DummySpecies):
        raise StructureError(f"{name} holds {species}, not an element", "replace it by an element")
    if isinstance(species, Element):
        return species.name
    charge = species.oxi_state or 0
    return f"{species.element.name}{abs(charge):g}{'+' if charge > 0 else '-'}" if charge else species.element.name


def _element(atom: Atom, name: str) -> Element | Species:
    """Return what `atom` of the structure `name` is."""
    label = f"atom {atom.label or atom.element} at {' '.join(f'{x:.4f}' for x in atom.xyz)} of {name}"
    if not 0 < atom.occupancy <= 1:
        raise StructureError(f"{label} has occupancy {atom.occupancy:g}", "give one above 0, up to 1")
    try:
        species = get_el_sp(atom.element)
    except ValueError:
        species = None
    if not isinstance(species, Element | Species) or isinstance(species, DummySpecies):
        raise StructureError(f"{label} is '{atom.element}', not an element", "give the symbol of an element or ion")
    return species


def _sites(structure: DiffpyStructure) -> list[list[Atom]]:
    """Return the atoms in groups that are one site each."""
    groups: list[list[Atom]] = []
    for atom in structure:
        if groups and _shares_site(atom, groups[-1]):
            groups[-1].append(atom)
        else:
            groups.append([atom])
    return groups


def _shares_site(atom: Atom, group: Sequence[Atom]) -> bool:
    first = group[0]
    return (
        np.allclose(atom.xyz, first.xyz, rtol=0, atol=SAME)
        and atom.label == first.label
        and atom.element not in {other.element for other in group}
        and atom.anisotropy == first.anisotropy
        and np.allclose(atom.U, first.U, rtol=0, atol=SAME)
        and sum(other.occupancy for other in group) + atom.occupancy <= 1 + SAME
    )
