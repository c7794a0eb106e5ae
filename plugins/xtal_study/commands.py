"""`xtal study`: which similarity measures agree, and which one sees what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from xtal_study.correlation_study import CorrelationStudy
    from xtal_study.sensitivity_study import SensitivityStudy

app = typer.Typer(help="Study similarity measures.", no_args_is_help=True, rich_markup_mode=None, add_completion=False)

Sources = Annotated[
    list[Path],
    typer.Argument(metavar="SOURCE...", help="Structure files, folders of them, CSV(.gz) tables with a column cif."),
]
Out = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="Folder for all results; an interrupted study in it is continued."),
]
Pages = Annotated[
    list[Path] | None,
    typer.Option("--page", metavar="DIR", help="Also write page, figures and summary there; nothing about structures."),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        "-m",
        metavar="METRIC[@VIEW]",
        help="Metric to use; may be repeated. Views: one-element, same-volume, geometry.",
        show_default="all",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="METRIC.OPTION=VALUE", help="An option of a metric (xtal plugins --options)."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Structures drawn at random from the sources. Default: all.")]
Seed = Annotated[int, typer.Option(min=0, help="Where randomness starts; the same seed gives the same study.")]
SimulatorName = Annotated[str, typer.Option("--simulator", help="What calculates patterns for metrics of patterns.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON instead of the page.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")]


@app.command()
def correlate(
    sources: Sources,
    out: Out,
    candidates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Predictions: a subfolder of CIF files for each structure, named like it."),
    ] = None,
    page: Pages = None,
    metric: Metrics = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC[@VIEW]",
            help="What the others are compared with; may be repeated.",
            show_default="structure-matcher, with and without elements",
        ),
    ] = None,
    settings: Settings = None,
    pairs: Annotated[int, typer.Option(min=1, help="Most pairs of each kind.")] = 500,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of the intervals.")] = 1000,
    limit: Limit = None,
    seed: Seed = 0,
    simulator: SimulatorName = "powder",
    jobs: Jobs = 2,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Correlate every metric with StructureMatcher over the pairs that it matches.

    Pairs are drawn so that they are informative: of one formula, of one structure type, of one stoichiometry,
    unrelated ones, modified copies, and candidates with their references.
    """
    from xtal_core.options import parse_settings
    from xtal_core.progress_display import progress_display
    from xtal_core.registry import installed_registry
    from xtal_study.correlation_page import published_tables
    from xtal_study.records import correlation_record, made_from
    from xtal_study.study_files import check_folder, write_correlation_study
    from xtal_study.study_runs import CorrelationRequest, study_correlations

    request = CorrelationRequest(
        sources=tuple(sources),
        metrics=tuple(metric or ()),
        settings=parse_settings(settings or []),
        limit=limit,
        seed=seed,
        simulator=simulator,
        jobs=jobs,
        folder=out,
        candidates=candidates,
        references=tuple(against or ()),
        pairs=pairs,
        resamples=resamples,
    )
    check_folder(out)
    with progress_display(quiet) as progress:
        study = study_correlations(request, installed_registry(), progress)
    record = correlation_record(study, made_from(request, study.measured, installed_registry()))
    write_correlation_study(study, record, out, page or [])
    _report(study, record, published_tables(study), out / "correlation.md", json, quiet)


@app.command()
def sensitivity(
    sources: Sources,
    out: Out,
    page: Pages = None,
    metric: Metrics = None,
    settings: Settings = None,
    limit: Limit = None,
    seed: Seed = 0,
    simulator: SimulatorName = "powder",
    jobs: Jobs = 2,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Modify structures in known ways, and show which metric sees what.

    Thermal expansion against one displaced atom; other cells, origins, axes and orders of the same crystal; noise on
    all atoms; other elements; mirror images.
    """
    from xtal_core.options import parse_settings
    from xtal_core.progress_display import progress_display
    from xtal_core.registry import installed_registry
    from xtal_study.records import made_from, sensitivity_record
    from xtal_study.sensitivity_page import value_table, value_table_heading
    from xtal_study.study_files import check_folder, write_sensitivity_study
    from xtal_study.study_runs import Request, study_sensitivity

    request = Request(
        sources=tuple(sources),
        metrics=tuple(metric or ()),
        settings=parse_settings(settings or []),
        limit=limit,
        seed=seed,
        simulator=simulator,
        jobs=jobs,
        folder=out,
    )
    check_folder(out)
    with progress_display(quiet) as progress:
        study = study_sensitivity(request, installed_registry(), progress)
    record = sensitivity_record(study, made_from(request, study.measured, installed_registry()))
    write_sensitivity_study(study, record, out, page or [])
    shown = f"{value_table_heading(study)}:\n\n{value_table(study)}"
    _report(study, record, shown, out / "sensitivity.md", json, quiet)


def _report(
    study: CorrelationStudy | SensitivityStudy,
    record: dict[str, Any],
    text: str,
    page: Path,
    json: bool,
    quiet: bool,
) -> None:
    """Print the summary as JSON, or `text` and where the page is, and what was left out."""
    from xtal_study.records import json_text

    if quiet:
        return
    if json:
        sys.stdout.write(json_text(record))
    else:
        typer.echo(f"{text}\n{page}")
    if study.refusals:
        typer.echo(f"{len(study.refusals)} structures take no part: see refused.csv", err=True)
    for name, reason in study.unavailable.items():
        typer.echo(f"{name} takes no part: {reason}", err=True)
    for measured in study.measured:
        if measured.failures:
            reason = next(iter(measured.failures.values()))
            typer.echo(f"{measured.name}: {len(measured.failures)} pairs not compared, e.g. {reason}", err=True)
