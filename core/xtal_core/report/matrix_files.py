"""The files about a matrix that were asked for: values, clusters and heat map, a set of them a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xtal_core.clustering import clusters_of, merge_tree
from xtal_core.comparison import MetricMatrix
from xtal_core.errors import OptionError
from xtal_core.report.heat_map import write_heat_map
from xtal_core.report.matrix import matrix_record, write_clusters, write_matrix
from xtal_core.report.output_file import check_output, whole_file

MATRIX_SUFFIXES = (".csv",)
CLUSTER_SUFFIXES = (".csv", ".json")
PLOT_SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Written:
    """What was made of a matrix.

    Attributes
    ----------
    clusters
        Indices of the items of each.
    threshold
        Of the clusters: as given, else the metric's own.
    record
        Everything as JSON types.
    written
        The files.
    """

    clusters: list[tuple[int, ...]]
    threshold: float
    record: dict[str, Any]
    written: tuple[Path, ...]


@dataclass(frozen=True)
class MatrixFiles:
    """Where to write values, clusters and heat map; None for nowhere.

    With several metrics, OUT.csv becomes OUT-METRIC.csv.
    """

    matrix: Path | None
    clusters: Path | None
    plot: Path | None
    replace: bool = False

    @property
    def wanted(self) -> bool:
        """Whether any file is."""
        return any(path is not None for path in (self.matrix, self.clusters, self.plot))

    def check(self, metrics: Sequence[str]) -> None:
        """Raise OptionError for a file that cannot be written, by any of `metrics`."""
        kinds = (
            (self.matrix, "--matrix", MATRIX_SUFFIXES),
            (self.clusters, "--clusters", CLUSTER_SUFFIXES),
            (self.plot, "--plot", PLOT_SUFFIXES),
        )
        for path, option, suffixes in kinds:
            if path is not None:
                for name in metrics if len(metrics) > 1 else ("",):
                    check_output(_named(path, name), option, suffixes, self.replace)

    def write(self, result: MetricMatrix, threshold: float | None, *, only: bool) -> Written:
        """Write the files about `result`, the `only` one of this run or one of several; none where nothing compared."""
        tree = merge_tree(result)
        limit = result.same_below if threshold is None else threshold
        clusters = clusters_of(result, tree, limit)
        written = []
        for path in (self.matrix, self.clusters, self.plot):
            if path is None or not len(tree.items):
                continue
            target = _named(path, "" if only else result.metric)
            with whole_file(target) as draft:
                if path is self.matrix:
                    write_matrix(draft, result)
                elif path is self.clusters:
                    write_clusters(draft, target.suffix.lower(), result.names, clusters, limit)
                else:
                    write_heat_map(draft, result, tree, limit, target.suffix.lower().removeprefix("."))
            written.append(target)
        return Written(clusters, limit, matrix_record(result, clusters, limit), tuple(written))


def check_threshold(threshold: float | None, metrics: Sequence[str]) -> None:
    """Raise OptionError for a threshold that would be applied to the values of several `metrics`."""
    if threshold is not None and len(metrics) > 1:
        raise OptionError(f"--threshold {threshold:g} would be that of {', '.join(metrics)}", "give one --metric")


def _named(path: Path, metric: str) -> Path:
    return path.with_name(f"{path.stem}-{metric}{path.suffix}") if metric else path
