"""Manifest of the refiner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class FitOptions:
    """Options of the least-squares refinement."""

    keep: int = option(24, "candidates of each generator refined to convergence", bounds=(1, None))
    steps: int = option(30, "most steps of the last stage", bounds=(1, None))
    keep_symmetry: bool = option(True, "keep the space group of every candidate")
    moved: int = option(
        12,
        "best candidates, of those not given by the user, tried with elements exchanged and atoms displaced",
        bounds=(0, None),
    )
    released: int = option(6, "best candidates that are also refined without symmetry", bounds=(0, None))
    rounds: int = option(2, "how often both are done while the pattern is not yet described", bounds=(0, None))
    restarts: int = option(
        0, "further refinements of the best candidates, drawn at random around each, before the last", bounds=(0, 100)
    )
    window: float | None = option(
        None,
        "how far each cell length may go from where it starts, as a fraction; none: as far as it takes",
        bounds=(0.0, 0.9),
    )
    shift: Literal["zero", "displacement", "both"] = option(
        "zero", "refine the zero shift, the displacement of the sample or both, for measured patterns"
    )
    instrument_sigma: float | None = option(
        None,
        "Gaussian standard deviation of the instrument's peaks in 2θ; none: refined where peaks are sharp",
        unit="°",
        bounds=(0.0, 5.0),
    )
    instrument_hwhm: float | None = option(
        None,
        "Lorentzian half width of the instrument's peaks in 2θ; none: refined where it is worth a parameter",
        unit="°",
        bounds=(0.0, 5.0),
    )


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
