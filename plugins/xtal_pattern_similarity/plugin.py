"""Manifest of the metrics that compare powder patterns.

How close is "the same": see docs/pattern-metrics.md for the measurement behind the thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option

SAME_BELOW = "patterns this close are called those of the same structure"
LEAST_OVERLAP = "least share of the first pattern's points that the second pattern must cover"
ANY_RADIATION = "compare patterns of different radiation, though their intensities differ"
SCALE = "both patterns to a maximum of 1, or the second to the first by least squares"


@dataclass(frozen=True)
class R2wpOptions:
    """Options of R²wp."""

    scale: Literal["maximum", "least-squares"] = option("maximum", SCALE)
    same_below: float = option(0.03, SAME_BELOW, bounds=(0.0, None))
    least_overlap: float = option(0.5, LEAST_OVERLAP, bounds=(0.0, 1.0))
    any_radiation: bool = option(False, ANY_RADIATION)


@dataclass(frozen=True)
class RwpOptions:
    """Options of Rwp."""

    scale: Literal["maximum", "least-squares"] = option("least-squares", SCALE)
    same_below: float = option(0.17, SAME_BELOW, bounds=(0.0, None))
    least_overlap: float = option(0.5, LEAST_OVERLAP, bounds=(0.0, 1.0))
    any_radiation: bool = option(False, ANY_RADIATION)


@dataclass(frozen=True)
class CosineOptions:
    """Options of the cosine distance."""

    same_below: float = option(0.015, SAME_BELOW, bounds=(0.0, 2.0))
    least_overlap: float = option(0.5, LEAST_OVERLAP, bounds=(0.0, 1.0))
    any_radiation: bool = option(False, ANY_RADIATION)


@dataclass(frozen=True)
class L1Options:
    """Options of the L1 distance."""

    same_below: float = option(0.1, SAME_BELOW, bounds=(0.0, 1.0))
    least_overlap: float = option(0.5, LEAST_OVERLAP, bounds=(0.0, 1.0))
    any_radiation: bool = option(False, ANY_RADIATION)


@hookimpl
def xtal_metrics() -> list[PluginRecord]:
    """Return the metrics of patterns."""
    records = (
        ("r2wp", "R²wp of two patterns, as PXRDNet defines it: squared residual over squared intensity", R2wpOptions),
        ("rwp", "Rwp of two patterns: weighted, with a square root, after the best scale", RwpOptions),
        ("cosine", "1 − cosine similarity of two patterns", CosineOptions),
        ("l1", "half the L1 distance of two patterns of area 1: the share of intensity elsewhere", L1Options),
    )
    modules = {"r2wp": "residuals:R2wpMetric", "rwp": "residuals:RwpMetric"}
    modules |= {"cosine": "distances:CosineMetric", "l1": "distances:L1Metric"}
    return [
        PluginRecord(f"pattern-{name}", summary, f"xtal_pattern_similarity.{modules[name]}", 1, options)
        for name, summary, options in records
    ]
