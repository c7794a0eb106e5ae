from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from xtal_core import hookspecs, interfaces, testing
from xtal_core.registry import KINDS

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKS = {name: hook for name, hook in inspect.getmembers(hookspecs, inspect.isfunction) if name.startswith("xtal_")}


def test_there_is_a_hook_for_every_kind_and_for_weights_and_no_other():
    assert set(HOOKS) == {f"xtal_{kind}s" for kind in KINDS} | {"xtal_weights"}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_what_it_returns_and_is_in_the_guide(name):
    assert (HOOKS[name].__doc__ or "").startswith("Return ")
    assert f"`{name}`" in GUIDE


@pytest.mark.parametrize(
    "name", ["Simulator", "DifferentiableSimulator", "Generator", "Refiner", "SimilarityMetric", "TrainableModel"]
)
def test_every_interface_is_in_the_guide_with_its_methods(name):
    interface = getattr(interfaces, name)
    assert name in GUIDE
    for method in interface.__abstractmethods__:
        assert method in GUIDE
        assert getattr(interface, method).__doc__


@pytest.mark.parametrize("name", [name for name in testing.__all__ if name.endswith("Conformance")])
def test_every_conformance_suite_is_in_the_guide(name):
    assert f"`{name}`" in GUIDE


def test_the_guide_states_the_current_interface_version():
    assert f"now {interfaces.INTERFACE_VERSION}." in GUIDE
