"""Matrices and clusters as comma-separated values and as plain data for JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xtal_core.comparison import MetricMatrix


def write_matrix(path: Path, result: MetricMatrix) -> None:
    """Write names and values; `nan` is no match, an empty cell a pair that could not be compared."""
    compared = result.matrix.compared()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", *result.names])
        for name, values, known in zip(result.names, result.matrix.values, compared, strict=True):
            writer.writerow([name, *(repr(float(v)) if k else "" for v, k in zip(values, known, strict=True))])


def write_clusters(
    path: Path, kind: str, names: Sequence[str], clusters: Sequence[Sequence[int]], threshold: float
) -> None:
    """Write clusters, numbered from 1: a row an item where `kind` is ".csv", a list a cluster where it is ".json"."""
    if kind == ".json":
        record = {"threshold": finite(threshold), "clusters": [[names[item] for item in group] for group in clusters]}
        path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "cluster", "size"])
        for number, group in enumerate(clusters, start=1):
            writer.writerows([names[item], number, len(group)] for item in group)


def matrix_record(result: MetricMatrix, clusters: Sequence[Sequence[int]], threshold: float) -> dict[str, Any]:
    """Return everything about a matrix as JSON types; a value of null is no match, or not compared if listed so."""
    return {
        "metric": result.metric,
        "unit": result.unit,
        "better": result.better,
        "threshold": finite(threshold),
        "values": [[finite(value) for value in row] for row in result.matrix.values],
        "left_out": [{"name": item.name, "reason": item.reason} for item in result.left_out],
        "not_compared": [
            {"first": result.names[i], "second": result.names[j], "reason": reason}
            for (i, j), reason in result.matrix.failures.items()
        ],
        "clusters": [[result.names[item] for item in group] for group in clusters],
    }


def finite(value: float) -> float | None:
    """Return a number that JSON knows, or None."""
    return float(value) if math.isfinite(value) else None
