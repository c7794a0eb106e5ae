"""Candidates as CIF files: conventional cell and symmetry, after checking that the file still is the candidate."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xtal_core.candidate import RankedCandidate
from xtal_core.ranking import SYMMETRY_TOLERANCE

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class CrystalFile:
    """A candidate as it is written.

    Attributes
    ----------
    name
        Name of the file.
    text
        The CIF.
    structure
        What a reader of the file gets: the conventional cell.
    symmetric
        Whether symmetry is written; else the file is in P1, because symmetrising would have changed the structure.
    """

    name: str
    text: str
    structure: Structure
    symmetric: bool


def crystal_files(candidates: Sequence[RankedCandidate]) -> list[CrystalFile]:
    """Return the CIFs of ranked candidates, named after their ranks so that they sort: 01.cif, 02.cif, …."""
    digits = max(2, len(str(len(candidates))))
    return [crystal_file(ranked, digits) for ranked in candidates]


def crystal_file(ranked: RankedCandidate, digits: int = 2) -> CrystalFile:
    """Return the CIF of `ranked`, named after its rank in at least so many digits."""
    from pymatgen.io.cif import CifWriter

    structure = ranked.candidate.structure.copy()
    structure.remove_oxidation_states()
    name, header = f"{ranked.rank:0{digits}d}.cif", _header(ranked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen's remarks on its own CIFs
        if ranked.space_group[1] > 1:
            text = str(CifWriter(structure, symprec=SYMMETRY_TOLERANCE))
            written = _read_back(text)
            if written is not None and _same(structure, written):
                return CrystalFile(name, header + text, written, symmetric=True)
        text = str(CifWriter(structure))
        return CrystalFile(name, header + text, _read_back(text) or structure, symmetric=ranked.space_group[1] == 1)


def _read_back(text: str) -> Structure | None:
    from pymatgen.io.cif import CifParser

    try:
        return CifParser.from_str(text).parse_structures(primitive=False, on_error="ignore")[0]
    except (ValueError, IndexError):
        return None


def _same(structure: Structure, written: Structure) -> bool:
    """Tell whether both are the same crystal within what symmetrising may move."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    # Supercells are compared instead of primitive cells, because pymatgen's reduction merges what is nearly the same.
    matcher = StructureMatcher(
        ltol=0.01, stol=0.02, angle_tol=0.5, scale=False, primitive_cell=False, attempt_supercell=True
    )
    return matcher.fit(structure, written)


def _header(ranked: RankedCandidate) -> str:
    """Return comment lines, ASCII as CIF 1.1 asks for."""
    candidate = ranked.candidate
    lines = [
        f"rank {ranked.rank}: {candidate.structure.composition.reduced_formula}",
        f"generator: {candidate.generator}",
    ]
    if candidate.fit is not None:
        lines.insert(1, f"R2wp: {candidate.fit.residual:.6g} (sum w (obs - calc)^2 / sum w (obs - background)^2)")
    if candidate.origin:
        lines.append(f"origin: {candidate.origin}")
    text = "".join(f"# {' '.join(line.split())}\n" for line in lines)
    return text.encode("ascii", "replace").decode()
