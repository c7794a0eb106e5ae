import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtal_core.clustering import clusters_of, merge_tree
from xtal_core.comparison import MetricMatrix
from xtal_core.similarity_matrix import SimilarityMatrix


def result_of(values, better="lower", same_below=1.0, refused=(), failures=()):
    values = np.array(values, float)
    n = len(values)
    taken = np.array([i not in refused for i in range(n)], dtype=bool)
    matrix = SimilarityMatrix(values, dict.fromkeys(failures, "why"), taken, taken)
    names = tuple(f"item {i}" for i in range(n))
    return MetricMatrix("metric", "", better, same_below, names, matrix, ())


def clusters(result, threshold=None):
    return clusters_of(result, merge_tree(result), threshold)


def on_a_line(*positions):
    return np.abs(np.subtract.outer(positions, positions))


def test_a_chain_of_neighbours_is_no_cluster():
    """Single links would put all four together."""
    assert clusters(result_of(on_a_line(0.0, 0.9, 1.8, 2.7))) == [(0, 1), (2, 3)]


def test_the_threshold_belongs_to_the_cluster():
    assert clusters(result_of(on_a_line(0.0, 1.0))) == [(0, 1)]
    assert clusters(result_of(on_a_line(0.0, 1.0)), threshold=0.999) == [(0,), (1,)]


def test_clusters_are_in_the_order_of_their_first_items():
    assert clusters(result_of(on_a_line(9.0, 0.0, 9.1, 5.0, 0.1))) == [(0, 2), (1, 4), (3,)]


@pytest.mark.parametrize("threshold", [1.0, 1e300, math.inf])
def test_what_has_no_match_is_never_merged(threshold):
    values = on_a_line(0.0, 0.1, 0.2)
    values[0, 2] = values[2, 0] = math.nan
    assert clusters(result_of(values), threshold) == [(0, 1), (2,)]


def test_no_match_in_one_direction_is_enough_to_stay_apart():
    values = on_a_line(0.0, 0.1)
    values[1, 0] = math.nan
    assert clusters(result_of(values), math.inf) == [(0,), (1,)]


def test_the_less_alike_direction_counts():
    assert clusters(result_of([[0, 0.5], [2, 0]])) == [(0,), (1,)]
    assert clusters(result_of([[1, 0.95], [0.6, 1]], better="higher", same_below=0.9)) == [(0,), (1,)]


def test_where_higher_is_better_members_are_above_the_threshold():
    values = [[1, 0.95, 0.2], [0.95, 1, 0.3], [0.2, 0.3, 1]]
    assert clusters(result_of(values, better="higher", same_below=0.95)) == [(0, 1), (2,)]
    assert clusters(result_of(values, better="higher"), threshold=-math.inf) == [(0, 1, 2)]


def test_refused_items_are_in_no_cluster():
    values = on_a_line(0.0, 0.1, 0.2)
    values[1] = values[:, 1] = math.nan
    assert clusters(result_of(values, refused=[1])) == [(0, 2)]
    assert clusters(result_of(on_a_line(0.0, 1.0), refused=[0])) == [(1,)]
    assert clusters(result_of(on_a_line(0.0), refused=[0])) == []


def test_without_any_match_every_item_is_alone():
    values = np.full((4, 4), math.nan)
    np.fill_diagonal(values, 0.0)
    tree = merge_tree(result_of(values))
    assert (tree.merges[:, 2] >= tree.never).all()
    assert clusters(result_of(values), math.inf) == [(0,), (1,), (2,), (3,)]


@given(st.data())
def test_any_two_members_are_within_the_threshold_and_every_item_is_somewhere(data):
    n = data.draw(st.integers(2, 9))
    value = st.one_of(st.floats(0, 10), st.just(math.nan))
    values = np.array(data.draw(st.lists(value, min_size=n * n, max_size=n * n))).reshape(n, n)
    np.fill_diagonal(values, 0.0)
    threshold = data.draw(st.floats(0, 12))
    found = clusters(result_of(values), threshold)
    assert sorted(item for group in found for item in group) == list(range(n))
    for group in found:
        assert (values[np.ix_(group, group)] <= threshold).all()


def test_items_side_by_side_in_the_tree_are_those_that_merge_first():
    tree = merge_tree(result_of(on_a_line(0.0, 9.0, 0.1, 9.1)))
    assert {frozenset(tree.order[:2].tolist()), frozenset(tree.order[2:].tolist())} == {
        frozenset({0, 2}),
        frozenset({1, 3}),
    }
