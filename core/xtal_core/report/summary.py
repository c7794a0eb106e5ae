"""The first candidate in a few lines of text: agreement factors, cell, correlations."""

from __future__ import annotations

from xtal_core.agreement_factors import AgreementFactors
from xtal_core.candidate import RankedCandidate
from xtal_core.correlations import STRONG, strong_correlations
from xtal_core.crystallite_size import crystallite_size
from xtal_core.report.cif import CrystalFile
from xtal_core.report.number_notation import with_uncertainty
from xtal_core.report.record import cell_record

#: Correlations shown at most; the record holds all.
MOST_CORRELATIONS = 8

UNITS = {"a": " Å", "b": " Å", "c": " Å", "alpha": "°", "beta": "°", "gamma": "°", "volume": " Å³"}


def summary_lines(ranked: RankedCandidate, file: CrystalFile) -> list[str]:
    """Return how well `ranked`, written as `file`, describes the pattern, and how well that determines it."""
    lines = [] if ranked.agreement is None else [agreement_line(ranked.agreement)]
    fit = ranked.candidate.fit
    size = None if fit is None else crystallite_size(fit)
    if size is not None:
        lines.append(
            f"size: {with_uncertainty(*size, decimals=1)} Å (integral breadth of what broadens alike at every Q)"
        )
    if fit is None or fit.uncertainty is None or file.uncertainty is None:
        return lines
    cell, sigmas = cell_record(file), file.uncertainty.cell
    # What symmetry fixes goes without saying.
    free = [name for name in cell if sigmas[name] > 0]
    lines.append(
        "cell: " + ", ".join(f"{name} {with_uncertainty(cell[name], sigmas[name])}{UNITS[name]}" for name in free)
    )
    pairs = strong_correlations(fit.uncertainty)
    lines += [f"correlation: {first} and {second} {value:+.3f}" for first, second, value in pairs[:MOST_CORRELATIONS]]
    if len(pairs) > MOST_CORRELATIONS:
        lines.append(f"{len(pairs) - MOST_CORRELATIONS} more correlations above {STRONG} are in result.json")
    return lines


def agreement_line(factors: AgreementFactors) -> str:
    """Return the agreement factors on one line, those that are not known left out."""
    parts = [
        f"Rwp {factors.rwp:.2%}",
        f"background-corrected {factors.rwp_background_corrected:.2%}",
        f"Rp {factors.rp:.2%}",
        None if factors.rexp is None else f"Rexp {factors.rexp:.2%}",
        None if factors.chi_squared is None else f"χ² {factors.chi_squared:.3g}",
        None if factors.r_bragg is None else f"RBragg {factors.r_bragg:.2%}",
        f"R²wp {factors.r2wp:.4f}",
    ]
    return f"{', '.join(part for part in parts if part)} (standard uncertainties: {factors.uncertainties})"
