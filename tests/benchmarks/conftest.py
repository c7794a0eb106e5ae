"""A record of a run as the benchmarks write it, and the toy plugins to make one."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest

from case_runs import Case
from toys import pattern_of, rocksalt
from xtal_core.plan import Plan, gather_tools
from xtal_core.registry import load_registry

TOYS = Path(__file__).resolve().parents[1] / "toys" / "distribution"


@pytest.fixture(scope="session")
def toy_plan():
    """Return a function that makes a plan of the toy plugins, with settings of the toy generator."""

    def make(**settings):
        return Plan(("toy",), "toy-refiner", "toy-simulator", "toy-metric", settings={"toy": settings})

    return make


@pytest.fixture(scope="session")
def toy_tools(toy_plan):
    (toys,) = distributions(path=[str(TOYS)])
    registry = load_registry(toys.entry_points)
    return lambda **settings: gather_tools(toy_plan(**settings), registry)


@pytest.fixture
def salt_case(tmp_path):
    """Return a function that makes a case of rock salt called as asked."""
    pattern = pattern_of(rocksalt(5.64))
    path = tmp_path / "salt.xy"
    np.savetxt(path, np.column_stack([pattern.two_theta, pattern.intensity]), fmt="%.6f")
    return lambda name="salt": Case(name, path, "CuKa1", "NaCl", z=4)


@pytest.fixture
def making():
    return {
        "command": "python benchmarks/solve_simulated.py",
        "library": {"name": "mp20/train", "sha256": "0123456789abcdef"},
        "xtal": "1.2.3",
        "sources": "fedcba9876543210",
        "packages": {"python": "3.11.7", "numpy": "2.4.6"},
        "plugins": [{"name": "fit", "options": {"keep": 24}}, {"name": "bare", "options": {}}],
        "seed": 7,
    }


@pytest.fixture
def times():
    return {
        "workers": 2,
        "cores_of_the_machine": 2,
        "structures": 3,
        "seconds_mean": 2.0,
        "seconds_median": 1.5,
        "seconds_95th_percentile": 4.0,
        "cpu_seconds_mean": 1.9,
        "run_seconds": 12.0,
        "run_structures": 4,
    }
