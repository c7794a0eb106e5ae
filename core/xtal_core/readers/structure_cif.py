"""Structures in CIF: pymatgen's parser behind checks for all that it would otherwise guess, merge or leave out."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import gemmi
import numpy as np
from pymatgen.core import Element, Structure
from pymatgen.io.cif import CifParser

from xtal_core.errors import StructureError
from xtal_core.readers.cif_displacements import attach_displacements
from xtal_core.readers.cif_syntax import parse_cif, parse_number
from xtal_core.readers.structure_checks import MAX_OCCUPANCY, check_structure

_CELL = [f"_cell_{name}" for name in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")]
_COORDINATES = [f"_atom_site_fract_{axis}" for axis in "xyz"]
#: Items of which one must say what the symmetry is; pymatgen takes P1 when none does.
_SYMMETRY = (
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_operation_xyz",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_hall",
    "_space_group_name_hall",
    "_symmetry_int_tables_number",
    "_space_group_it_number",
    "_space_group_symop_magn_operation_xyz",
    "_space_group_symop_magn_operation.xyz",
)
_UNKNOWN = ("?", ".", "")


@dataclass(frozen=True)
class _Atom:
    """A row of the list of atoms."""

    label: str
    fractional: tuple[float, float, float]
    occupancy: float


def structures_in_cif(text: str, path: str | Path) -> list[Structure]:
    """Return the structures in the data blocks of a CIF that hold atoms, with the displacements that it states.

    Raises StructureError as `xtal_core.readers.read_structures` does.
    """
    document = parse_cif(text, path, StructureError)
    blocks = [
        block for block in document if block.find_values("_atom_site_label") or block.find_values(_COORDINATES[0])
    ]
    if not blocks:
        profile = any(tag.lower().startswith("_pd_") for block in document for tag in _tags(block))
        problem = "holds a powder pattern but no atoms" if profile else "holds no atoms"
        raise StructureError(problem, "give a CIF with _atom_site_ items", path)
    return [_structure(block, path) for block in blocks]


def _structure(block: gemmi.cif.Block, path: str | Path) -> Structure:
    place = f"block '{block.name}'"
    cell: list[float] = []
    for tag in _CELL:
        text = block.find_value(tag)
        number = parse_number(text) if text else None
        if number is None or number[0] <= 0:
            shown = "missing" if text is None else gemmi.cif.as_string(text) or text
            raise StructureError(f"{place}: {tag} is {shown}", "give the cell in Å and degrees", path)
        cell.append(number[0])
    if not gemmi.UnitCell(*cell).volume > 0:
        raise StructureError(f"{place}: no cell has these angles", "correct the cell angles", path)
    tags = {tag.lower() for tag in _tags(block)}
    if not any(tag in tags and _known(block, tag) for tag in _SYMMETRY):
        remedy = "add the symmetry operations, or _symmetry_space_group_name_H-M 'P 1' if all atoms are listed"
        raise StructureError(f"{place}: no space group and no symmetry operations", remedy, path)
    atoms = _atoms(block, path)
    with warnings.catch_warnings():
        # Rounded coordinates, absent symmetry operations, primitive cells: nothing a user can act upon. Occupancies
        # that cannot be are errors here.
        warnings.simplefilter("ignore")
        try:
            parser = CifParser.from_str(block.as_string(), occupancy_tolerance=MAX_OCCUPANCY, check_cif=False)
            (structure,) = parser.parse_structures(primitive=False, on_error="raise")
        except Exception as reason:  # whatever an odd file makes pymatgen's parser stumble over
            raise _refusal(str(reason), place, path) from None
    _check_nothing_left_out(structure, atoms, place, path)
    check_structure(structure, path, block.name)
    attach_displacements(structure, block, parser.symmetry_operations, path)
    return structure


def _atoms(block: gemmi.cif.Block, path: str | Path) -> list[_Atom]:
    """Return the list of atoms, refusing coordinates and occupancies that are not numbers, and unknown elements."""
    place = f"block '{block.name}'"
    table = block.find(["_atom_site_label", *_COORDINATES, "?_atom_site_occupancy", "?_atom_site_type_symbol"])
    if len(table) == 0:
        missing = next((tag for tag in ["_atom_site_label", *_COORDINATES] if not block.find_values(tag)), "an atom")
        raise StructureError(
            f"{place}: {missing} is missing", "give label and fractional coordinates of all atoms", path
        )
    atoms = []
    for row in table:
        label = gemmi.cif.as_string(row[0])
        symbol = gemmi.cif.as_string(row[5]) if row.has(5) else ""
        # pymatgen reads V from Vac and U from Uani. Labels are freer: what follows the element there is a name.
        if row.has(5) and not Element.is_valid_symbol("".join(re.findall("^[A-Za-z]+", symbol)).title()):
            remedy = "correct _atom_site_type_symbol, or remove the site if nothing is there"
            raise StructureError(f"{place}: atom {label} is '{symbol}', not an element", remedy, path)
        numbers = [parse_number(row[index]) for index in (1, 2, 3)]
        if any(number is None for number in numbers):
            text = " ".join(row[index] for index in (1, 2, 3))
            remedy = "give its fractional coordinates or remove it"
            raise StructureError(f"{place}: atom {label} is at '{text}'", remedy, path)
        x, y, z = (number[0] for number in numbers if number is not None)
        occupancy = 1.0
        if row.has(4) and row[4] != ".":
            number = parse_number(row[4])
            if number is None or number[0] < 0:
                raise StructureError(
                    f"{place}: atom {label} has the occupancy '{row[4]}'", "give a number up to 1", path
                )
            occupancy = number[0]
        atoms.append(_Atom(label, (x, y, z), occupancy))
    return atoms


def _check_nothing_left_out(structure: Structure, atoms: list[_Atom], place: str, path: str | Path) -> None:
    """Refuse a structure in which an atom of the list is not.

    pymatgen passes over names that it does not understand, and takes water molecules as oxygen.
    """
    if "implicit_hydrogens" in structure.site_properties:
        raise StructureError(f"{place}: water stands for its atoms", "give O and H as atoms", path)
    for atom in atoms:
        if atom.occupancy == 0:
            continue
        shift = structure.frac_coords - np.array(atom.fractional)
        shift -= np.rint(shift)
        if not len(shift) or np.abs(shift).max(axis=1).min() > 1e-3:
            remedy = "give its element as _atom_site_type_symbol"
            raise StructureError(f"{place}: atom {atom.label} is not an element", remedy, path)


def _refusal(reason: str, place: str, path: str | Path) -> StructureError:
    """Return an error for what pymatgen says, in the words of crystallography where it is a known case."""
    total = re.search(r"Occupancy (\S+) exceeded tolerance", reason)
    if total:
        problem = f"{place}: the occupancies of a site add up to {float(total[1]):g}"
        return StructureError(problem, "correct them, or an atom listed twice or with too high a symmetry", path)
    if "no structures" in reason:
        return StructureError(f"{place}: holds no atoms of a known element", "correct _atom_site_type_symbol", path)
    last = re.sub(r"\s+", " ", reason.strip().split("\n")[-1])[:120]
    return StructureError(f"{place}: cannot be read as a structure ({last})", "correct the CIF", path)


def _known(block: gemmi.cif.Block, tag: str) -> bool:
    return any(gemmi.cif.as_string(value).strip() not in _UNKNOWN for value in block.find_values(tag))


def _tags(block: gemmi.cif.Block) -> list[str]:
    tags: list[str] = []
    for item in block:
        pair = cast("tuple[str, str] | None", item.pair)
        tags += [pair[0]] if pair is not None else item.loop.tags if item.loop is not None else []
    return tags
