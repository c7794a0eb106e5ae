"""Manifest of the StructureMatcher metric."""

from __future__ import annotations

from dataclasses import dataclass

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class StructureMatcherOptions:
    """Options of pymatgen's StructureMatcher; the defaults are pymatgen's (CDVAE and DiffCSP use 0.3, 0.5 and 10)."""

    ltol: float = option(0.2, "tolerance of cell lengths, as a fraction", bounds=(0.0, 10.0))
    stol: float = option(0.3, "tolerance of sites, in units of (V/N)^(1/3)", bounds=(0.0, 10.0))
    angle_tol: float = option(5.0, "tolerance of cell angles", unit="°", bounds=(0.0, 90.0))
    primitive_cell: bool = option(True, "reduce both structures to primitive cells first")
    scale: bool = option(True, "scale both structures to the same volume first")
    charges: bool = option(False, "tell ions of one element apart by their oxidation states, where files state them")


@hookimpl
def xtal_metrics() -> list[PluginRecord]:
    """Return the StructureMatcher metric."""
    return [
        PluginRecord(
            "structure-matcher",
            "pymatgen's StructureMatcher: normalised RMS displacement of the sites, or no match",
            "xtal_structure_matcher.metric:StructureMatcherMetric",
            interface=1,
            options=StructureMatcherOptions,
        )
    ]
