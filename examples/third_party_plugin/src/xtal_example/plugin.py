"""Manifest: what this package offers to xtal."""

from __future__ import annotations

from dataclasses import dataclass

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class VolumePerAtomOptions:
    """Options of the metric."""

    same_below: float = option(0.1, "structures this close are called the same", unit="Å³", bounds=(0.0, None))


@dataclass(frozen=True)
class BinaryTypesOptions:
    """Options of the generator."""

    smallest: float = option(0.7, "smallest volume tried, as a multiple of the estimate from radii", bounds=(0.1, 1.0))
    largest: float = option(1.5, "largest volume tried, likewise", bounds=(1.0, 10.0))
    steps: int = option(161, "volumes tried for each structure type", bounds=(2, 10000))


@hookimpl
def xtal_metrics() -> list[PluginRecord]:
    """Return the metric."""
    return [
        PluginRecord(
            "volume-per-atom",
            "difference of the volumes per atom",
            "xtal_example.volume_metric:VolumePerAtom",
            interface=1,
            options=VolumePerAtomOptions,
        )
    ]


@hookimpl
def xtal_generators() -> list[PluginRecord]:
    """Return the generator."""
    return [
        PluginRecord(
            "binary-types",
            "rock-salt, CsCl and zinc-blende types for a formula AB",
            "xtal_example.generator:BinaryTypes",
            interface=1,
            options=BinaryTypesOptions,
        )
    ]
