"""What every metric must fulfil, whatever it compares."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

if TYPE_CHECKING:
    from xtal_core.interfaces import SimilarityMetric


class SimilarityConformance(ABC):
    """Tests of a metric; `MetricConformance` and `PatternMetricConformance` are those for structures and for patterns.

    Attributes
    ----------
    compares
        What the metric must say that it compares.
    identical
        The value between an item and itself: 0 for distances, 1 for correlations.
    tolerance
        How far, in units of the metric, values may differ that should be equal.
    asymmetry
        How far, in units of the metric, swapping two items may change a value of a metric that is not symmetric;
        infinite for one that has a direction.
    """

    compares: ClassVar[Literal["structures", "patterns"]]
    identical: ClassVar[float] = 0.0
    tolerance: ClassVar[float] = 1e-6
    asymmetry: ClassVar[float] = 1e-6

    @abstractmethod
    def create_metric(self) -> SimilarityMetric:
        """Return the metric under test."""

    @abstractmethod
    def items(self) -> list[Any]:
        """Return at least two items that the metric tells apart."""

    @abstractmethod
    def distorted(self, item: Any) -> Any:
        """Return something like `item` that the metric tells from it."""

    def test_attributes_describe_the_metric(self) -> None:
        """The name can be typed and the attributes have one of the values they may have."""
        metric = self.create_metric()
        assert metric.name == metric.name.lower()
        assert not set(metric.name) & set(" _.=")
        assert metric.compares == self.compares
        assert metric.better in ("lower", "higher")
        assert not np.isnan(metric.same_below)

    def test_an_item_is_identical_to_itself_and_called_the_same(self) -> None:
        """The value of an item with itself is `identical`, and on the right side of `same_below`."""
        metric = self.create_metric()
        for item in self.items():
            value = self.value(metric, item, item)
            np.testing.assert_allclose(value, self.identical, rtol=0, atol=self.tolerance)
            assert value <= metric.same_below if metric.better == "lower" else value >= metric.same_below

    def test_different_items_are_less_alike_or_no_match(self) -> None:
        """Other items, and a distortion, are told apart from the item itself."""
        metric = self.create_metric()
        first, *others = self.items()
        for other in [*others, self.distorted(first)]:
            value = self.value(metric, first, other)
            worse = value > self.identical if metric.better == "lower" else value < self.identical
            assert np.isnan(value) or (worse and abs(value - self.identical) > self.tolerance)

    def test_swapping_two_items_changes_values_no_more_than_claimed(self) -> None:
        """What A is to B, B is to A: to the tolerance where the metric says that it is symmetric."""
        metric = self.create_metric()
        items = self.items()
        features = metric.featurise([*items, *map(self.distorted, items)])
        matrix = metric.compare(features, features)
        allowed = self.tolerance if metric.symmetric else self.asymmetry
        if np.isfinite(allowed):
            np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=allowed)

    def test_a_batch_gives_the_matrix_of_its_pairs(self) -> None:
        """Comparing n with m items gives (n, m) values, each that of its pair alone."""
        metric = self.create_metric()
        first, second = self.items()[:2], self.items()
        matrix = metric.compare(metric.featurise(first), metric.featurise(second))
        pairs = [[self.value(metric, one, other) for other in second] for one in first]
        assert np.shape(matrix) == (2, len(second))
        np.testing.assert_allclose(matrix, pairs, rtol=0, atol=self.tolerance)

    def test_an_empty_batch_gives_an_empty_matrix(self) -> None:
        """Comparing nothing is not an error."""
        metric = self.create_metric()
        features = metric.featurise(self.items())
        assert metric.featurise([]) == []
        assert np.shape(metric.compare([], features)) == (0, len(features))
        assert np.shape(metric.compare(features, [])) == (len(features), 0)

    def test_values_are_finite_or_nan(self) -> None:
        """No match is NaN, never infinity."""
        metric = self.create_metric()
        features = metric.featurise(self.items())
        assert not np.isinf(metric.compare(features, features)).any()

    def test_values_are_reproduced_to_the_last_digit(self) -> None:
        """Neither chance nor what was compared before plays a part."""
        items = self.items()
        matrices = []
        for metric in (self.create_metric(), self.create_metric()):
            features = metric.featurise(items)
            matrices.append(metric.compare(features, features))
        np.testing.assert_array_equal(*matrices)

    def test_features_can_be_sent_to_other_processes(self) -> None:
        """Features that were pickled give the same values to another metric of the same options."""
        features = self.create_metric().featurise(self.items())
        metric = self.create_metric()
        expected = metric.compare(features, features)
        sent = pickle.loads(pickle.dumps(features))
        np.testing.assert_array_equal(metric.compare(sent, sent), expected)

    def value(self, metric: SimilarityMetric, first: Any, second: Any) -> Any:
        """Return the value of a single pair."""
        return metric.compare(metric.featurise([first]), metric.featurise([second]))[0, 0]
