"""How alike items are by every metric that was asked for: two, one with many, or all with each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from xtal_core.candidate import Score
from xtal_core.errors import fault_of
from xtal_core.item import Item, LeftOut, naming
from xtal_core.metric_inputs import (
    ChosenMetric,
    MetricInputs,
    Simulation,
    choose_metrics,
    features_of,
    fitting_metrics,
    gather_inputs,
)
from xtal_core.progress import Progress, SilentProgress
from xtal_core.similarity_matrix import Features, SimilarityMatrix, compare_all

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from xtal_core.interfaces import SimilarityMetric
    from xtal_core.registry import Registry


@dataclass(frozen=True)
class Comparison(Score):
    """A score with the metric's verdict, or why there is none.

    Attributes
    ----------
    same
        Whether the metric calls the two the same; "no match" is False. None when the metric failed.
    error
        Why the metric failed; empty when it did not.
    details
        What the value depended on, where the metric says so (`ExplainsPairs`).
    """

    same: bool | None = None
    error: str = ""
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class MetricMatrix:
    """All items compared with each other by one metric.

    Attributes
    ----------
    names
        Of the items, in the order of rows and columns.
    matrix
        Where an item was refused, row and column are not compared.
    left_out
        The refused items, with the reasons.
    """

    metric: str
    unit: str
    better: str
    same_below: float
    names: tuple[str, ...]
    matrix: SimilarityMatrix
    left_out: tuple[LeftOut, ...]


def compare_structures(
    first: Structure,
    second: Structure,
    names: Iterable[str],
    registry: Registry,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> list[Comparison]:
    """Return how alike `first` and `second` are by each of the metrics `names`; all that compare structures if empty.

    `settings` is {metric: {option: value}}. A metric that cannot take one of the structures, or fails, is returned with
    its `error`. Metrics of patterns, if named, compare simulated ones (see `gather_inputs`). Raises OptionError for
    names and options that do not exist.
    """
    named = list(names)
    items = [Item("the first structure", first), Item("the second structure", second)]
    metrics = choose_metrics(named, registry, settings or {})
    metrics = fitting_metrics(metrics, items[:1], items[1:], named=bool(named), simulate=False)
    inputs = gather_inputs(items, metrics, registry, Simulation(), progress)
    return compare_with(inputs, metrics, progress=progress)[0]


def compare_with(
    inputs: MetricInputs, metrics: Sequence[ChosenMetric], jobs: int = 1, progress: Progress | None = None
) -> list[list[Comparison]]:
    """Return how alike the first item and each of the others are: a list an item, of one comparison a metric.

    The first item is the first of every pair: the observed one for metrics that have a direction.
    """
    progress = progress or SilentProgress()
    columns = [_compare_with_first(inputs, chosen, jobs, progress) for chosen in progress.track(metrics, "comparing")]
    return [[column[index] for column in columns] for index in range(len(inputs.items) - 1)]


def compare_each_other(
    inputs: MetricInputs, metrics: Iterable[ChosenMetric], jobs: int = 1, progress: Progress | None = None
) -> Iterator[MetricMatrix]:
    """Yield the matrix of all items by each metric, as soon as it is there.

    A metric that could not be created refuses every item.
    """
    for chosen in metrics:
        names = tuple(item.name for item in inputs.items)
        features = features_of(inputs, chosen, jobs, progress)
        metric = chosen.metric
        if metric is None:
            nothing = np.zeros(len(names), dtype=bool)
            matrix = SimilarityMatrix(np.full((len(names), len(names)), np.nan), {}, nothing, nothing)
        else:
            matrix = compare_all(chosen.choice, features, jobs=jobs, progress=progress)
        yield MetricMatrix(
            metric=chosen.choice.name,
            unit="" if metric is None else metric.unit,
            better="lower" if metric is None else metric.better,
            same_below=math.nan if metric is None else metric.same_below,
            names=names,
            matrix=matrix,
            left_out=tuple(LeftOut(names[index], reason) for index, reason in sorted(features.refusals.items())),
        )


def _compare_with_first(inputs: MetricInputs, chosen: ChosenMetric, jobs: int, progress: Progress) -> list[Comparison]:
    name, metric = chosen.choice.name, chosen.metric
    features = features_of(inputs, chosen, jobs, progress)
    reasons = {index: naming(inputs.items[index].name, reason) for index, reason in features.refusals.items()}
    if metric is None or 0 in reasons:
        error = chosen.error if metric is None else reasons[0]
        return [Comparison(name, None, error=error) for _ in inputs.items[1:]]
    first = Features(features.values[:1], {})
    rest = Features(features.values[1:], {index - 1: reason for index, reason in reasons.items()})
    matrix = compare_all(chosen.choice, first, rest, jobs, progress)
    errors = dict(rest.refusals) | {column: reason for (_, column), reason in matrix.failures.items()}
    comparisons = []
    for index, value in enumerate(matrix.values[0]):
        if index in errors:
            comparisons.append(Comparison(name, None, metric.better, metric.unit, error=errors[index]))
            continue
        details = {} if math.isnan(value) else _explanation(metric, name, first.values[0], rest.values[index])
        comparisons.append(
            Comparison(
                name,
                None if math.isnan(value) else float(value),
                metric.better,
                metric.unit,
                same=is_same(float(value), metric),
                details=details,
            )
        )
    return comparisons


def is_same(value: float, metric: SimilarityMetric) -> bool:
    """Return whether `metric` calls two items with this value the same; "no match", NaN, is not."""
    return bool(value <= metric.same_below if metric.better == "lower" else value >= metric.same_below)


def _explanation(metric: SimilarityMetric, name: str, first: Any, second: Any) -> dict[str, float]:
    from xtal_core.interfaces import ExplainsPairs

    if not isinstance(metric, ExplainsPairs):
        return {}
    with fault_of(name):
        details = metric.explain(first, second)
        return {key: value if isinstance(value, bool) else float(value) for key, value in details.items()}
