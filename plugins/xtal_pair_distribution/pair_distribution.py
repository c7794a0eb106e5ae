"""A reduced pair distribution function, calculated or measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray

#: How far steps of a grid may differ from their mean, as a fraction of it: files print r with few digits.
UNIFORMITY = 0.01


@dataclass(frozen=True, eq=False)
class PairDistribution:
    """G(r) on a uniform grid.

    Attributes
    ----------
    r : (n_r,) Å
        Distances, increasing in equal steps, none negative.
    g : (n_r,) Å⁻²
        The reduced pair distribution function at these distances.
    source
        Where it comes from, for messages: a file's path or a structure's formula.
    header
        What stood above the data in the file it was read from, unchanged.
    extra : (n_r, 1) or (n_r, 2), optional
        Further columns of that file: the uncertainties of G, or those of r in Å and of G in Å⁻², as far as they are
        what their labels say.

    Raises
    ------
    InputError
        When the arrays do not fit each other, are not finite, or r is not such a grid.
    """

    r: FloatArray
    g: FloatArray
    source: str = ""
    header: str = ""
    extra: FloatArray | None = None

    def __post_init__(self) -> None:
        label = f"the pair distribution function{f' of {self.source}' if self.source else ''}"
        if self.r.ndim != 1 or self.r.shape != self.g.shape or len(self.r) < 2:
            raise InputError(
                f"{label} has {self.r.shape} distances and {self.g.shape} values", "give two columns of one length"
            )
        if not (np.isfinite(self.r).all() and np.isfinite(self.g).all()):
            raise InputError(f"{label} holds numbers that are not finite", "remove these points")
        steps = np.diff(self.r)
        if self.r[0] < 0 or steps.min() <= 0 or np.ptp(steps) > UNIFORMITY * steps.mean():
            raise InputError(
                f"r of {label} does not increase from 0 or more in equal steps", "interpolate it to a uniform grid"
            )

    @property
    def step(self) -> float:
        """The distance between points in Å."""
        return float((self.r[-1] - self.r[0]) / (len(self.r) - 1))
