"""How well decorated templates describe the pattern, at the best of many cell volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xtal_core.cells import CellBatch
from xtal_core.interfaces import Workbench
from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray
from xtal_core.target import Target
from xtal_prototype.assignment import Decoration
from xtal_prototype.template import Template

#: Volumes tried, relative to the expected one: 1.6 % apart in length.
VOLUME_FACTORS = np.geomspace(0.74, 1.36, 14)

#: Decorations simulated at once.
SLICE = 256


@dataclass(frozen=True, eq=False)
class Screened:
    """A decorated template at the volume where it describes the pattern best.

    Attributes
    ----------
    decoration
        The template and where the elements are.
    lattice : (3, 3) Å
        Scaled to the best volume.
    residual
        R² on the smoothed pattern, scale and background fitted.
    """

    decoration: Decoration
    lattice: FloatArray
    residual: float


def screen(
    workbench: Workbench,
    target: Target,
    profile: Profile,
    decorations: Sequence[Decoration],
    volumes: FloatArray,
) -> list[Screened]:
    """Return every decoration at its best volume, in the order given.

    `volumes` (n_decorations,) are the expected volumes of the primitive cells in Å³.
    """
    observed = target.without_background(target.intensity)
    total = float(observed @ observed)
    broadened = target.broadened(profile)
    screened = []
    # Cells of similar size share batches; the order is restored at the end.
    order = np.argsort([len(decoration.numbers) for decoration in decorations], kind="stable")
    starts = range(0, len(order), SLICE)
    for start in workbench.progress.track(starts, "screening known structure types", total=len(starts)):
        chosen = order[start : start + SLICE]
        cells = CellBatch.from_cells(
            (
                _at_volume(decorations[i].template, float(volumes[i])),
                decorations[i].template.fractional,
                decorations[i].numbers,
            )
            for i in chosen
        )
        patterns = workbench.simulator.scan_volume(cells, target.measurement, broadened, VOLUME_FACTORS)
        patterns = target.without_background(patterns)
        overlap = np.maximum(patterns @ observed, 0.0)
        norms = np.einsum("...p,...p->...", patterns, patterns)
        residuals = 1 - overlap**2 / (norms * total + 1e-300)
        best = residuals.argmin(axis=1)
        for row, index in enumerate(chosen):
            lattice = cells.lattices[row] * np.cbrt(VOLUME_FACTORS[best[row]])
            screened.append((index, Screened(decorations[index], lattice, float(residuals[row, best[row]]))))
    return [item for _, item in sorted(screened, key=lambda pair: pair[0])]


def _at_volume(template: Template, volume: float) -> FloatArray:
    """Return the lattice of `template`, scaled to `volume` in Å³."""
    return template.lattice * np.cbrt(volume / template.volume)
