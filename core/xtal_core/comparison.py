"""How alike two structures are, by every metric that was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xtal_core.candidate import Score
from xtal_core.errors import OptionError, PluginError, XtalError, fault_of
from xtal_core.progress import Progress, SilentProgress
from xtal_core.suggest import suggest

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
        Whether the metric calls the two the same structure; "no match" is False. None when the metric failed.
    error
        Why the metric failed; empty when it did not.
    """

    same: bool | None = None
    error: str = ""


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
    its `error`. Raises OptionError for names and options that do not exist, and for a metric of patterns.
    """
    chosen = list(dict.fromkeys(names))
    candidates = chosen or registry.names("metric")
    for name in candidates:
        registry.offer("metric", name)
    for name in settings or {}:
        if name not in candidates:
            raise OptionError(f"--set names '{name}', which takes no part", suggest(name, candidates, "metrics are"))
    comparisons = []
    for name in (progress or SilentProgress()).track(candidates, "comparing"):
        try:
            metric = registry.create("metric", name, (settings or {}).get(name))
        except OptionError:
            raise
        except XtalError as error:
            comparisons.append(Comparison(name, None, error=str(error)))
            continue
        if metric.compares == "structures":
            comparisons.append(_compare(name, metric, [first, second]))
        elif chosen:
            raise OptionError(f"{name} compares patterns", "choose a metric that compares structures")
    if not comparisons:
        raise OptionError("no metric that compares structures is installed", "see xtal plugins")
    return comparisons


def _compare(name: str, metric: SimilarityMetric, pair: Sequence[Structure]) -> Comparison:
    try:
        with fault_of(name):
            # Together, so that a metric can say which of the two it refuses.
            first, second = metric.featurise(pair)
            value = float(metric.compare([first], [second])[0, 0])
            # NaN is "no match" and fails both comparisons.
            same = bool(value <= metric.same_below if metric.better == "lower" else value >= metric.same_below)
        if math.isinf(value):
            raise PluginError(name, "returned infinity; NaN is what says no match")
    except XtalError as error:
        return Comparison(name, None, metric.better, metric.unit, error=str(error))
    return Comparison(name, None if math.isnan(value) else value, metric.better, metric.unit, same=same)
