"""A solution as tables: on the terminal and as comma-separated values."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from xtal_core.candidate import Solution
from xtal_core.report.cif import CrystalFile
from xtal_core.report.record import cell_record


def solution_table(solution: Solution, files: Sequence[CrystalFile]) -> Table:
    """Return the candidates of `solution`, written as `files`, for the terminal.

    With a reference, a column a metric says how close each came to it.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("R²wp", justify="right", no_wrap=True)
    table.add_column("space group", no_wrap=True)
    table.add_column("cell (Å, °)", no_wrap=True)
    table.add_column("V (Å³)", justify="right", no_wrap=True)
    table.add_column("origin", overflow="fold")
    table.add_column("same", justify="right")
    names = _reference_metrics(solution)
    for name in names:
        table.add_column(name, justify="right")
    for ranked, file in zip(solution.ranked, files, strict=True):
        cell = cell_record(file)
        scores = {score.metric: score.value for score in ranked.reference_scores}
        fit = ranked.candidate.fit
        table.add_row(
            str(ranked.rank),
            "" if fit is None else f"{fit.residual:.4f}",
            f"{ranked.space_group[0]} ({ranked.space_group[1]})",
            _cell_text(cell),
            f"{cell['volume']:.1f}",
            escape(f"{ranked.candidate.generator}: {ranked.candidate.origin}".removesuffix(": ")),
            str(ranked.duplicates),
            *("no match" if scores.get(name) is None else f"{scores[name]:.4f}" for name in names),
        )
    return table


def write_candidates(path: Path, solution: Solution, files: Sequence[CrystalFile]) -> None:
    """Write one line a candidate to `path`."""
    names = _reference_metrics(solution)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["rank", "file", "r2wp", "rwp", "space_group", "space_group_number", "formula"]
            + ["a", "b", "c", "alpha", "beta", "gamma", "volume", "generator", "origin", "duplicates"]
            + [f"reference {name}" for name in names]
        )
        for ranked, file in zip(solution.ranked, files, strict=True):
            candidate = ranked.candidate
            scores = {score.metric: score.value for score in ranked.reference_scores}
            writer.writerow(
                [ranked.rank, file.name, "" if candidate.fit is None else f"{candidate.fit.residual:.6g}"]
                + ["" if ranked.agreement is None else f"{ranked.agreement.rwp:.6g}"]
                + [*ranked.space_group, candidate.structure.composition.reduced_formula]
                + [f"{value:.6f}" for value in cell_record(file).values()]
                + [candidate.generator, candidate.origin, ranked.duplicates]
                + ["" if scores.get(name) is None else f"{scores[name]:.6g}" for name in names]
            )


def write_pattern(path: Path, solution: Solution) -> None:
    """Write the measured pattern and how the first candidate describes it to `path`."""
    pattern = solution.problem.pattern
    columns = {"two_theta_degrees": pattern.two_theta, "q_per_angstrom": pattern.q, "observed": pattern.intensity}
    if pattern.uncertainty is not None:
        columns["uncertainty"] = pattern.uncertainty
    if pattern.excluded is not None:
        columns["excluded"] = pattern.excluded.astype(float)
    if pattern.blank is not None:
        columns["blank"] = pattern.blank
    fit = solution.ranked[0].candidate.fit if solution.ranked else None
    if fit is not None:
        columns["calculated"] = fit.calculated
        columns["background"] = fit.background
        columns["difference"] = pattern.intensity - fit.calculated
    rows = np.column_stack(list(columns.values()))
    np.savetxt(path, rows, fmt="%.8g", delimiter=",", header=",".join(columns), comments="", encoding="utf-8")


def _reference_metrics(solution: Solution) -> list[str]:
    return [score.metric for score in solution.ranked[0].reference_scores] if solution.ranked else []


def _cell_text(cell: dict[str, float]) -> str:
    """Return lengths and, on a second line where they are not 90°, angles."""
    text = " ".join(f"{cell[name]:.3f}" for name in ("a", "b", "c"))
    angles = [cell[name] for name in ("alpha", "beta", "gamma")]
    return text if np.allclose(angles, 90, atol=0.005) else text + "\n" + " ".join(f"{angle:.2f}" for angle in angles)
