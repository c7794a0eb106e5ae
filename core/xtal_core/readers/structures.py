"""Reading crystal structures from CIF, POSCAR and pymatgen's JSON, refusing what pymatgen would guess or drop."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtal_core.errors import StructureError
from xtal_core.readers.structure_checks import WANTED, check_structure
from xtal_core.readers.text_files import read_text

if TYPE_CHECKING:
    from pymatgen.core import Structure


def read_structure(path: str | Path) -> Structure:
    """Return the one structure in a CIF, POSCAR (CONTCAR, .vasp) or pymatgen JSON file, in the cell of the file.

    Raises StructureError, naming the file and what to do, as `read_structures` does, and when there are several.
    """
    structures = read_structures(path)
    if len(structures) > 1:
        formulas = ", ".join(structure.composition.reduced_formula for structure in structures)
        raise StructureError(f"holds {len(structures)} structures ({formulas})", "keep one of them", path)
    return structures[0]


def read_structures(path: str | Path) -> list[Structure]:
    """Return every structure in a CIF, POSCAR (CONTCAR, .vasp) or pymatgen JSON file, in the cells of the file.

    Partial occupancies are kept. A CIF's data blocks without atoms are passed over.

    Raises
    ------
    StructureError
        For files that cannot be read as one of these, that leave out what would have to be guessed (symmetry, element
        names, coordinates), and for structures that are empty, hold something other than elements, more than one atom
        on a site, or sites closer than 0.3 Å.
    """
    path = Path(path)
    text = read_text(path, StructureError, WANTED)
    name = path.name.upper()
    if path.suffix.lower() in (".cif", ".mcif"):
        from xtal_core.readers.structure_cif import structures_in_cif

        return structures_in_cif(text, path)
    if path.suffix.lower() in (".vasp", ".poscar") or name.startswith(("POSCAR", "CONTCAR")):
        structures = [_from_poscar(text, path)]
    elif path.suffix.lower() == ".json":
        structures = _from_json(text, path)
    else:
        raise StructureError("is not a kind of file that holds structures here", f"give {WANTED}", path)
    for structure in structures:
        check_structure(structure, path)
    return structures


def _from_poscar(text: str, path: Path) -> Structure:
    from pymatgen.io.vasp.inputs import BadPoscarWarning, Poscar

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Without element symbols pymatgen warns and calls the species H, He, Li …
        warnings.simplefilter("error", BadPoscarWarning)
        try:
            return Poscar.from_str(text).structure
        except BadPoscarWarning as reason:
            raise StructureError(_brief(reason), "name the elements in the line above their numbers", path) from None
        except Exception as reason:  # whatever an odd file makes pymatgen's parser stumble over
            raise StructureError(f"is not a valid POSCAR ({_brief(reason)})", f"give {WANTED}", path) from None


def _from_json(text: str, path: Path) -> list[Structure]:
    from pymatgen.core import Structure

    try:
        content: Any = json.loads(text)
    except json.JSONDecodeError as reason:
        raise StructureError(f"is not valid JSON ({reason.msg})", "correct it there", path, reason.lineno) from None
    entries: Sequence[Any] = content if isinstance(content, list) else [content]
    if not entries or not all(isinstance(entry, dict) and {"lattice", "sites"} <= entry.keys() for entry in entries):
        raise StructureError("holds no structure as pymatgen writes it", "write it with structure.to('x.json')", path)
    if not all(entry["sites"] for entry in entries):
        raise StructureError("holds no atoms", f"give {WANTED} with atoms", path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [Structure.from_dict(entry) for entry in entries]
        except Exception as reason:  # whatever an odd file makes pymatgen's parser stumble over
            remedy = "write it with structure.to('x.json')"
            raise StructureError(f"holds no valid structure ({_brief(reason)})", remedy, path) from None


def _brief(reason: BaseException) -> str:
    """Return the first line of what a library says, shortened."""
    line = re.sub(r"\s+", " ", str(reason).strip().split("\n")[0]) or type(reason).__name__
    return line if len(line) <= 120 else f"{line[:120]}…"
