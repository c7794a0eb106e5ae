from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import DummySpecies, Lattice, Structure

from toys import pattern_of, rocksalt
from xtal_core.errors import InputError, OptionError
from xtal_core.hookspecs import PluginRecord
from xtal_core.interfaces import SimilarityMetric
from xtal_core.item import Item
from xtal_core.metric_inputs import Simulation, choose_metrics, features_of, fitting_metrics, gather_inputs
from xtal_core.registry import KINDS, Offer, Registry, installed_registry


class StructureMetric(SimilarityMetric):
    name = "of-structures"
    same_below = 0.1

    def featurise(self, items):
        assert all(isinstance(item, Structure) for item in items)
        return [item.volume for item in items]

    def compare(self, first, second):
        return np.abs(np.subtract.outer(first, second))


class PatternMetric(StructureMetric):
    name = "of-patterns"
    compares = "patterns"

    def featurise(self, items):
        return [(pattern.source, pattern.q[0], pattern.radiation.name) for pattern in items]


class ReadingMetric(StructureMetric):
    """Reads a volume from a file."""

    name = "reading"
    item_suffixes = (".volume",)

    def read_item(self, path):
        text = path.read_text()
        if not text.strip():
            raise InputError("holds no volume", "write one", path)
        return float(text)

    def featurise(self, items):
        return [item if isinstance(item, float) else item.volume for item in items]


METRICS = (StructureMetric, PatternMetric, ReadingMetric)


@pytest.fixture(scope="module")
def registry():
    records = [PluginRecord(metric.name, "", f"{__name__}:{metric.__name__}", interface=1) for metric in METRICS]
    records.append(PluginRecord("broken", "", "nowhere_to_be_found:Metric", interface=1))
    offers = {kind: {} for kind in KINDS}
    offers["metric"] = {record.name: Offer("metric", record, "test", "test", "1") for record in records}
    offers["simulator"] = installed_registry().offers["simulator"]
    return Registry(offers)


SALT = Item("salt", rocksalt(5.64))
PATTERN = Item("pattern", pattern_of(rocksalt(5.64)))
VOLUME = Item("volume", Path("a.volume"))
OTHER = Item("other", Path("a.other"))


def fitting(registry, first, other, names=(), **kinds):
    metrics = choose_metrics(names, registry, {})
    found = fitting_metrics(metrics, [first], [other], **({"named": bool(names), "simulate": False} | kinds))
    return {chosen.choice.name for chosen in found} - {"broken"}


@pytest.mark.parametrize(
    ("first", "other", "names"),
    [
        (SALT, SALT, {"of-structures", "reading"}),
        (PATTERN, PATTERN, {"of-patterns"}),
        (PATTERN, SALT, {"of-patterns"}),
        (VOLUME, SALT, {"reading"}),
        (VOLUME, VOLUME, {"reading"}),
    ],
)
def test_by_default_metrics_are_used_that_can_take_both(registry, first, other, names):
    assert fitting(registry, first, other) == fitting(registry, other, first) == names


def test_structures_are_simulated_when_that_is_wanted(registry):
    assert fitting(registry, SALT, SALT, simulate=True) == {"of-structures", "of-patterns", "reading"}


def test_metrics_that_were_named_stay_and_speak_for_themselves(registry):
    assert fitting(registry, PATTERN, SALT, ["of-structures"]) == {"of-structures"}


def test_where_no_metric_fits_that_is_said(registry):
    with pytest.raises(OptionError, match=r"no installed metric compares a \.volume file with a powder pattern"):
        fitting(registry, VOLUME, PATTERN)
    with pytest.raises(OptionError, match=r"no installed metric compares a \.other file; see"):
        fitting(registry, OTHER, OTHER)


def test_metrics_that_cannot_be_created_stay_with_their_reason(registry):
    metrics = choose_metrics([], registry, {})
    (broken,) = [
        chosen for chosen in fitting_metrics(metrics, [SALT], [SALT], named=False, simulate=False) if chosen.error
    ]
    assert broken.choice.name == "broken"
    assert "No module named 'nowhere_to_be_found'" in broken.error


def features(registry, name, *items, simulation=None):
    (chosen,) = choose_metrics([name], registry, {})
    inputs = gather_inputs(items, [chosen], registry, simulation or Simulation())
    return features_of(inputs, chosen), inputs


def test_a_metric_reads_the_files_of_its_own(registry, tmp_path):
    files = {name: tmp_path / f"{name}.volume" for name in ("good", "empty")}
    files["good"].write_text("27.5")
    files["empty"].write_text("")
    items = [Item(name, path) for name, path in files.items()]
    found, _ = features(registry, "reading", *items, SALT)
    assert found.values == (27.5, None, pytest.approx(5.64**3))
    assert found.refusals == {1: f"{files['empty']}: holds no volume; write one"}
    absent, _ = features(registry, "reading", Item("absent", tmp_path / "absent.volume"))
    assert absent.refusals[0].startswith("plugin reading: FileNotFoundError")


def test_what_a_metric_does_not_compare_is_refused(registry):
    found, _ = features(registry, "of-structures", SALT, PATTERN, VOLUME)
    assert found.refusals == {
        1: "pattern is a powder pattern, of-structures compares structures; give structures, or another metric",
        2: "volume is a .volume file, of-structures compares structures; give structures, or another metric",
    }
    found, _ = features(registry, "of-patterns", VOLUME, PATTERN)
    remedy = "give patterns, or another metric"
    assert found.refusals == {0: f"volume is a .volume file, of-patterns compares patterns; {remedy}"}


def test_structures_are_simulated_like_the_first_pattern_and_patterns_stay(registry):
    found, inputs = features(registry, "of-patterns", SALT, PATTERN)
    q = PATTERN.content.q[0]
    assert found.values == (("salt", q, "CuKa1"), ("", q, "CuKa1"))
    assert inputs.conditions.description.startswith("on the axis of pattern")


def test_structures_alone_are_simulated_under_standard_conditions(registry):
    found, inputs = features(registry, "of-patterns", SALT, simulation=Simulation(size=40.0))
    assert found.values[0][0] == "salt"
    assert "crystallites of 40 Å" in inputs.conditions.description


def test_nothing_is_simulated_for_metrics_of_structures(registry):
    _, inputs = features(registry, "of-structures", SALT, simulation=Simulation(simulator="absent"))
    assert (inputs.patterns, inputs.conditions) == ({}, None)
    with pytest.raises(OptionError, match="there is no simulator 'absent'"):
        features(registry, "of-patterns", SALT, simulation=Simulation(simulator="absent"))


def test_a_structure_that_cannot_be_simulated_is_refused(registry):
    dummy = Item("dummy", Structure(Lattice.cubic(4), [DummySpecies("X"), "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    found, _ = features(registry, "of-patterns", SALT, dummy)
    assert set(found.refusals) == {1}
    assert "not an element" in found.refusals[1]
