"""One metric over many items: features once an item, then the pairs, by several processes where it lasts.

    choice = MetricChoice("amd", installed_registry(), {"k": 100})
    features = featurise_all(choice, structures, jobs=4)
    matrix = compare_all(choice, features, jobs=4)                        # every item with every item
    values = compare_pairs(choice, features, [(0, 3), (1, 2)], jobs=4)    # only these

What a metric refuses is kept with its reason, and the rest goes on. Values do not depend on `jobs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xtal_core.errors import PluginError, XtalError, fault_of
from xtal_core.pattern import FloatArray
from xtal_core.progress import Progress, SilentProgress
from xtal_core.workers import in_order

if TYPE_CHECKING:
    from xtal_core.interfaces import SimilarityMetric
    from xtal_core.registry import Registry

#: Items a chunk of featurising.
ITEMS = 16

#: Edge of the blocks that a matrix is computed in, and of the smallest ones on its diagonal, where both halves of a
#: symmetric matrix are computed.
BLOCK, SMALLEST_BLOCK = 32, 4

#: Pairs a chunk when single pairs are asked for.
PAIRS = 64

#: Positions of features in the first and in the second list, all of the one compared with all of the other.
Block = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class MetricChoice:
    """A metric as it was asked for: what every process creates its own from.

    Attributes
    ----------
    name
        Under which `registry` offers it.
    settings
        {option: value}; options that are not mentioned have their defaults.
    """

    name: str
    registry: Registry
    settings: Mapping[str, Any] = field(default_factory=dict)

    def create(self) -> SimilarityMetric:
        """Return the metric. Raises OptionError for bad settings and PluginError when the plugin's own code fails."""
        return self.registry.create("metric", self.name, self.settings)


@dataclass(frozen=True, eq=False)
class Features:
    """What a metric made of items.

    Attributes
    ----------
    values : (n_items,)
        Features in the order of the items; None where the metric refused one.
    refusals
        {index of the item: why}.
    """

    values: tuple[Any, ...]
    refusals: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def usable(self) -> NDArray[np.int64]:
        """Indices of the items that were not refused, increasing."""
        return np.array([i for i in range(len(self.values)) if i not in self.refusals], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class PairValues:
    """Values of single pairs.

    Attributes
    ----------
    values : (n_pairs,)
        NaN where there is no match, and where the metric could not compare.
    failures
        {position of the pair: why it could not be compared}.
    """

    values: FloatArray
    failures: Mapping[int, str]


@dataclass(frozen=True, eq=False)
class SimilarityMatrix:
    """Values of all pairs.

    Attributes
    ----------
    values : (n_first, n_second)
        NaN where there is no match, and where the metric could not compare.
    failures
        {(index of the first, of the second item): why}, pairs with refused items not among them.
    compared_first, compared_second : (n_first,), (n_second,)
        False for items that the metric refused.
    """

    values: FloatArray
    failures: Mapping[tuple[int, int], str]
    compared_first: NDArray[np.bool_]
    compared_second: NDArray[np.bool_]

    def compared(self) -> NDArray[np.bool_]:
        """Return the (n_first, n_second) mask of pairs whose value, or lack of a match, is the metric's word."""
        mask = np.logical_and.outer(self.compared_first, self.compared_second)
        for pair in self.failures:
            mask[pair] = False
        return mask


def featurise_all(
    choice: MetricChoice, items: Sequence[Any], jobs: int = 1, progress: Progress | None = None
) -> Features:
    """Return the features of `items`: structures, patterns, or what the metric reads itself.

    An item that the metric refuses, or fails on, is listed with the reason.
    """
    chunks = [items[start : start + ITEMS] for start in range(0, len(items), ITEMS)]
    parts = in_order(partial(_Featuriser, choice), chunks, jobs, choice.name)
    values: list[Any] = []
    refusals: dict[int, str] = {}
    for part in (progress or SilentProgress()).track(parts, f"{choice.name}: features", len(chunks)):
        for value, reason in part:
            if reason is not None:
                refusals[len(values)] = reason
            values.append(value)
    return Features(tuple(values), refusals)


def compare_pairs(
    choice: MetricChoice,
    features: Features,
    pairs: ArrayLike,
    jobs: int = 1,
    progress: Progress | None = None,
) -> PairValues:
    """Return the values of `pairs`, (n_pairs, 2) indices of items.

    A pair with a refused item fails for the reason of the refusal.
    """
    wanted = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    values = np.full(len(wanted), np.nan)
    failures = {
        place: features.refusals[int(index)]
        for place, pair in enumerate(wanted)
        for index in pair[::-1]  # the first of the two has the last word
        if int(index) in features.refusals
    }
    usable = features.usable
    position = np.full(len(features), -1)
    position[usable] = np.arange(len(usable))
    # Pairs of the same first item are compared in one call.
    places = np.array([p for p in np.argsort(wanted[:, 0], kind="stable") if int(p) not in failures], dtype=np.int64)
    chunks: list[tuple[Block, ...]] = []
    chunked = [places[start : start + PAIRS] for start in range(0, len(places), PAIRS)]
    for members in chunked:
        rows = groupby(position[wanted[members]].tolist(), key=lambda pair: pair[0])
        chunks.append(tuple(((first,), tuple(second for _, second in group)) for first, group in rows))
    usable_values = [features.values[i] for i in usable]
    comparer = partial(_Comparer, choice, usable_values, usable_values)
    results = in_order(comparer, chunks, jobs, choice.name)
    tracked = (progress or SilentProgress()).track(results, f"{choice.name}: pairs", len(chunks))
    for members, parts in zip(chunked, tracked, strict=True):
        start = 0
        for block_values, reasons in parts:
            block = members[start : start + block_values.size]
            values[block] = block_values[0]
            failures |= {int(block[column]): reason for (_, column), reason in reasons.items()}
            start += block_values.size
    return PairValues(values, dict(sorted(failures.items())))


def compare_all(
    choice: MetricChoice,
    first: Features,
    second: Features | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> SimilarityMatrix:
    """Return the values of every item of `first` with every item of `second`, or with each other.

    Among themselves, items are compared in one direction only where the metric is symmetric.
    """
    mirrored = second is None and choice.create().symmetric
    second = first if second is None else second
    rows, columns = first.usable, second.usable
    blocks = list(_blocks_of_triangle(0, len(rows)) if mirrored else _tiles(range(len(rows)), range(len(columns))))
    row_values = [first.values[i] for i in rows]
    column_values = row_values if second is first else [second.values[i] for i in columns]
    results = in_order(
        partial(_Comparer, choice, row_values, column_values), [(block,) for block in blocks], jobs, choice.name
    )
    values = np.full((len(first), len(second)), np.nan)
    failures: dict[tuple[int, int], str] = {}
    tracked = (progress or SilentProgress()).track(results, f"{choice.name}: pairs", len(blocks))
    for (block_rows, block_columns), ((block_values, reasons),) in zip(blocks, tracked, strict=True):
        i, j = rows[list(block_rows)], columns[list(block_columns)]
        values[np.ix_(i, j)] = block_values
        pairs = {(int(i[row]), int(j[column])): reason for (row, column), reason in reasons.items()}
        failures |= pairs
        if mirrored:
            values[np.ix_(j, i)] = block_values.T
            failures |= {(b, a): reason for (a, b), reason in pairs.items()}
    compared = [np.isin(np.arange(len(side)), usable) for side, usable in ((first, rows), (second, columns))]
    return SimilarityMatrix(values, dict(sorted(failures.items())), *compared)


class _Featuriser:
    """Makes (features, None) or (None, why not) of each item of a chunk."""

    def __init__(self, choice: MetricChoice) -> None:
        self._metric = choice.create()
        self._name = choice.name

    def __call__(self, items: Sequence[Any]) -> list[tuple[Any, str | None]]:
        try:
            with fault_of(self._name):
                features = list(self._metric.featurise(items))
            if len(features) != len(items):
                raise PluginError(self._name, f"made {len(features)} features of {len(items)} items")
        except XtalError as error:
            if len(items) == 1:
                return [(None, str(error))]
            return [result for item in items for result in self([item])]
        return [(value, None) for value in features]


class _Comparer:
    """Computes the values of blocks of pairs, and why there is none where the metric refuses a pair."""

    def __init__(self, choice: MetricChoice, first: Sequence[Any], second: Sequence[Any]) -> None:
        self._metric = choice.create()
        self._name = choice.name
        self._first, self._second = first, second

    def __call__(self, blocks: Iterable[Block]) -> list[tuple[FloatArray, dict[tuple[int, int], str]]]:
        return [self._compare(*block) for block in blocks]

    def _compare(self, rows: Sequence[int], columns: Sequence[int]) -> tuple[FloatArray, dict[tuple[int, int], str]]:
        shape = (len(rows), len(columns))
        try:
            with fault_of(self._name):
                values = self._metric.compare([self._first[i] for i in rows], [self._second[j] for j in columns])
                values = np.asarray(values, dtype=float)
            if values.shape != shape:
                raise PluginError(self._name, f"returned values of shape {values.shape} for {shape} pairs")
            if np.isinf(values).any():
                raise PluginError(self._name, "returned infinity; NaN is what says no match")
        except XtalError as error:
            if shape == (1, 1):
                return np.full(shape, np.nan), {(0, 0): str(error)}
            return self._compare_one_by_one(rows, columns)
        return values, {}

    def _compare_one_by_one(
        self, rows: Sequence[int], columns: Sequence[int]
    ) -> tuple[FloatArray, dict[tuple[int, int], str]]:
        values = np.full((len(rows), len(columns)), np.nan)
        failures: dict[tuple[int, int], str] = {}
        for row, i in enumerate(rows):
            for column, j in enumerate(columns):
                value, failure = self._compare((i,), (j,))
                values[row, column] = value[0, 0]
                if failure:
                    failures[row, column] = failure[0, 0]
        return values, failures


def _tiles(rows: range, columns: range) -> Iterator[Block]:
    """Yield blocks that together are `rows` × `columns`."""
    for i in range(0, len(rows), BLOCK):
        for j in range(0, len(columns), BLOCK):
            yield rows[i : i + BLOCK], columns[j : j + BLOCK]


def _blocks_of_triangle(start: int, stop: int) -> Iterator[Block]:
    """Yield blocks of the upper triangle of a matrix, its diagonal in blocks of at most `SMALLEST_BLOCK`."""
    if stop - start <= SMALLEST_BLOCK:
        if stop > start:
            yield range(start, stop), range(start, stop)
        return
    middle = (start + stop) // 2
    yield from _blocks_of_triangle(start, middle)
    yield from _tiles(range(start, middle), range(middle, stop))
    yield from _blocks_of_triangle(middle, stop)
