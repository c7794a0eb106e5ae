"""Candidates as CIF files: conventional cell and symmetry, after checking that the file still is the candidate."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gemmi
import numpy as np

from xtal_core.candidate import Fit, RankedCandidate
from xtal_core.correlations import parameter_uncertainties
from xtal_core.ranking import SYMMETRY_TOLERANCE
from xtal_core.report.number_notation import with_uncertainty
from xtal_core.report.setting import Setting, same_setting, standard_setting
from xtal_core.report.structure_uncertainty import StructureUncertainty, structure_uncertainty

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Data names of what a cell is given by, and of the coordinates of a site.
CELL_ITEMS = {
    "a": "_cell_length_a",
    "b": "_cell_length_b",
    "c": "_cell_length_c",
    "alpha": "_cell_angle_alpha",
    "beta": "_cell_angle_beta",
    "gamma": "_cell_angle_gamma",
    "volume": "_cell_volume",
}
COORDINATES = ["_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"]

#: A file must hold the structure even where the pattern hardly determines it: rounded to an uncertainty of 3 Å, a cell
#: of 4.217 Å would become 4(3).
LEAST_DECIMALS = 6

#: How CIFs are laid out.
ALIGNED = gemmi.cif.WriteOptions()
ALIGNED.align_pairs = 35
ALIGNED.align_loops = 20


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
    setting
        How the candidate's cell became the one that is written.
    uncertainty
        Standard uncertainties of what is written, where the refinement knows them.
    """

    name: str
    text: str
    structure: Structure
    symmetric: bool
    setting: Setting
    uncertainty: StructureUncertainty | None = None


def crystal_files(candidates: Sequence[RankedCandidate]) -> list[CrystalFile]:
    """Return the CIFs of ranked candidates, named after their ranks so that they sort: 01.cif, 02.cif, …."""
    digits = max(2, len(str(len(candidates))))
    return [crystal_file(ranked, digits) for ranked in candidates]


def crystal_file(ranked: RankedCandidate, digits: int = 2) -> CrystalFile:
    """Return the CIF of `ranked`, named after its rank in at least so many digits."""
    from pymatgen.io.cif import CifWriter

    structure = ranked.candidate.structure.copy()
    structure.remove_oxidation_states()
    name = f"{ranked.rank:0{digits}d}.cif"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen's remarks on its own CIFs
        if ranked.space_group[1] > 1:
            text = str(CifWriter(structure, symprec=SYMMETRY_TOLERANCE))
            written = _read_back(text)
            if written is not None and _same(structure, written):
                block = gemmi.cif.read_string(text).sole_block()
                setting = standard_setting(structure, block)
                if setting is not None:
                    return _finished(name, ranked, block, setting, symmetric=True)
        block = gemmi.cif.read_string(str(CifWriter(structure))).sole_block()
        return _finished(name, ranked, block, same_setting(block), symmetric=ranked.space_group[1] == 1)


def _finished(
    name: str, ranked: RankedCandidate, block: gemmi.cif.Block, setting: Setting, *, symmetric: bool
) -> CrystalFile:
    """Return the file of `block`, to which standard uncertainties and displacements are added."""
    structure, fit = ranked.candidate.structure, ranked.candidate.fit
    uncertainty = None
    if fit is not None:
        if fit.uncertainty is not None:
            sites = block.find(["_atom_site_type_symbol", *COORDINATES])
            places = np.array([[gemmi.cif.as_number(row[i]) for i in (1, 2, 3)] for row in sites])
            symbols = [gemmi.Element(gemmi.cif.as_string(row[0])).name for row in sites]
            uncertainty = structure_uncertainty(structure, fit.uncertainty, setting, places, symbols)
            _write_uncertainties(block, uncertainty)
        _write_displacements(block, fit)
    text = _header(ranked) + block.as_string(ALIGNED)
    return CrystalFile(name, text, _read_back(text) or structure, symmetric, setting, uncertainty)


def _write_uncertainties(block: gemmi.cif.Block, uncertainty: StructureUncertainty) -> None:
    """Write cell and coordinates of `block` with their standard uncertainties."""
    for quantity, item in CELL_ITEMS.items():
        value = gemmi.cif.as_number(block.find_value(item))
        block.set_pair(item, with_uncertainty(value, uncertainty.cell[quantity], least_decimals=LEAST_DECIMALS))
    for row, sigmas in zip(block.find(COORDINATES), uncertainty.coordinates, strict=True):
        for column, sigma in enumerate(sigmas):
            value = gemmi.cif.as_number(row[column])
            row[column] = with_uncertainty(value, float(sigma), least_decimals=LEAST_DECIMALS)


def _write_displacements(block: gemmi.cif.Block, fit: Fit) -> None:
    """Add U = B/8π² in Å² to every site, where it was refined: all atoms are displaced alike."""
    b_iso = fit.profile.b_iso
    sigma = parameter_uncertainties(fit.uncertainty).get("b_iso") if fit.uncertainty is not None else None
    if b_iso == 0 and sigma is None:
        return
    per_b = 1 / (8 * math.pi**2)
    text = with_uncertainty(b_iso * per_b, None if sigma is None else sigma * per_b, decimals=5)
    loop = block.find_loop("_atom_site_label").get_loop()
    loop.add_columns(["_atom_site_U_iso_or_equiv", "_atom_site_adp_type"], "Uiso")
    for row in block.find(["_atom_site_U_iso_or_equiv"]):
        row[0] = text


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
