"""Columns are computed once, show metrics what their view shows, and keep "no match" apart from failures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.errors import OptionError
from xtal_core.hookspecs import PluginRecord
from xtal_core.progress import SilentProgress
from xtal_core.registry import Registry, installed_registry
from xtal_core.similarity_matrix import PairValues
from xtal_study import modifications as modify
from xtal_study.columns import Bench, ColumnStore, measure, usable_metrics
from xtal_study.views import Column, one_element, parse_columns, same_volume


@pytest.fixture
def bench(tmp_path):
    return Bench(installed_registry(), {"pdd": {"k": 20}}, None, 1, SilentProgress(), ColumnStore(tmp_path))


def values(bench, name, *structures):
    (measured,) = measure(parse_columns([name], bench.registry), structures, [(0, 1)], bench)
    return measured


def test_a_view_without_elements_makes_isostructural_compounds_match(bench, dozen):
    first, second = dozen[0].structure, dozen[1].structure
    assert np.isnan(values(bench, "structure-matcher", first, second).values[0])
    assert values(bench, "structure-matcher@one-element", first, second).values[0] < 0.02


def test_a_view_without_volume_makes_expansion_vanish(bench, titania):
    expanded = modify.expand(titania, 0.05)
    assert values(bench, "pdd", titania, expanded).values[0] > 0.03
    assert values(bench, "pdd@same-volume", titania, expanded).values[0] == pytest.approx(0, abs=1e-9)


def test_views_change_nothing_else(titania):
    assert same_volume(titania).volume == pytest.approx(20 * len(titania))
    assert same_volume(titania).species == titania.species
    assert one_element(titania).lattice == titania.lattice
    assert len(one_element(titania).composition) == 1


def test_metrics_of_patterns_are_shown_patterns(bench, titania):
    simulator = bench.registry.create("simulator", "powder")
    measured = values(replace(bench, simulator=simulator), "pattern-cosine", titania, modify.expand(titania, 0.03))
    assert measured.failures == {}
    assert 0.001 < measured.values[0] < 1


def test_no_match_is_not_a_number_but_was_compared(bench, titania, salt):
    measured = values(bench, "structure-matcher", titania, salt)
    assert np.isnan(measured.values[0])
    assert measured.compared[0]
    assert not measured.same[0]


def test_a_finished_column_is_not_computed_again(bench, titania, monkeypatch):
    first = values(bench, "pdd", titania, modify.expand(titania, 0.05))
    monkeypatch.setattr("xtal_study.columns.featurise_all", lambda *_: pytest.fail("computed again"))
    again = values(bench, "pdd", titania, modify.expand(titania, 0.05))
    assert again.values == pytest.approx(first.values, abs=0)


def test_other_structures_and_other_options_make_another_column(bench, titania):
    first = values(bench, "pdd", titania, modify.expand(titania, 0.05)).values[0]
    assert values(bench, "pdd", titania, modify.expand(titania, 0.06)).values[0] > first
    other = replace(bench, settings={"pdd": {"k": 5}})
    assert values(other, "pdd", titania, modify.expand(titania, 0.05)).values[0] < first


def test_no_match_and_failures_survive_in_the_store(tmp_path):
    store = ColumnStore(tmp_path)
    store.keep("m", "0123456789abcdef", PairValues(np.array([np.nan, 0.5, np.nan]), {2: "refused"}))
    found = store.find("m", "0123456789abcdef")
    assert found.values == pytest.approx([np.nan, 0.5, np.nan], nan_ok=True)
    assert found.failures == {2: "refused"}
    assert store.find("m", "fedcba9876543210") is None


def test_unknown_metrics_and_views_are_named_with_the_nearest():
    with pytest.raises(OptionError, match="pdd"):
        parse_columns(["pddd"], installed_registry())
    with pytest.raises(OptionError, match="same-volume"):
        parse_columns(["pdd@same-volum"], installed_registry())


def test_a_column_named_twice_is_computed_once():
    assert parse_columns(["pdd", "amd", "pdd"], installed_registry()) == [Column("pdd"), Column("amd")]


def test_a_metric_whose_simulator_cannot_be_imported_is_left_out_with_the_reason():
    installed = installed_registry()
    metrics = {name: installed.offer("metric", name) for name in ("pattern-cosine", "pdd")}
    broken = PluginRecord("powder", "", "no_such_module:Simulator", interface=1)
    offers = {
        "metric": metrics,
        "simulator": {"powder": replace(installed.offer("simulator", "powder"), record=broken)},
    }
    names, reasons = usable_metrics(Registry(offers), {}, "powder")
    assert names == ["pdd"]
    assert "no_such_module" in reasons["pattern-cosine"]
