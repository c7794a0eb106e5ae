from __future__ import annotations

import json


def test_everything_installed_is_listed_with_where_it_is_from(xtal):
    text = xtal("plugins").out
    for name in ("powder", "prototype", "fit", "structure-matcher", "pdd", "amd", "library", "toy-refiner"):
        assert name in text
    assert "toys 1.0" in text
    assert "Cannot be used" not in text


def test_options_are_listed_with_type_default_unit_and_bounds(xtal):
    text = xtal("plugins", "--options").out
    line = next(line for line in text.splitlines() if "cell edge of the rock-salt candidate" in line)
    assert line.split()[:7] == ["edge", "float", "5.64", "Å", "1.0", "…", "20.0"]


def test_json_holds_the_same(xtal):
    record = json.loads(xtal("plugins", "--json").out)
    assert record["failures"] == []
    (toy,) = [entry for entry in record["plugins"] if entry["name"] == "toy"]
    assert (toy["kind"], toy["distribution"], toy["version"]) == ("generator", "toys", "1.0")
    assert toy["options"][0] == {
        "name": "edge",
        "type": "float",
        "default": 5.64,
        "help": "cell edge of the rock-salt candidate",
        "unit": "Å",
        "bounds": [1.0, 20.0],
    }


def test_check_finds_what_would_fail_on_use(xtal, monkeypatch):
    monkeypatch.setattr("toys.ToyMetric", lambda: "not a metric")
    assert json.loads(xtal("plugins", "--json").out)["failures"] == []
    (failure,) = json.loads(xtal("plugins", "--json", "--check").out)["failures"]
    assert failure == {
        "entry_point": "toys",
        "distribution": "toys",
        "reason": "plugin toy-metric: its factory made a str, which is not a SimilarityMetric",
    }
