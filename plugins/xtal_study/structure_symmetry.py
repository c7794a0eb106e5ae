"""Symmetry of structures, as the study needs it: type, idealised cell, and what a modification did to the space group.

Everything goes through spglib; a structure whose symmetry it cannot determine raises StructureError.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.errors import StructureError

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

#: Å. How far atoms may be from symmetric positions in structures as databases hold them.
DATABASE_TOLERANCE = 0.01

#: Å. The same for structures that were idealised: above rounding, below every modification.
EXACT_TOLERANCE = 1e-5

#: Lets spglib judge angles by the lengths they move atoms, within the same tolerance. With pymatgen's 5° slightly
#: distorted cells count as symmetric first, and the search for their space group ends in nothing after ten seconds.
_ANGLES_BY_LENGTHS = -1.0


@dataclass(frozen=True)
class Symmetry:
    """Space group of a structure.

    Attributes
    ----------
    number
        International number, 1 to 230.
    operations
        Order of the point group.
    chiral
        Whether it has no mirror, inversion or rotoinversion, so that it differs from its mirror image.
    """

    number: int
    operations: int
    chiral: bool


def symmetry(structure: Structure, tolerance: float = EXACT_TOLERANCE) -> Symmetry:
    """Return the symmetry of `structure`, atoms being at most `tolerance` Å from where it wants them."""
    data = _analyzer(structure, tolerance).get_symmetry_dataset()
    point_group = np.unique(data.rotations, axis=0)
    return Symmetry(int(data.number), len(point_group), bool((np.linalg.det(point_group) > 0).all()))


def structure_type(structure: Structure, tolerance: float = DATABASE_TOLERANCE) -> str:
    """Return a label that isostructural crystals share: anonymous formula, space group, and the sites of each species.

    The label is made of spglib's Wyckoff letters, which depend on the choice of origin in some space groups: crystals
    of one type may have different labels, those of different types have the same only when their free coordinates
    differ.
    """
    analyzer = _analyzer(structure, tolerance)
    data = analyzer.get_symmetry_dataset()
    letters = defaultdict(set)
    for site, (orbit, letter) in enumerate(zip(data.crystallographic_orbits, data.wyckoffs, strict=True)):
        letters[structure[site].species].add((letter, int(orbit)))
    sites = sorted("".join(sorted(letter for letter, _ in orbits)) for orbits in letters.values())
    return f"{structure.composition.anonymized_formula} {data.number} {' '.join(sites)}"


def idealise(structure: Structure, tolerance: float = DATABASE_TOLERANCE) -> Structure:
    """Return the primitive cell of `structure` with all atoms exactly where its symmetry wants them."""
    from pymatgen.core import Structure

    ideal = _analyzer(structure, tolerance).get_primitive_standard_structure()
    return Structure.from_sites(list(ideal))


def most_symmetric_site(structure: Structure, tolerance: float = EXACT_TOLERANCE) -> int:
    """Return the index of the first atom of the smallest orbit, the one on the position of highest site symmetry."""
    orbits = _analyzer(structure, tolerance).get_symmetry_dataset().crystallographic_orbits
    sizes = np.bincount(orbits, minlength=len(orbits))
    return int(np.argmin(sizes[orbits]))


def _analyzer(structure: Structure, tolerance: float) -> SpacegroupAnalyzer:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

    try:
        return SpacegroupAnalyzer(structure, symprec=tolerance, angle_tolerance=_ANGLES_BY_LENGTHS)
    except SymmetryUndeterminedError as error:
        formula = structure.composition.reduced_formula
        raise StructureError(f"the symmetry of {formula} cannot be determined ({error})", "check the cell") from error
