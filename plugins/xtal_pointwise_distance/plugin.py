"""Manifest of the metrics made of interatomic distances.

How close is "the same": a strain of 1 % moves the hundredth neighbour, about 8 Å away, by about 0.1 Å. Of the pairs of
MP-20 with the same formula that StructureMatcher tells apart, 6 % are nevertheless closer than that by PDD and 17 % by
AMD: mostly one geometry with species exchanged, which neither sees. The threshold of the two is the same because AMD is
a lower bound of PDD: what PDD calls the same, AMD must too.
"""

from __future__ import annotations

from dataclasses import dataclass

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option

ELEMENTS_HELP = (
    "tell elements apart: k neighbours of each element, compared between atoms of the same element; different "
    "compositions are no match"
)


@dataclass(frozen=True)
class PDDOptions:
    """Options of the pointwise distance distribution."""

    k: int = option(100, "nearest neighbours of each atom", bounds=(1, 100_000))
    collapse: float | None = option(
        1e-4,
        "rows whose distances all agree within this are merged into one; none keeps a row for each atom",
        unit="Å",
        bounds=(0.0, None),
    )
    elements: bool = option(False, ELEMENTS_HELP)
    same_below: float = option(0.1, "structures this close are called the same", unit="Å", bounds=(0.0, None))


@dataclass(frozen=True)
class AMDOptions:
    """Options of the average minimum distance."""

    k: int = option(100, "nearest neighbours of each atom", bounds=(1, 100_000))
    elements: bool = option(False, ELEMENTS_HELP)
    same_below: float = option(0.1, "structures this close are called the same", unit="Å", bounds=(0.0, None))


@hookimpl
def xtal_metrics() -> list[PluginRecord]:
    """Return PDD and AMD."""
    return [
        PluginRecord(
            "pdd",
            "pointwise distance distributions: earth mover's distance between the atoms' neighbour distances",
            "xtal_pointwise_distance.pdd:PDDMetric",
            interface=1,
            options=PDDOptions,
        ),
        PluginRecord(
            "amd",
            "average minimum distances: largest difference of the averaged neighbour distances",
            "xtal_pointwise_distance.amd:AMDMetric",
            interface=1,
            options=AMDOptions,
        ),
    ]
