"""Conformance suites that authors of plugins subclass in their tests; they need pytest."""

from xtal_core.testing.generators import GeneratorConformance
from xtal_core.testing.metrics import MetricConformance
from xtal_core.testing.pattern_metrics import PatternMetricConformance
from xtal_core.testing.problems import problem_of
from xtal_core.testing.refiners import RefinerConformance
from xtal_core.testing.simulators import DifferentiableSimulatorConformance, SimulatorConformance

__all__ = [
    "DifferentiableSimulatorConformance",
    "GeneratorConformance",
    "MetricConformance",
    "PatternMetricConformance",
    "RefinerConformance",
    "SimulatorConformance",
    "problem_of",
]
