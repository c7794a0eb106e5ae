"""`xtal library`: make, fill and inspect structure libraries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xtal_prototype.library import Refusal

app = typer.Typer(help="Manage structure libraries.", no_args_is_help=True, rich_markup_mode=None, add_completion=False)

LibraryOption = Annotated[
    Path | None,
    typer.Option("--library", metavar="FILE", help="Library file. Default: XTAL_LIBRARY, else the user's data folder."),
]


@app.command()
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="CIF files, folders of CIF, CSV(.gz) tables.")],
    library: LibraryOption = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Add structures to a library; what it already holds is skipped, so an interrupted run can be repeated."""
    from xtal_core.errors import InputError
    from xtal_core.progress_display import progress_display
    from xtal_prototype.ingest import IngestReport, add_structures
    from xtal_prototype.library import StructureLibrary, library_path

    path = library_path(library)
    report = IngestReport()
    with StructureLibrary.open_for_adding(path) as opened:
        try:
            with progress_display() as progress:
                add_structures(opened, paths, report, jobs, progress)
        finally:
            for refusal in report.refusals:
                typer.echo(f"not added: {refusal.source}: {refusal.reason}", err=True)
            if report.added or report.known:
                typer.echo(
                    f"{path}: {report.added} added, {report.known} known before, {len(report.refusals)} not added; "
                    f"{opened.counts().structures} structures in all"
                )
    if not (report.added or report.known):
        raise InputError("no structure could be added", "correct the files or give others", path)


@app.command()
def info(
    library: LibraryOption = None,
    refused: Annotated[bool, typer.Option("--refused", help="List what was not added, and why.")] = False,
) -> None:
    """Say what a library holds."""
    from xtal_prototype.library import StructureLibrary, library_path

    path = library_path(library)
    with StructureLibrary.open(path) as opened:
        counts = opened.counts()
        typer.echo(f"file          {path}")
        typer.echo(f"structures    {counts.structures}")
        typer.echo(f"types         {counts.types}")
        typer.echo(f"compositions  {counts.compositions} (without regard to the elements)")
        typer.echo(f"not added     {counts.refused}")
        if refused:
            for refusal in opened.refusals():
                typer.echo(f"{refusal.source}: {refusal.reason}")


@app.command("list")
def list_structures(
    formula: Annotated[str, typer.Option(help="Formula, reduced or not: TiO2 finds Ti4O8 too.")],
    library: LibraryOption = None,
) -> None:
    """List the structures of a formula."""
    from xtal_core.problem import Formula
    from xtal_prototype.library import StructureLibrary, library_path
    from xtal_prototype.reading import format_formula

    reduced, _ = Formula.parse(formula)
    with StructureLibrary.open(library_path(library)) as opened:
        for source, label, space_group, z in opened.listing(format_formula(dict(reduced.amounts))):
            typer.echo(f"{source}\t{label}\tspace group {space_group}\tZ = {z}")


TablesOption = Annotated[list[Path], typer.Option("--from", metavar="CSV", help="Table with a column cif; repeatable.")]


@app.command()
def fit_volumes(out: Annotated[Path, typer.Argument(help="JSON file to write.")], tables: TablesOption) -> None:
    """Fit the atomic volumes that ship with the package."""
    import numpy as np

    from xtal_prototype.atomic_volumes import expected_volume
    from xtal_prototype.volume_fit import fit_volumes, read_compositions, volume_spread, write_volumes

    contents, volumes, refusals = read_compositions(tables)
    _report_unused(refusals)
    table = fit_volumes(contents, volumes)
    write_volumes(out, table)
    spread = volume_spread(np.array([expected_volume(content, table) for content in contents]), volumes)
    typer.echo(
        f"{out}: {len(table)} elements from {spread.n} structures; relative error {spread.median:.3f} (median), "
        f"{spread.ninetieth:.3f} (90 %)"
    )


@app.command()
def fit_table(out: Annotated[Path, typer.Argument(help="Table file (.npz) to write.")], tables: TablesOption) -> None:
    """Fit the prototype table that ships with the package; an interrupted fit can be repeated."""
    from xtal_core.progress_display import progress_display
    from xtal_prototype.table_fit import fit_table

    with progress_display() as progress:
        report = fit_table(out, tables, progress)
    _report_unused(report.refusals)
    typer.echo(f"{out}: {report.entries} entries from {report.aggregated} of {report.structures} structures")


@app.command()
def fit_substitutions(
    out: Annotated[Path, typer.Argument(help="Table file (.npz) to write.")],
    table: Annotated[Path, typer.Option("--table", help="Prototype table to count in.")],
) -> None:
    """Fit the substitution scores that ship with the package to the species in a prototype table."""
    from xtal_prototype.atomic_volumes import element_volumes
    from xtal_prototype.substitution_fit import fit_substitutions, write_substitutions
    from xtal_prototype.table import read_entries

    slots = [counts for entry in read_entries(table) for counts in entry.site_species]
    numbers, scores = fit_substitutions(slots, element_volumes())
    write_substitutions(out, numbers, scores)
    typer.echo(f"{out}: {len(numbers)} elements from {len(slots)} species")


def _report_unused(refusals: list[Refusal]) -> None:
    for refusal in refusals:
        typer.echo(f"not used: {refusal.source}: {refusal.reason}", err=True)
