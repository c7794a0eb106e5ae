"""`xtal compare`: how alike two items are, many and a reference, or all of a folder, by several metrics."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from xtal_core.comparison import Comparison, compare_each_other, compare_with
from xtal_core.errors import InputError, OptionError
from xtal_core.item import Item, LeftOut, naming
from xtal_core.metric_inputs import (
    SIMULATOR,
    ChosenMetric,
    MetricInputs,
    Simulation,
    choose_metrics,
    fitting_metrics,
    gather_inputs,
)
from xtal_core.options import parse_settings
from xtal_core.progress_display import progress_display
from xtal_core.readers import parse_radiation
from xtal_core.readers.items import ItemReader
from xtal_core.readers.patterns import AxisChoice
from xtal_core.readers.structure_table import is_structure_table
from xtal_core.registry import Registry, installed_registry
from xtal_core.report.comparison_table import (
    MOST_ITEMS,
    cluster_lines,
    failure_lines,
    matrix_summary,
    matrix_table,
    pair_table,
    reference_table,
)
from xtal_core.report.matrix_files import MatrixFiles, check_threshold
from xtal_core.workers import available_cores


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="A [B …]", help="Structures, powder patterns, tables with a column 'cif', folders."),
    ],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Metric to use; may be repeated.", show_default="all")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PLUGIN.OPTION=VALUE", help="An option of a metric (xtal plugins --options)."),
    ] = None,
    matrix: Annotated[
        Path | None, typer.Option("--matrix", metavar="FILE", help="Compare all with each other; .csv to write.")
    ] = None,
    clusters: Annotated[
        Path | None, typer.Option("--clusters", metavar="FILE", help="Likewise; clusters as .csv or .json.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Likewise; heat map and dendrogram, .png, .svg, .pdf.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Value within which all pairs of a cluster are.", show_default="the metric's"),
    ] = None,
    simulator: Annotated[
        str | None,
        typer.Option("--simulator", help="What calculates patterns of structures; adds the metrics of patterns."),
    ] = None,
    wavelength: Annotated[
        str | None, typer.Option("--wavelength", "-w", help="CuKa, CuKa1, MoKa, … or Å, of every pattern.")
    ] = None,
    size: Annotated[float | None, typer.Option("--size", help="Crystallite size in Å of simulated patterns.")] = None,
    axis: Annotated[AxisChoice, typer.Option("--axis", help="What the first column of patterns is.")] = "auto",
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processor cores to use.", show_default="all")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the files to write.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say how alike structures or powder patterns are, by every metric that can compare them.

    Two files are compared with each other; of several, the first with each of the others; a folder, a table, or
    anything with --matrix, --clusters, --plot or --threshold, all with each other. What cannot be compared is listed
    with the reason; it is an error only when nothing can.
    """
    if size is not None and not 0 < size < float("inf"):
        raise OptionError(f"the crystallite size is {size:g} Å", "give a positive size in Å")
    request = _Request(tuple(metric or ()), parse_settings(settings or []), simulator, wavelength, size, axis)
    files = MatrixFiles(matrix, clusters, plot, replace=force)
    run = _Run(request, installed_registry(), jobs or available_cores(), json)
    first, *others = paths
    if files.wanted or threshold is not None or _holds_several(first):
        _all_with_each_other(run, paths, files, threshold)
    elif not others:
        raise OptionError(
            f"there is nothing to compare {first} with", "give another file, or a folder; see xtal compare --help"
        )
    elif len(others) == 1 and not _holds_several(others[0]):
        _two(run, first, others[0])
    else:
        _with_reference(run, first, others)


@dataclass(frozen=True)
class _Request:
    """What was asked for, besides the items."""

    names: tuple[str, ...]
    settings: dict[str, dict[str, str]]
    simulator: str | None
    wavelength: str | None
    size: float | None
    axis: AxisChoice


class _Run:
    """The metrics, the reader and where results are shown."""

    def __init__(self, request: _Request, registry: Registry, jobs: int, json: bool) -> None:
        self.request, self.registry, self.jobs, self.json = request, registry, jobs, json
        simulator = request.simulator or SIMULATOR
        if request.simulator is not None:
            registry.offer("simulator", simulator)
        settings = {name: chosen for name, chosen in request.settings.items() if name != simulator}
        radiation = None if request.wavelength is None else parse_radiation(request.wavelength)
        self.metrics = choose_metrics(request.names, registry, settings)
        self.simulation = Simulation(simulator, request.settings.get(simulator, {}), radiation, request.size)
        self.reader = ItemReader(cache(self._own_suffixes), request.wavelength, request.axis)
        self._console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)

    def fitting(self, first: Sequence[Item], others: Sequence[Item]) -> list[ChosenMetric]:
        """Return the metrics that can compare one of `first` with one of `others`."""
        named, simulate = bool(self.request.names), self.request.simulator is not None
        return fitting_metrics(self.metrics, first, others, named=named, simulate=simulate)

    def working(self, first: Sequence[Item], others: Sequence[Item]) -> tuple[list[ChosenMetric], list[LeftOut]]:
        """Return those that could be created, and the others with the reason."""
        fitting = self.fitting(first, others)
        broken = [LeftOut(chosen.choice.name, chosen.error) for chosen in fitting if chosen.metric is None]
        working = [chosen for chosen in fitting if chosen.metric is not None]
        if not working:
            raise InputError("no metric that was asked for works", broken[0].reason)
        return working, broken

    def show(self, *texts: Any) -> None:
        """Print texts and tables, unless JSON is wanted."""
        for text in texts if not self.json else ():
            self._console.print(text, markup=not isinstance(text, str))

    def show_record(self, record: Any) -> None:
        """Print JSON, if it is wanted."""
        if self.json:
            sys.stdout.write(json_format.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def _own_suffixes(self) -> frozenset[str]:
        from xtal_core.interfaces import ReadsItems

        # All metrics', so that such a file is not taken for a pattern when another metric was named.
        metrics = [chosen.metric for chosen in choose_metrics([], self.registry, {})]
        return frozenset(
            suffix for metric in metrics if isinstance(metric, ReadsItems) for suffix in metric.item_suffixes
        )


def _two(run: _Run, first: Path, second: Path) -> None:
    items = [run.reader.read(first), run.reader.read(second)]
    metrics = run.fitting(items[:1], items[1:])
    with progress_display(quiet=run.json) as progress:
        inputs = gather_inputs(items, metrics, run.registry, run.simulation, progress)
        (comparisons,) = compare_with(inputs, metrics, run.jobs, progress)
    notes = _notes(inputs)
    # A metric that fails alone says so in the error below.
    run.show(*([pair_table(comparisons)] if len(comparisons) > 1 or not comparisons[0].error else []))
    run.show(*_as_lines(notes))
    run.show_record([_comparison_record(comparison) | {"notes": notes} for comparison in comparisons])
    if all(comparison.error for comparison in comparisons):
        raise InputError(f"no metric can compare {first} and {second}", comparisons[0].error)


def _with_reference(run: _Run, first: Path, others: Sequence[Path]) -> None:
    reference = run.reader.read(first)
    with progress_display(quiet=run.json) as progress:
        items, left_out = run.reader.read_all(others, progress)
        if not items:
            raise InputError("nothing can be read that could be compared", left_out[0].reason)
        metrics, broken = run.working([reference], items)
        inputs = gather_inputs([reference, *items], metrics, run.registry, run.simulation, progress)
        rows = compare_with(inputs, metrics, run.jobs, progress)
    order = sorted(range(len(items)), key=lambda index: _sorting_key(rows[index][0]))
    names, rows = [items[index].name for index in order], [rows[index] for index in order]
    notes = _notes(inputs)
    columns = zip(*rows, strict=True)
    failed = [
        line for column in columns for line in failure_lines(column[0].metric, (c.error for c in column if c.error))
    ]
    run.show(reference_table(names, rows), f"compared with {reference.name}; * is the same by that metric")
    run.show(*_as_lines(notes), *_lines([*left_out, *broken]), *failed)
    run.show_record(
        {
            "reference": reference.name,
            "items": [
                {"name": name, "comparisons": [_comparison_record(c) for c in row]}
                for name, row in zip(names, rows, strict=True)
            ],
            "left_out": [asdict(item) for item in left_out],
            "metrics_left_out": [asdict(item) for item in broken],
            "notes": notes,
        }
    )
    if all(comparison.error for row in rows for comparison in row):
        raise InputError(f"no metric can compare {reference.name} with any of these", rows[0][0].error)


def _all_with_each_other(run: _Run, paths: Sequence[Path], files: MatrixFiles, threshold: float | None) -> None:
    records, compared, reasons = [], 0, []
    with progress_display(quiet=run.json) as progress:
        items, left_out = run.reader.read_all(paths, progress)
        if len(items) < 2:
            reason = left_out[0].reason if left_out else "give at least two items"
            raise InputError(f"{len(items)} of {len(items) + len(left_out)} items can be read", reason)
        metrics, broken = run.working(items, items)
        check_threshold(threshold, names := [chosen.choice.name for chosen in metrics])
        files.check(names)
        inputs = gather_inputs(items, metrics, run.registry, run.simulation, progress)
        notes = _notes(inputs)
        run.show(*_as_lines(notes), *_lines([*left_out, *broken]))
        for result in compare_each_other(inputs, metrics, run.jobs, progress):
            reached = files.write(result, threshold, only=len(metrics) == 1)
            run.show(matrix_summary(result, reached.clusters, reached.threshold))
            run.show(*cluster_lines(result, reached.clusters), *_lines(result.left_out))
            run.show(*failure_lines(result.metric, result.matrix.failures.values()))
            if len(items) <= MOST_ITEMS and result.matrix.compared_first.any():
                run.show(matrix_table(result))
            run.show(*(f"written to {path}" for path in reached.written))
            records.append(reached.record)
            compared += int(result.matrix.compared().sum())
            reasons += [item.reason for item in result.left_out]
    run.show_record(
        {
            "items": [{"name": item.name, "kind": item.kind} for item in items],
            "left_out": [asdict(item) for item in left_out],
            "metrics": records,
            "metrics_left_out": [asdict(item) for item in broken],
            "notes": notes,
        }
    )
    if not compared:
        raise InputError("no metric can compare any two of these", reasons[0] if reasons else "")


def _holds_several(path: Path) -> bool:
    return path.is_dir() or is_structure_table(path)


def _sorting_key(comparison: Comparison) -> tuple[bool, bool, float]:
    """Return what puts the most alike first, then what has no match, then what failed."""
    value = 0.0 if comparison.value is None else comparison.value
    return bool(comparison.error), comparison.value is None, value if comparison.better == "lower" else -value


def _comparison_record(comparison: Comparison) -> dict[str, Any]:
    return asdict(comparison) | {"error": comparison.error or None, "details": dict(comparison.details)}


def _notes(inputs: MetricInputs) -> list[str]:
    """Return what readers did, and how structures were simulated."""
    notes = [f"{item.name}: {note}" for item in inputs.items for note in item.notes]
    if inputs.conditions is not None:
        notes.append(f"structures were simulated: {inputs.conditions.description}")
    return notes


def _as_lines(notes: Sequence[str]) -> list[str]:
    return [f"note: {note}" for note in notes]


def _lines(left_out: Sequence[LeftOut]) -> list[str]:
    return [f"left out: {naming(item.name, item.reason)}" for item in left_out]
