"""Writes a solution into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xtal_core.candidate import Solution
from xtal_core.report.cif import CrystalFile
from xtal_core.report.folder import RECORD
from xtal_core.report.plot import write_plot
from xtal_core.report.powder_cif import powder_cif
from xtal_core.report.record import solution_record, to_json
from xtal_core.report.table import write_candidates, write_pattern


def write_report(folder: Path, solution: Solution, files: Sequence[CrystalFile]) -> None:
    """Write CIFs (`files`), tables, pattern, plot and record of `solution` into the empty `folder`."""
    for file in files:
        (folder / file.name).write_text(file.text, encoding="utf-8")
    write_candidates(folder / "candidates.csv", solution, files)
    write_pattern(folder / "pattern.csv", solution)
    text = powder_cif(solution, files)
    if text is not None:
        (folder / "pattern.cif").write_text(text, encoding="ascii")
    write_plot(folder / "plot.png", solution, files)
    (folder / RECORD).write_text(to_json(solution_record(solution, files)), encoding="utf-8")
