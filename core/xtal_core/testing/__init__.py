"""Conformance suites that authors of plugins subclass in their tests."""

from xtal_core.testing.metrics import MetricConformance

__all__ = ["MetricConformance"]
