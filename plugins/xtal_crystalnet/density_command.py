"""`xtal density`: electron densities for a powder pattern and a formula."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from xtal_core.cli.run_options import (
    Axis,
    BackgroundTerms,
    Blank,
    Exclude,
    Force,
    Jobs,
    Json,
    PatternFile,
    Quiet,
    Seed,
    Wavelength,
)

#: What a folder of densities consists of.
FILES = re.compile(r"(CHGCAR|density)-\d+(\.cube)?|(slices|surfaces|comparison)\.png|result\.json")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def density(
    pattern: PatternFile,
    formula: Annotated[str, typer.Option("--formula", "-f", help="Chemical formula, e.g. TiO2.")],
    cell: Annotated[
        str | None,
        typer.Option(
            "--cell",
            metavar="'a b c α β γ'",
            help="The cell, primitive or conventional, in Å and degrees.",
            show_default="predicted",
        ),
    ] = None,
    weights: Annotated[
        str, typer.Option("--weights", help="Weights: a name (xtal weights lists them), or a file.")
    ] = "crystalnet-fast",
    draws: Annotated[int, typer.Option("--draws", "-n", min=1, help="Densities drawn.")] = 5,
    grid: Annotated[int, typer.Option("--grid", min=8, help="Points along each edge of the cell.")] = 50,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="The true structure: densities are compared with its own.")
    ] = None,
    wavelength: Wavelength = None,
    axis: Axis = "auto",
    exclude: Exclude = None,
    blank: Blank = None,
    background_terms: BackgroundTerms = None,
    device: Annotated[str, typer.Option("--device", help="Torch device: cpu, cuda, cuda:1, …")] = "cpu",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="PATTERN-density")
    ] = None,
    force: Force = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw electron densities for a powder pattern and a formula, those that describe the pattern best first.

    Writes each as a Gaussian cube file and, with the atoms found in it, as a CHGCAR, pictures of the first, and
    result.json. Densities are in e⁻/Å³: those of independent atoms, unless the weights learned others.
    """
    from xtal_core.cli.answer import prepared_pattern
    from xtal_core.problem import Formula
    from xtal_core.progress_display import progress_display
    from xtal_core.readers import read_structure
    from xtal_core.report.folder import RECORD, report_folder
    from xtal_core.report.record import to_json
    from xtal_core.workers import available_cores
    from xtal_crystalnet.density_report import Request, density_record, density_table, find_densities, write_densities

    truth = None if reference is None else read_structure(reference)
    parsed, units = Formula.parse(formula)
    request = Request(
        pattern=prepared_pattern(pattern, wavelength, axis, exclude, blank, background_terms),
        formula=parsed,
        # As for xtal solve: Ti4O8 is the content of the cell, TiO2 the formula.
        z=None if units == 1 else units,
        cell=cell,
        weights=weights,
        draws=draws,
        grid=grid,
        device=device,
        seed=seed,
        jobs=jobs or available_cores(),
        truth=truth,
    )
    target = out or Path(f"{pattern.stem}-density")
    with report_folder(target, replace=force, files=FILES) as folder:
        with progress_display(quiet=quiet or json) as progress:
            found = find_densities(request, progress)
            write_densities(folder, found, progress)
        record = density_record(request, found)
        (folder / RECORD).write_text(to_json(record), encoding="utf-8")
    if json:
        sys.stdout.write(to_json(record))
    elif not quiet:
        for line in density_table(found):
            typer.echo(line)
        typer.echo(f"written to {target}")
