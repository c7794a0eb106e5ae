"""Offers the toy plugins as a registry of their own."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

import pytest

from xtal_core.plan import Plan, gather_tools
from xtal_core.registry import load_registry

TOYS = Path(__file__).resolve().parents[1] / "toys" / "distribution"


@pytest.fixture(scope="session")
def toy_registry():
    (toys,) = distributions(path=[str(TOYS)])
    return load_registry(toys.entry_points)


@pytest.fixture(scope="session")
def toy_tools(toy_registry):
    """Return a function that makes tools of a plan whose defaults are the toys."""

    def make(**changes):
        plan = {
            "generators": ("toy",),
            "refiner": "toy-refiner",
            "simulator": "toy-simulator",
            "metric": "toy-metric",
        }
        return gather_tools(Plan(**(plan | changes)), toy_registry)

    return make
