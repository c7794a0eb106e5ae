"""Manifest of the powder simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class PowderOptions:
    """Options of the powder simulator."""

    kernel: Literal["text", "code"] = option(
        "text", "finite-size kernel: sinc²(Qτ/2) of PXRDNet's text or sinc²(Qτ) of its published code"
    )
    intensity_floor: float = option(
        0.0,
        "merge reflections within 1e-5° and leave out the weak ones, as pymatgen does at 1e-5 of the strongest; "
        "0 keeps all as they are; in simulation only, not in refinement",
        bounds=(0.0, 1.0),
    )
    device: str = option("cpu", "torch device: cpu, cuda, cuda:1, …")
    threads: int = option(1, "processor threads", bounds=(1, None))


@hookimpl
def xtal_simulators() -> list[PluginRecord]:
    """Return the powder simulator."""
    return [
        PluginRecord(
            "powder",
            "X-ray powder patterns with broadening by size, strain and instrument, and texture, on CPU or GPU",
            "xtal_powder.simulator:PowderSimulator",
            interface=1,
            options=PowderOptions,
        )
    ]
