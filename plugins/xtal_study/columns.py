"""Computes the columns of a study and keeps each as soon as it is finished, so that an interrupted study goes on.

A column is a file in the folder `columns` of the study, named after the column and a hash of all that its values depend
on: pairs, structures, metric, options, version. Another study in the same folder makes other files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xtal_core.errors import OptionError, XtalError
from xtal_core.interfaces import Simulator
from xtal_core.pattern import FloatArray
from xtal_core.progress import Progress
from xtal_core.registry import Registry
from xtal_core.similarity_matrix import MetricChoice, PairValues, compare_pairs, featurise_all
from xtal_core.suggest import suggest
from xtal_study.views import Column, items_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

FOLDER = "columns"


@dataclass(frozen=True, eq=False)
class Measured:
    """A column with its values.

    Attributes
    ----------
    column
        What it is.
    unit, better, same_below
        Of the metric.
    values : (n_pairs,)
        NaN where there is no match, and for pairs in `failures`.
    failures
        {index of the pair: why it could not be compared}.
    """

    column: Column
    unit: str
    better: str
    same_below: float
    values: FloatArray
    failures: Mapping[int, str]

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.column.name

    @property
    def distances(self) -> FloatArray:
        """(n_pairs,) values, their sign changed where higher is more alike: lower is always more alike."""
        return self.values if self.better == "lower" else -self.values

    @property
    def compared(self) -> NDArray[np.bool_]:
        """(n_pairs,) whether the metric could compare the pair, if only to say that there is no match."""
        mask = np.ones(len(self.values), dtype=bool)
        mask[list(self.failures)] = False
        return mask

    @property
    def same(self) -> NDArray[np.bool_]:
        """(n_pairs,) whether the metric calls the two the same structure."""
        # NaN is "no match" and fails both comparisons.
        return self.values <= self.same_below if self.better == "lower" else self.values >= self.same_below


class ColumnStore:
    """The finished columns of a study.

    `folder` is the study's; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder / FOLDER

    def find(self, name: str, digest: str) -> PairValues | None:
        """Return the values of the column called `name` if they were kept under `digest`."""
        path = self._path(name, digest)
        if path is None or not path.is_file():
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        values = np.array([np.nan if value is None else value for value in record["values"]], dtype=float)
        return PairValues(values, {int(index): reason for index, reason in record["failures"].items()})

    def keep(self, name: str, digest: str, found: PairValues) -> None:
        """Write a finished column: completely or not at all."""
        path = self._path(name, digest)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        values = [None if np.isnan(value) else float(value) for value in found.values]
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps({"values": values, "failures": dict(found.failures)}), encoding="utf-8")
        draft.replace(path)

    def _path(self, name: str, digest: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{name}-{digest[:12]}.json"


@dataclass(frozen=True, eq=False)
class Bench:
    """What columns are computed with.

    Attributes
    ----------
    registry
        Where metrics come from.
    settings
        {metric: {option: value}}.
    simulator
        What calculates patterns for metrics that compare these; None where no column does.
    jobs
        Processes.
    progress
        Where to report progress.
    store
        What keeps finished columns.
    """

    registry: Registry
    settings: Mapping[str, Mapping[str, Any]]
    simulator: Simulator | None
    jobs: int
    progress: Progress
    store: ColumnStore


def usable_metrics(
    registry: Registry, settings: Mapping[str, Mapping[str, Any]], simulator: str
) -> tuple[list[str], dict[str, str]]:
    """Return the metrics that work here, and {name: why not} of the others (a package is missing, say).

    `simulator` names what would calculate patterns for the metrics that compare these. Raises OptionError for bad
    settings.
    """
    names: list[str] = []
    reasons: dict[str, str] = {}
    for name in registry.names("metric"):
        try:
            if registry.create("metric", name, settings.get(name)).compares == "patterns":
                registry.create("simulator", simulator)
        except OptionError:
            raise
        except XtalError as error:
            reasons[name] = str(error)
        else:
            names.append(name)
    return names, reasons


def simulator_for(
    columns: Sequence[Column], registry: Registry, settings: Mapping[str, Mapping[str, Any]], simulator: str
) -> Simulator | None:
    """Return the simulator called `simulator` if one of `columns` compares patterns.

    Raises PluginError when it, or one of the metrics, cannot be created.
    """
    for column in columns:
        if registry.create("metric", column.metric, settings.get(column.metric)).compares == "patterns":
            return registry.create("simulator", simulator)
    return None


def check_settings(settings: Mapping[str, Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Raise OptionError for settings of a metric that takes no part."""
    metrics = {column.metric for column in columns}
    for name in settings:
        if name not in metrics:
            raise OptionError(f"--set names '{name}', which takes no part", suggest(name, metrics, "metrics are"))


def measure(
    columns: Sequence[Column], structures: Sequence[Structure], pairs: Sequence[tuple[int, int]], bench: Bench
) -> list[Measured]:
    """Return the values of `columns` for `pairs`, (n_pairs, 2) indices of `structures`.

    Columns that the store of `bench` holds are not computed again.
    """
    digest = _digest(structures, pairs)
    return [_measure(column, structures, pairs, bench, digest) for column in columns]


def _measure(
    column: Column,
    structures: Sequence[Structure],
    pairs: Sequence[tuple[int, int]],
    bench: Bench,
    inputs: str,
) -> Measured:
    settings = bench.settings.get(column.metric, {})
    choice = MetricChoice(column.metric, bench.registry, settings)
    metric = choice.create()
    offer = bench.registry.offer("metric", column.metric)
    options = bench.registry.options("metric", column.metric, settings)
    made_of = [inputs, column.name, offer.distribution, offer.version, None if options is None else asdict(options)]
    digest = hashlib.sha256(json.dumps(made_of, default=str).encode()).hexdigest()
    found = bench.store.find(column.name, digest)
    if found is None:
        items = items_of(column, metric.compares, structures, bench.simulator)
        features = featurise_all(choice, items, bench.jobs, bench.progress)
        found = compare_pairs(choice, features, pairs, bench.jobs, bench.progress)
        bench.store.keep(column.name, digest, found)
    return Measured(column, metric.unit, metric.better, metric.same_below, found.values, found.failures)


def _digest(structures: Sequence[Structure], pairs: Sequence[tuple[int, int]]) -> str:
    digest = hashlib.sha256(np.asarray(pairs, dtype=np.int64).tobytes())
    for structure in structures:
        digest.update(np.round(structure.lattice.matrix, 9).tobytes())
        digest.update(np.round(structure.frac_coords, 9).tobytes())
        digest.update(np.array(structure.atomic_numbers).tobytes())
    return digest.hexdigest()
