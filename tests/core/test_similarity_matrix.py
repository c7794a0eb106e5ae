import math

import numpy as np
import pytest

from xtal_core import workers
from xtal_core.errors import StructureError
from xtal_core.hookspecs import PluginRecord
from xtal_core.interfaces import SimilarityMetric
from xtal_core.progress import Progress
from xtal_core.registry import KINDS, Offer, Registry, installed_registry
from xtal_core.similarity_matrix import MetricChoice, compare_all, compare_pairs, featurise_all
from xtal_core.testing.problems import caesium_chloride_type, rock_salt


class ExcessMetric(SimilarityMetric):
    """By how much the first number exceeds the second; no match beyond 50. Refuses negative numbers, and 13 with 14."""

    name = "excess"
    same_below = 0.5
    compared = 0

    def featurise(self, items):
        if any(item < 0 for item in items):
            raise StructureError("a number is negative", "take another")
        return [float(item) for item in items]

    def compare(self, first, second):
        if 13.0 in first and 14.0 in second:
            raise StructureError("13 and 14 do not go together")
        type(self).compared += len(first) * len(second)
        values = np.subtract.outer(np.array(first), np.array(second))
        return np.where(np.abs(values) > 50, math.nan, np.maximum(values, 0))


class DifferenceMetric(ExcessMetric):
    name = "difference"
    symmetric = True

    def compare(self, first, second):
        super().compare(first, second)
        return np.abs(np.subtract.outer(np.array(first), np.array(second)))


class InfiniteMetric(DifferenceMetric):
    name = "infinite"

    def compare(self, first, second):
        return np.full((len(first), len(second)), math.inf)


class MisshapenMetric(DifferenceMetric):
    name = "misshapen"

    def compare(self, first, second):
        return np.zeros(len(first))


class ForgetfulMetric(DifferenceMetric):
    name = "forgetful"

    def featurise(self, items):
        return []


METRICS = (ExcessMetric, DifferenceMetric, InfiniteMetric, MisshapenMetric, ForgetfulMetric)


def choice(name):
    records = [PluginRecord(metric.name, "", f"{__name__}:{metric.__name__}", interface=1) for metric in METRICS]
    offers = {kind: {} for kind in KINDS}
    offers["metric"] = {record.name: Offer("metric", record, "test", "test", "1") for record in records}
    return MetricChoice(name, Registry(offers))


def numbers(n, seed=0):
    """Return n different numbers, none of them refused."""
    return list(np.random.default_rng(seed).permutation(np.arange(15, 15 + n)))


@pytest.mark.parametrize("name", ["excess", "difference"])
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 33, 97])
def test_the_matrix_is_what_comparing_everything_at_once_gives(name, n):
    items = numbers(n)
    result = compare_all(choice(name), featurise_all(choice(name), items))
    expected = choice(name).create().compare([float(i) for i in items], [float(i) for i in items])
    np.testing.assert_array_equal(result.values, expected.reshape(n, n))
    assert result.compared().all()


def test_rows_are_the_first_and_columns_the_second_items():
    one, other = numbers(40, seed=1), numbers(35, seed=2)
    features = [featurise_all(choice("excess"), items) for items in (one, other)]
    result = compare_all(choice("excess"), *features)
    np.testing.assert_array_equal(result.values, np.maximum(np.subtract.outer(one, other), 0.0))


def test_only_a_symmetric_metric_is_spared_the_other_direction():
    counts = {}
    for metric in (ExcessMetric, DifferenceMetric):
        features = featurise_all(choice(metric.name), numbers(200))
        metric.compared = 0
        compare_all(choice(metric.name), features)
        counts[metric.name] = metric.compared
    assert counts["excess"] == 200**2
    assert 200 * 201 / 2 <= counts["difference"] < 0.52 * 200**2


def test_refused_items_are_listed_and_the_others_compared():
    items = [20, -1, 22, -3, 25]
    features = featurise_all(choice("difference"), items)
    assert features.refusals == dict.fromkeys((1, 3), "a number is negative; take another")
    assert (features.values, list(features.usable)) == ((20.0, None, 22.0, None, 25.0), [0, 2, 4])
    result = compare_all(choice("difference"), features)
    np.testing.assert_array_equal(result.values[np.ix_([0, 2, 4], [0, 2, 4])], [[0, 2, 5], [2, 0, 3], [5, 3, 0]])
    assert np.isnan(result.values[[1, 3]]).all()
    assert np.isnan(result.values[:, [1, 3]]).all()
    assert result.compared().sum() == 9
    assert not result.failures


@pytest.mark.parametrize(("name", "failed"), [("excess", {(0, 1)}), ("difference", {(0, 1), (1, 0)})])
def test_a_pair_that_fails_is_listed_and_is_not_no_match(name, failed):
    items = [13, 14, *numbers(30)]
    result = compare_all(choice(name), featurise_all(choice(name), items))
    assert result.failures == dict.fromkeys(failed, "13 and 14 do not go together")
    assert {tuple(map(int, pair)) for pair in np.argwhere(~result.compared())} == failed
    assert not np.isnan(np.delete(result.values, [0, 1], axis=0)).any()


def test_no_match_is_compared():
    result = compare_all(choice("excess"), featurise_all(choice("excess"), [15, 100]))
    assert np.isnan(result.values[0, 1])
    assert result.compared().all()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("infinite", "plugin infinite: returned infinity; NaN is what says no match"),
        ("misshapen", "plugin misshapen: returned values of shape (1,) for (1, 1) pairs"),
    ],
)
def test_what_is_no_value_is_the_plugins_fault(name, reason):
    result = compare_all(choice(name), featurise_all(choice(name), [20, 30]))
    assert set(result.failures.values()) == {reason}
    assert len(result.failures) == 4


def test_a_metric_that_loses_items_refuses_them():
    features = featurise_all(choice("forgetful"), [20, 30])
    assert features.refusals == dict.fromkeys((0, 1), "plugin forgetful: made 0 features of 1 items")


def test_single_pairs_have_the_values_of_the_matrix_in_the_order_asked_for():
    items = numbers(60)
    features = featurise_all(choice("excess"), items)
    matrix = compare_all(choice("excess"), features).values
    pairs = np.random.default_rng(3).integers(0, 60, (500, 2))
    result = compare_pairs(choice("excess"), features, pairs)
    np.testing.assert_array_equal(result.values, matrix[pairs[:, 0], pairs[:, 1]])
    assert not result.failures
    assert compare_pairs(choice("excess"), features, []).values.shape == (0,)


def test_single_pairs_with_refused_items_fail_for_that_reason():
    features = featurise_all(choice("excess"), [13, -1, 14, 20])
    result = compare_pairs(choice("excess"), features, [(3, 0), (0, 1), (0, 2), (1, 3), (3, 2)])
    np.testing.assert_array_equal(result.values, [7, math.nan, math.nan, math.nan, 6])
    refused = "a number is negative; take another"
    assert result.failures == {1: refused, 2: "13 and 14 do not go together", 3: refused}


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_several_processes_give_the_values_of_one(monkeypatch, method):
    amd = MetricChoice("amd", installed_registry(), {"k": 12})
    structures = [rock_salt(5 + 0.02 * i) for i in range(20)] + [caesium_chloride_type(3 + 0.02 * i) for i in range(20)]
    features = featurise_all(amd, structures)
    matrix, pairs = compare_all(amd, features), [(3, 30), (0, 1), (39, 2)]
    monkeypatch.setattr(workers, "START_METHOD", method)
    monkeypatch.setattr(workers, "TRIAL", -1.0)
    monkeypatch.setattr(workers, "WORTHWHILE", -1.0)
    parallel = featurise_all(amd, structures, jobs=2)
    np.testing.assert_array_equal(compare_all(amd, parallel, jobs=2).values, matrix.values)
    np.testing.assert_array_equal(
        compare_pairs(amd, parallel, pairs, jobs=2).values, [matrix.values[pair] for pair in pairs]
    )


def test_progress_is_reported_and_reaches_its_end():
    class Counting(Progress):
        def __init__(self):
            self.seen = []

        def track(self, items, label, total=None):
            count = 0
            for item in items:
                yield item
                count += 1
            self.seen.append((label, count, total))

    progress = Counting()
    features = featurise_all(choice("excess"), numbers(40), progress=progress)
    compare_all(choice("excess"), features, progress=progress)
    compare_pairs(choice("excess"), features, [(0, 1)], progress=progress)
    assert progress.seen == [("excess: features", 3, 3), ("excess: pairs", 4, 4), ("excess: pairs", 1, 1)]
