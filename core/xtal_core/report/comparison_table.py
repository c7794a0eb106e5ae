"""Comparisons as tables for the terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from rich.markup import escape
from rich.table import Table

from xtal_core.comparison import Comparison, MetricMatrix

#: Most items whose matrix, most clusters and members of each, and most reasons of a metric that are shown in full.
MOST_ITEMS, MOST_CLUSTERS, MOST_MEMBERS, MOST_REASONS = 12, 20, 8, 20


def pair_table(comparisons: Sequence[Comparison]) -> Table:
    """Return the comparisons of two items, a row a metric."""
    detailed = any(comparison.details for comparison in comparisons)
    table = _table()
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("more alike", no_wrap=True)
    table.add_column("same structure", overflow="fold")
    if detailed:
        table.add_column("details", overflow="fold")
    for comparison in comparisons:
        details = (
            [", ".join(f"{key} {_detail(value)}" for key, value in comparison.details.items())] if detailed else []
        )
        if comparison.error:
            table.add_row(comparison.metric, "failed", "", "", escape(comparison.error), *details)
            continue
        verdict = "yes" if comparison.same else "no"
        value = _shown(comparison)
        table.add_row(
            comparison.metric, value, escape(comparison.unit), comparison.better, verdict, *map(escape, details)
        )
    return table


def reference_table(names: Sequence[str], rows: Sequence[Sequence[Comparison]]) -> Table:
    """Return the comparisons of many items with one, a row an item and a column a metric; * marks the same."""
    table = _table()
    table.add_column("item", overflow="fold")
    for comparison in rows[0]:
        unit = next((row.unit for column in rows for row in column if row.metric == comparison.metric and row.unit), "")
        table.add_column(f"{comparison.metric}{f' ({escape(unit)})' if unit else ''}", justify="right")
    for name, comparisons in zip(names, rows, strict=True):
        cells = ["failed" if c.error else f"{_shown(c)}{'*' if c.same else ' '}" for c in comparisons]
        table.add_row(escape(name), *cells)
    return table


def matrix_table(result: MetricMatrix) -> Table:
    """Return a small matrix: rows are the first items of the pairs."""
    compared = result.matrix.compared()
    table = _table()
    table.add_column(escape(f"{result.metric} ({result.unit})" if result.unit else result.metric), overflow="fold")
    for number in range(1, len(result.names) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    for i, name in enumerate(result.names):
        cells = [
            "no match" if known and math.isnan(value) else f"{value:.4f}" if known else "–"
            for value, known in zip(result.matrix.values[i], compared[i], strict=True)
        ]
        table.add_row(escape(f"{i + 1} {name}"), *cells)
    return table


def matrix_summary(result: MetricMatrix, clusters: Sequence[Sequence[int]], threshold: float) -> str:
    """Return in a line how many pairs were compared and how many clusters there are."""
    compared = result.matrix.compared()
    unmatched = int((compared & np.isnan(result.matrix.values)).sum())
    pairs = int(compared.sum() - compared.diagonal().sum())
    if math.isinf(threshold):
        rule = "any two members match"
    else:
        unit = f" {result.unit}" if result.unit else ""
        rule = f"any two members are {'≤' if result.better == 'lower' else '≥'} {threshold:g}{unit}"
    several = sum(len(group) > 1 for group in clusters)
    return (
        f"{result.metric}: {int(result.matrix.compared_first.sum())} items, {pairs} ordered pairs"
        f"{f', {unmatched} without a match' if unmatched else ''}; "
        f"{len(clusters)} clusters in which {rule}, {several} of them of more than one item"
    )


def cluster_lines(result: MetricMatrix, clusters: Sequence[Sequence[int]]) -> list[str]:
    """Return the largest clusters of more than one item, a line each."""
    several = sorted((group for group in clusters if len(group) > 1), key=len, reverse=True)
    lines = []
    for group in several[:MOST_CLUSTERS]:
        shown = ", ".join(result.names[item] for item in group[:MOST_MEMBERS])
        more = f" and {len(group) - MOST_MEMBERS} more" if len(group) > MOST_MEMBERS else ""
        lines.append(f"  {len(group)} items: {shown}{more}")
    if len(several) > MOST_CLUSTERS:
        lines.append(f"  and {len(several) - MOST_CLUSTERS} smaller ones")
    return lines


def failure_lines(metric: str, reasons: Iterable[str]) -> list[str]:
    """Return why a metric failed, each reason once."""
    counts = Counter(reasons).most_common()
    lines = [
        f"{metric} failed{f' for {count} pairs' if count > 1 else ''}: {reason}"
        for reason, count in counts[:MOST_REASONS]
    ]
    if len(counts) > MOST_REASONS:
        lines.append(f"{metric} failed for {len(counts) - MOST_REASONS} other reasons; --json lists them all")
    return lines


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="bold")


def _detail(value: float) -> str:
    return f"{value:.5g}" if not isinstance(value, bool) else "yes" if value else "no"


def _shown(comparison: Comparison) -> str:
    return "no match" if comparison.value is None else f"{comparison.value:.4f}"
