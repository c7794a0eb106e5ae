"""The conformance suite of metrics finds what it is there to find."""

import numpy as np
import pytest

from xtal_core.interfaces import SimilarityMetric
from xtal_core.testing import MetricConformance


class VolumeMetric(SimilarityMetric):
    """A correct, if poor, metric: it compares volumes per atom."""

    name = "volume"
    same_below = 1e-3

    def featurise(self, items):
        return [structure.volume / max(len(structure), 1) for structure in items]

    def compare(self, first, second):
        return np.abs(np.subtract.outer(np.array(first, float), np.array(second, float)))


class CellMetric(VolumeMetric):
    def featurise(self, items):
        return [structure.volume for structure in items]


class OrientationMetric(VolumeMetric):
    def featurise(self, items):
        return [structure.lattice.matrix[0, 0] / structure.volume * len(structure) for structure in items]


class OrderMetric(VolumeMetric):
    def featurise(self, items):
        return [
            float(structure.frac_coords[0] @ structure.lattice.abc) if len(structure) else 0.0 for structure in items
        ]


class OneWayMetric(VolumeMetric):
    def compare(self, first, second):
        return np.maximum(np.subtract.outer(np.array(first, float), np.array(second, float)), 0)


class ConstantMetric(VolumeMetric):
    def compare(self, first, second):
        return np.zeros((len(first), len(second)))


class FarFromItselfMetric(VolumeMetric):
    def compare(self, first, second):
        return 1 + super().compare(first, second)


class TransposingMetric(VolumeMetric):
    def compare(self, first, second):
        return super().compare(second, first)


class InfiniteMetric(VolumeMetric):
    def compare(self, first, second):
        distances = super().compare(first, second)
        return np.where(distances > 1e-6, np.inf, distances)


class RandomMetric(VolumeMetric):
    def compare(self, first, second):
        return super().compare(first, second) + np.random.default_rng().normal(0, 1e-9, (len(first), len(second)))


class MovingMetric(VolumeMetric):
    def featurise(self, items):
        for structure in items:
            structure.translate_sites(range(len(structure)), [0.1, 0, 0])
        return super().featurise(items)


class CrashingMetric(VolumeMetric):
    def featurise(self, items):
        return [super(CrashingMetric, self).featurise([s])[0] * s[0].specie.Z / s[0].specie.Z for s in items]


class NamelessMetric(VolumeMetric):
    name = "Volume per atom"


def suite_of(metric):
    class Suite(MetricConformance):
        def create_metric(self):
            return metric()

    return Suite()


def all_tests_of(suite):
    return [getattr(suite, name) for name in dir(suite) if name.startswith("test_")]


def test_a_correct_metric_passes_all_of_it():
    tests = all_tests_of(suite_of(VolumeMetric))
    assert len(tests) == 12
    for test in tests:
        test()


@pytest.mark.parametrize(
    ("metric", "test"),
    [
        (NamelessMetric, "test_attributes_describe_the_metric"),
        (FarFromItselfMetric, "test_an_item_is_identical_to_itself_and_called_the_same"),
        (ConstantMetric, "test_different_items_are_less_alike_or_no_match"),
        (CellMetric, "test_values_do_not_depend_on_how_a_crystal_is_described"),
        (OrientationMetric, "test_values_do_not_depend_on_how_a_crystal_is_described"),
        (OrderMetric, "test_values_do_not_depend_on_how_a_crystal_is_described"),
        (OneWayMetric, "test_swapping_two_items_changes_values_no_more_than_claimed"),
        (TransposingMetric, "test_a_batch_gives_the_matrix_of_its_pairs"),
        (TransposingMetric, "test_an_empty_batch_gives_an_empty_matrix"),
        (InfiniteMetric, "test_values_are_finite_or_nan"),
        (RandomMetric, "test_values_are_reproduced_to_the_last_digit"),
        (MovingMetric, "test_structures_are_left_as_they_were"),
    ],
)
def test_a_faulty_metric_fails_where_its_fault_is(metric, test):
    with pytest.raises(AssertionError):
        getattr(suite_of(metric), test)()


def test_a_metric_that_crashes_on_disorder_fails():
    with pytest.raises(AttributeError):
        suite_of(CrashingMetric).test_a_structure_it_cannot_take_is_an_input_error()
