import math
import subprocess
import sys

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.candidate import Score
from xtal_core.comparison import Comparison, compare_each_other, compare_structures, compare_with
from xtal_core.errors import OptionError, StructureError
from xtal_core.hookspecs import PluginRecord
from xtal_core.interfaces import SimilarityMetric
from xtal_core.item import Item, LeftOut
from xtal_core.metric_inputs import MetricInputs, choose_metrics
from xtal_core.registry import KINDS, Offer, Registry, installed_registry
from xtal_core.testing.problems import rock_salt
from xtal_pointwise_distance.plugin import PDDOptions

SMALL, LARGE = (Structure(Lattice.cubic(edge), ["Po"], [[0, 0, 0]]) for edge in (3.0, 3.3))


class EdgeMetric(SimilarityMetric):
    """Difference of the cell edges."""

    name = "edge"
    unit = "Å"
    same_below = 0.1

    def featurise(self, items):
        return [structure.lattice.a for structure in items]

    def compare(self, first, second):
        return np.abs(np.subtract.outer(first, second))


class EdgeRatioMetric(EdgeMetric):
    name = "edge-ratio"
    unit = ""
    better = "higher"
    same_below = 0.95

    def compare(self, first, second):
        return np.minimum.outer(first, second) / np.maximum.outer(first, second)


class NoMatchMetric(EdgeMetric):
    name = "no-match"

    def compare(self, first, second):
        return np.full((len(first), len(second)), math.nan)


class InfiniteMetric(EdgeMetric):
    name = "infinite"

    def compare(self, first, second):
        return np.full((len(first), len(second)), math.inf)


class RefusingMetric(EdgeMetric):
    name = "refusing"

    def featurise(self, items):
        raise StructureError("structure 2 is not to my taste", "take another")


class CrashingMetric(EdgeMetric):
    name = "crashing"

    def compare(self, first, second):
        return 1 / 0


class ExplainingMetric(EdgeMetric):
    name = "explaining"

    def featurise(self, items):
        if any(structure.lattice.a > 9 for structure in items):
            raise StructureError("the edge is too long", "take another")
        return super().featurise(items)

    def compare(self, first, second):
        values = np.subtract.outer(first, second)
        return np.where(np.abs(values) > 3, math.nan, values)

    def explain(self, first, second):
        return {"sum (Å)": np.float64(first + second)}


class PatternMetric(EdgeMetric):
    """Difference of the last Q."""

    name = "pattern"
    unit = ""
    compares = "patterns"

    def featurise(self, items):
        return [pattern.q[-1] for pattern in items]


METRICS = (
    EdgeMetric,
    EdgeRatioMetric,
    NoMatchMetric,
    InfiniteMetric,
    RefusingMetric,
    CrashingMetric,
    PatternMetric,
    ExplainingMetric,
)


def registry_of(*metrics, absent=()):
    records = [
        PluginRecord(metric.name, metric.__doc__ or "", f"{__name__}:{metric.__name__}", interface=1)
        for metric in metrics
    ]
    records += [PluginRecord(name, "", "nowhere_to_be_found:Metric", interface=1) for name in absent]
    offers = {kind: {} for kind in KINDS}
    offers["metric"] = {record.name: Offer("metric", record, "test", "test", "1") for record in records}
    return Registry(offers)


def compare(*names, first=SMALL, second=LARGE, registry=None, settings=None):
    return compare_structures(first, second, names, registry or registry_of(*METRICS), settings)


def test_a_comparison_is_a_score_with_a_verdict():
    (comparison,) = compare("edge")
    assert isinstance(comparison, Score)
    assert comparison == Comparison("edge", pytest.approx(0.3), "lower", "Å", same=False)
    (comparison,) = compare("edge", second=SMALL)
    assert comparison == Comparison("edge", 0.0, "lower", "Å", same=True)


def test_where_higher_is_better_values_above_the_threshold_are_the_same():
    assert compare("edge-ratio")[0].same is False
    assert compare("edge-ratio", second=SMALL)[0].same is True


def test_no_match_is_no_value_and_not_the_same():
    assert compare("no-match") == [Comparison("no-match", None, "lower", "Å", same=False)]


def test_all_metrics_of_structures_are_used_unless_some_are_named():
    names = [comparison.metric for comparison in compare()]
    assert names == ["crashing", "edge", "edge-ratio", "explaining", "infinite", "no-match", "refusing"]
    assert [c.metric for c in compare("no-match", "edge", "no-match")] == ["no-match", "edge"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("refusing", "the first structure: structure 2 is not to my taste; take another"),
        ("crashing", "plugin crashing: ZeroDivisionError: division by zero"),
        ("infinite", "plugin infinite: returned infinity; NaN is what says no match"),
    ],
)
def test_a_metric_that_fails_says_why_and_harms_no_other(name, reason):
    failed, worked = compare(name, "edge")
    assert (failed.value, failed.same, failed.error) == (None, None, reason)
    assert worked.value == pytest.approx(0.3)


def test_a_metric_that_cannot_be_imported_is_listed():
    failed, worked = compare(registry=registry_of(EdgeMetric, absent=["absent"]))
    assert failed.metric == "absent"
    assert "No module named 'nowhere_to_be_found'" in failed.error
    assert worked.value == pytest.approx(0.3)


def test_an_unknown_metric_is_refused_with_the_nearest_name():
    with pytest.raises(OptionError, match="there is no metric 'edgy'; did you mean 'edge'"):
        compare("edgy")


def test_a_metric_of_patterns_that_was_named_compares_simulated_ones():
    offers = dict(installed_registry().offers)
    offers["metric"] = registry_of(PatternMetric).offers["metric"]
    salts = {"first": rock_salt(5.64), "second": rock_salt(5.81)}
    (comparison,) = compare("pattern", registry=Registry(offers), **salts)
    # Of both, under standard conditions: equal in everything but the positions of their reflections.
    assert comparison == Comparison("pattern", 0.0, "lower", "", same=True)


def test_settings_of_a_metric_that_takes_no_part_are_refused():
    with pytest.raises(OptionError, match="--set names 'edge-rato', which takes no part; did you mean 'edge-ratio'"):
        compare(settings={"edge-rato": {"k": "3"}})
    with pytest.raises(OptionError, match="--set names 'edge-ratio', which takes no part"):
        compare("no-match", settings={"edge-ratio": {"k": "3"}})


def test_settings_reach_their_metric():
    record = PluginRecord("pdd", "", "xtal_pointwise_distance.pdd:PDDMetric", interface=1, options=PDDOptions)
    offers = {kind: {} for kind in KINDS} | {"metric": {"pdd": Offer("metric", record, "test", "test", "1")}}
    (comparison,) = compare(registry=Registry(offers), settings={"pdd": {"k": "6", "same-below": "0.5"}})
    assert comparison == Comparison("pdd", pytest.approx(0.3), "lower", "Å", same=True)
    with pytest.raises(OptionError, match=r"pdd\.k is 0"):
        compare(registry=Registry(offers), settings={"pdd": {"k": "0"}})


def test_without_any_metric_of_structures_there_is_nothing_to_compare_by():
    with pytest.raises(OptionError, match="no installed metric compares a structure; see xtal plugins"):
        compare(registry=registry_of(PatternMetric))


def cubes(*edges):
    return [Item(f"cube of {edge:g}", Structure(Lattice.cubic(edge), ["Po"], [[0, 0, 0]])) for edge in edges]


def test_a_reference_is_the_first_of_every_pair_and_pairs_are_explained():
    metrics = choose_metrics(["explaining", "edge"], registry_of(*METRICS), {})
    rows = compare_with(MetricInputs(cubes(3, 3.5, 7, 2, 10)), metrics)
    unit = ("lower", "Å")
    assert [row[0] for row in rows] == [
        Comparison("explaining", -0.5, *unit, same=True, details={"sum (Å)": 6.5}),
        Comparison("explaining", None, *unit, same=False),
        Comparison("explaining", 1.0, *unit, same=False, details={"sum (Å)": 5.0}),
        Comparison("explaining", None, *unit, error="cube of 10: the edge is too long; take another"),
    ]
    assert [row[1].value for row in rows] == [0.5, 4.0, 1.0, 7.0]


def test_a_reference_that_a_metric_refuses_fails_every_comparison_by_it():
    metrics = choose_metrics(["explaining", "edge"], registry_of(*METRICS), {})
    rows = compare_with(MetricInputs(cubes(10, 3, 4)), metrics)
    assert [row[0].error for row in rows] == ["cube of 10: the edge is too long; take another"] * 2
    assert [row[1].value for row in rows] == [7.0, 6.0]


def test_a_matrix_lists_what_a_metric_refuses():
    metrics = choose_metrics(["explaining", "edge"], registry_of(*METRICS), {})
    first, second = compare_each_other(MetricInputs(cubes(3, 10, 3.5)), metrics)
    assert first.names == second.names == ("cube of 3", "cube of 10", "cube of 3.5")
    assert first.left_out == (LeftOut("cube of 10", "the edge is too long; take another"),)
    assert second.left_out == ()
    np.testing.assert_array_equal(first.matrix.values[np.ix_([0, 2], [0, 2])], [[0, -0.5], [0.5, 0]])
    np.testing.assert_array_equal(second.matrix.values, [[0, 7, 0.5], [7, 0, 6.5], [0.5, 6.5, 0]])
    assert (first.metric, first.unit, first.better, first.same_below) == ("explaining", "Å", "lower", 0.1)


def test_a_metric_that_cannot_be_created_refuses_every_item():
    metrics = choose_metrics(["absent"], registry_of(EdgeMetric, absent=["absent"]), {})
    (result,) = compare_each_other(MetricInputs(cubes(3, 4)), metrics)
    assert [item.name for item in result.left_out] == ["cube of 3", "cube of 4"]
    assert not result.matrix.compared().any()


def test_importing_it_is_light():
    code = "import sys, xtal_core.comparison; print({'torch', 'pymatgen', 'scipy'} & set(sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"
