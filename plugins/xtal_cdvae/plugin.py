"""Manifest of the baseline CDVAE-Search."""

from __future__ import annotations

from dataclasses import dataclass

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class CDVAESearchOptions:
    """Options of CDVAE-Search; the defaults of what it shares with pxrdnet are the same there."""

    weights: str = option("pxrdnet-fast", "weights of a model that contains a CDVAE: a name, or a path")
    candidates: int = option(40, "crystals generated", bounds=(1, None))
    keep: int = option(10, "candidates kept: those with the most similar patterns", bounds=(1, None))
    levels: int = option(50, "noise levels of the denoising", bounds=(1, None))
    steps_per_level: int = option(1, "Langevin steps at each level; the paper takes 100", bounds=(0, None))
    step_size: float = option(
        1e-5, "length of the Langevin steps at the last level; the paper has 1e-4", unit="Å²", bounds=(0.0, None)
    )
    predictor: bool = option(True, "a predictor from level to level, so that few Langevin steps do; not the paper's")
    correct_lattice: bool = option(False, "fit volume and lattice of the crystals before they are compared")
    device: str = option("cpu", "torch device of the networks: cpu, cuda, cuda:1, …")


@hookimpl
def xtal_generators() -> list[PluginRecord]:
    """Return the search by random latent vectors."""
    return [
        PluginRecord(
            "cdvae-search",
            "crystals from random latent vectors of CDVAE, the formula forced, filtered by the pattern: a baseline",
            "xtal_cdvae.generator:CDVAESearchGenerator",
            interface=1,
            options=CDVAESearchOptions,
        )
    ]
