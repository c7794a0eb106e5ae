"""`xtal library`: make, fill and inspect structure libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    from xtal_prototype.ingest import IngestReport, add_structures
    from xtal_prototype.library import StructureLibrary, library_path
    from xtal_prototype.progress_bar import ProgressBar

    path = library_path(library)
    report = IngestReport()
    with StructureLibrary.open_for_adding(path) as opened:
        try:
            add_structures(opened, paths, report, jobs, ProgressBar())
        finally:
            for refusal in report.refusals:
                typer.echo(f"not added: {refusal.source}: {refusal.reason}", err=True)
            typer.echo(
                f"{path}: {report.added} added, {report.known} known before, {len(report.refusals)} not added; "
                f"{opened.counts().structures} structures in all"
            )


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
