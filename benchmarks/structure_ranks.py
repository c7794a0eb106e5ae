"""Where a known structure is among ranked candidates, by pymatgen's StructureMatcher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xtal_core.errors import StructureError
from xtal_core.readers import read_structure

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: StructureMatcher's tolerances of length, site and angle: those of CDVAE and DiffCSP, and those of PXRDNet's code.
TOLERANCES = {"match": (0.3, 0.5, 10.0), "strict": (0.2, 0.3, 5.0)}


def ranks_of(truth: Structure, candidates: Sequence[Path]) -> dict[str, int | None]:
    """Return the rank of the first of the ranked CIFs that matches `truth`, by each of `TOLERANCES`."""
    structures = [read_candidate(path) for path in candidates]
    return {name: first_match(truth, structures, name) for name in TOLERANCES}


def first_match(truth: Structure, structures: Sequence[Structure | None], tolerances: str = "match") -> int | None:
    """Return the place, from 1, of the first of `structures` that matches `truth`; what is None matches nothing."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    ltol, stol, angle_tol = TOLERANCES[tolerances]
    matcher = StructureMatcher(ltol=ltol, stol=stol, angle_tol=angle_tol)
    reference = _without_charges(truth)
    return next(
        (
            place
            for place, structure in enumerate(structures, start=1)
            if structure is not None and matcher.fit(reference, structure)
        ),
        None,
    )


def count_ranks(ranks: Sequence[int | None]) -> dict[str, int]:
    """Return how many true structures are first, among the first three and among the first ten."""
    found = [rank for rank in ranks if rank is not None]
    return {"n": len(ranks)} | {
        name: sum(rank <= limit for rank in found) for name, limit in (("first", 1), ("in three", 3), ("in ten", 10))
    }


def read_candidate(path: Path) -> Structure | None:
    """Return the structure in a candidate's file; None when the reader refuses it, which counts as no match."""
    try:
        return read_structure(path)
    except StructureError:
        return None


def _without_charges(structure: Structure) -> Structure:
    """Return `structure` with elements instead of ions, which StructureMatcher would tell apart."""
    neutral = structure.copy()
    neutral.remove_oxidation_states()
    return neutral
