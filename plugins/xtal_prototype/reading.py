"""From the CIF text of one structure to a library entry, or to the reason why there is none."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_prototype.library import LibraryEntry, Refusal
from xtal_prototype.prototype_label import canonical_label, label_of_cell
from xtal_prototype.sources import RawStructure
from xtal_prototype.standard_cell import StandardCell, standardise
from xtal_prototype.template import anonymous_key_of_atoms

#: Å. Distinct atoms are never this close: the setting or the symmetry of the file is wrong.
_COINCIDENCE_DISTANCE = 0.4
#: The search looks for cells that a powder pattern can resolve; symmetry takes seconds beyond this.
_MOST_ATOMS = 1000
_FULL_OCCUPANCY = 0.99


def read_entry(raw: RawStructure) -> LibraryEntry | Refusal:
    """Return the library entry of a structure, or why it cannot be one."""
    try:
        cell = standardise(*parse_cell(raw.cif))
        label = label_of_cell(cell) if raw.label is None else canonical_label(raw.label)
    except StructureError as error:
        return Refusal(raw.source, raw.digest, str(error))
    except ValueError as error:
        return Refusal(raw.source, raw.digest, f"its protostructure column is wrong: {error}")
    return LibraryEntry(
        source=raw.source,
        digest=raw.digest,
        formula=reduced_formula(cell),
        anonymous=anonymous_key_of_atoms(cell.numbers),
        label=label,
        space_group=cell.space_group,
        z_primitive=cell.z_primitive,
        z_conventional=cell.z_conventional,
        lattice=cell.lattice,
        fractional=cell.fractional,
        numbers=cell.numbers,
        orbits=cell.orbits,
    )


def parse_cell(cif: str) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return (lattice (3, 3) Å, fractional (n, 3), atomic numbers (n,)) of the whole cell of an ordered structure.

    Raises StructureError for a text without a usable cell, and for disorder.
    """
    import gemmi

    try:
        document = gemmi.cif.read_string(cif)
        small = gemmi.make_small_structure_from_block(document[0])
        sites = small.get_all_unit_cell_sites()
    except (ValueError, RuntimeError, IndexError) as error:
        raise StructureError(f"not a CIF text ({error})") from None
    if not small.sites:
        raise StructureError("it has no atoms with fractional coordinates")
    for site in small.sites:
        if site.element.atomic_number == 0:
            raise StructureError(f"site {site.label} holds '{site.type_symbol}', not an element")
        if not all(math.isfinite(x) for x in (*site.fract.tolist(), site.occ)):
            raise StructureError(f"site {site.label} has unknown coordinates")
        if site.occ < _FULL_OCCUPANCY:
            raise StructureError(f"site {site.label} has partial occupancy {site.occ:g}")
    if len(sites) > _MOST_ATOMS:
        raise StructureError(f"it has {len(sites)} atoms in the cell, more than {_MOST_ATOMS}")
    lattice = np.array(small.cell.orth.mat.tolist()).T
    if not small.cell.is_crystal() or not np.isfinite(lattice).all() or abs(np.linalg.det(lattice)) < 1.0:
        raise StructureError("its unit cell is missing or flat")
    fractional = np.array([site.fract.tolist() for site in sites])
    _refuse_coinciding_atoms(lattice, fractional)
    return lattice, fractional, np.array([site.element.atomic_number for site in sites])


def reduced_formula(cell: StandardCell) -> str:
    """Return the reduced formula of a cell, elements in alphabetical order ("O2Ti")."""
    from gemmi import Element

    counts = Counter(Element(number).name for number in cell.numbers.tolist())
    return format_formula({symbol: count // cell.z_primitive for symbol, count in counts.items()})


def format_formula(amounts: dict[str, int]) -> str:
    """Return a formula as the library spells it: elements in alphabetical order, no ones."""
    return "".join(f"{symbol}{amount if amount > 1 else ''}" for symbol, amount in sorted(amounts.items()))


def _refuse_coinciding_atoms(lattice: FloatArray, fractional: FloatArray) -> None:
    difference = fractional[:, None] - fractional[None, :]
    difference -= np.round(difference)
    distance = np.linalg.norm(difference @ lattice, axis=-1)
    np.fill_diagonal(distance, np.inf)
    if len(distance) > 1 and distance.min() < _COINCIDENCE_DISTANCE:
        raise StructureError(f"two atoms are only {distance.min():.2f} Å apart")
