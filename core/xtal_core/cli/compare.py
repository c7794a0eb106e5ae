"""`xtal compare`: how alike two structures are, by several metrics side by side."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xtal_core.comparison import Comparison, compare_structures
from xtal_core.errors import InputError
from xtal_core.options import parse_settings
from xtal_core.progress_display import progress_display
from xtal_core.readers import read_structure
from xtal_core.registry import installed_registry


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A structure file.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Metric to use; may be repeated.", show_default="all")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METRIC.OPTION=VALUE", help="An option of a metric (xtal plugins --options)."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a list of JSON objects, one a metric.")] = False,
) -> None:
    """Say how alike two structures are, by every metric that compares structures.

    A metric that fails is listed with its reason; it is an error only when all fail.
    """
    pair = read_structure(first), read_structure(second)
    choice = metric or [], installed_registry(), parse_settings(settings or [])
    with progress_display() as progress:
        comparisons = compare_structures(*pair, *choice, progress)
    if json:
        records = [asdict(comparison) | {"error": comparison.error or None} for comparison in comparisons]
        sys.stdout.write(json_format.dumps(records, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
        console.print(_table(comparisons))
    if all(comparison.error for comparison in comparisons):
        raise InputError(f"no metric can compare {first} and {second}", comparisons[0].error)


def _table(comparisons: Sequence[Comparison]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("more alike", no_wrap=True)
    table.add_column("same structure", overflow="fold")
    for comparison in comparisons:
        if comparison.error:
            table.add_row(comparison.metric, "failed", "", "", escape(comparison.error))
            continue
        table.add_row(
            comparison.metric,
            "no match" if comparison.value is None else f"{comparison.value:.4f}",
            escape(comparison.unit),
            comparison.better,
            "yes" if comparison.same else "no",
        )
    return table
