"""A solution as plain data: what `result.json` holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from xtal_core.candidate import RankedCandidate, Solution
from xtal_core.correlations import parameter_uncertainties, strong_correlations
from xtal_core.counting_statistics import standard_uncertainties
from xtal_core.crystallite_size import crystallite_size
from xtal_core.pattern_features import background_terms
from xtal_core.preparation import excluded_regions
from xtal_core.problem import Problem
from xtal_core.report.cif import CrystalFile


def solution_record(solution: Solution, files: Sequence[CrystalFile]) -> dict[str, Any]:
    """Return everything about `solution`, whose candidates are written as `files`; see docs/usage.md."""
    return {
        "problem": _problem_record(solution.problem),
        "verdict": None if solution.verdict is None else asdict(solution.verdict),
        "candidates": [_candidate_record(r, f) for r, f in zip(solution.ranked, files, strict=True)],
        "notes": [*solution.problem.pattern.notes, *solution.notes],
        "interrupted": solution.interrupted,
        "provenance": solution.provenance,
    }


def to_json(record: Mapping[str, Any]) -> str:
    """Return `record` as JSON text; numbers that are not finite become null."""
    return json.dumps(_plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def cell_record(file: CrystalFile) -> dict[str, float]:
    """Return the cell as it is written: lengths in Å, angles in degrees, volume in Å³."""
    lattice = file.structure.lattice
    names = ("a", "b", "c", "alpha", "beta", "gamma", "volume")
    return dict(zip(names, (*lattice.abc, *lattice.angles, lattice.volume), strict=True))


def cell_uncertainty_record(file: CrystalFile) -> dict[str, float] | None:
    """Return the standard uncertainties of `cell_record`, 0 for what symmetry fixes; None where they are not known."""
    return None if file.uncertainty is None else dict(file.uncertainty.cell)


def _problem_record(problem: Problem) -> dict[str, Any]:
    pattern = problem.pattern
    return {
        "pattern": {
            "source": pattern.source,
            "points": len(pattern),
            "q_range": [pattern.q[0], pattern.q[-1]],
            "radiation": asdict(pattern.radiation),
            "uncertainties": standard_uncertainties(pattern).how,
            "excluded_regions": excluded_regions(pattern),
            "stored_background": pattern.background is not None,
            "chebyshev_terms": background_terms(pattern),
            "blank": pattern.blank_source if pattern.blank is not None else None,
        },
        "formula": str(problem.formula),
        "z": problem.z,
        "lattice": problem.lattice,
        "space_group": problem.space_group,
        "crystallite_size": problem.crystallite_size,
        "robust": problem.robust,
    }


def _candidate_record(ranked: RankedCandidate, file: CrystalFile) -> dict[str, Any]:
    candidate, fit = ranked.candidate, ranked.candidate.fit
    _, units = file.structure.composition.get_reduced_formula_and_factor()
    symbol, number = ranked.space_group
    known = None if fit is None else fit.uncertainty
    size = None if fit is None else crystallite_size(fit)
    return {
        "rank": ranked.rank,
        "file": file.name,
        "file_has_symmetry": file.symmetric,
        "r2wp": None if fit is None else fit.residual,
        "agreement": None if ranked.agreement is None else asdict(ranked.agreement),
        "merit": ranked.merit,
        "formula": candidate.structure.composition.reduced_formula,
        "z": units,
        "space_group": {"symbol": symbol, "number": number},
        "cell": cell_record(file),
        "cell_uncertainty": cell_uncertainty_record(file),
        "generator": candidate.generator,
        "origin": candidate.origin,
        "prior": candidate.prior,
        "duplicates": ranked.duplicates,
        "profile": None if fit is None else asdict(fit.profile),
        "size": None if size is None else size._asdict(),
        "scale": None if fit is None else fit.scale,
        "blank_scale": None if fit is None else fit.blank_scale,
        "n_parameters": None if fit is None else fit.n_parameters,
        "converged": None if fit is None else fit.converged,
        "remarks": [] if fit is None else list(fit.remarks),
        "parameter_uncertainties": None if known is None else parameter_uncertainties(known),
        "strong_correlations": None if known is None else [pair._asdict() for pair in strong_correlations(known)],
        "reference_scores": [asdict(score) for score in ranked.reference_scores],
        "details": candidate.details,
    }


def _plain(value: Any) -> Any:
    """Return `value` as JSON types; what is none of them, in a plugin's details, as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return value.as_posix() if isinstance(value, Path) else str(value)
