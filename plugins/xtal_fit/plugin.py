"""Manifest of the refiner."""

from __future__ import annotations

from dataclasses import dataclass

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class FitOptions:
    """Options of the least-squares refinement."""

    keep: int = option(24, "candidates refined to convergence", bounds=(1, None))
    steps: int = option(30, "most steps of the last stage", bounds=(1, None))
    keep_symmetry: bool = option(True, "keep the space group of every candidate")
    moved: int = option(12, "best candidates tried with elements exchanged and atoms displaced", bounds=(0, None))
    released: int = option(6, "best candidates that are also refined without symmetry", bounds=(0, None))
    sample_displacement: bool = option(
        False, "refine the displacement of the sample in place of the zero shift, for measured patterns"
    )
    rounds: int = option(2, "how often both are done while the pattern is not yet described", bounds=(0, None))


@hookimpl
def xtal_refiners() -> list[PluginRecord]:
    """Return the least-squares refiner."""
    return [
        PluginRecord(
            "fit",
            "Levenberg–Marquardt refinement of scale, background, lattice, positions and profile, symmetry kept",
            "xtal_fit.refiner:FitRefiner",
            interface=1,
            options=FitOptions,
        )
    ]
