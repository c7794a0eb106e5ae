"""Under which conditions a pair distribution function is calculated: radiation, resolution, displacements, grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from xtal_core.errors import OptionError
from xtal_core.pattern import FloatArray


@dataclass(frozen=True)
class Conditions:
    """What G(r) depends on besides the structure. Formulas are in `docs/pair-distribution.md`.

    Attributes
    ----------
    radiation
        "xray" weighs an atom by its number of electrons, "neutron" by its coherent scattering length.
    q_min, q_max : Å⁻¹
        The range of Q that was Fourier transformed. 0 and None leave the respective end open.
    q_damp : Å⁻¹
        Resolution in Q: G(r) is damped by exp(−(r q_damp)²/2).
    q_broad : Å⁻¹
        Resolution that grows with Q: peaks broaden in proportion to r.
    delta1, delta2 : Å, Å²
        Correlated motion: squared widths are multiplied by 1 − delta1/r − delta2/r².
    u_iso : Å²
        Mean squared displacement of atoms for which the structure has none.
    r_min, r_max, r_step : Å
        The grid: r_min + i r_step up to r_max.

    Raises
    ------
    OptionError
        For values that make no sense.
    """

    radiation: Literal["xray", "neutron"] = "xray"
    q_min: float = 0.0
    q_max: float | None = None
    q_damp: float = 0.0
    q_broad: float = 0.0
    delta1: float = 0.0
    delta2: float = 0.0
    u_iso: float = 0.005
    r_min: float = 0.01
    r_max: float = 30.0
    r_step: float = 0.01

    def __post_init__(self) -> None:
        if self.radiation not in ("xray", "neutron"):
            raise OptionError(f"the radiation is '{self.radiation}'", "choose from: xray, neutron")
        for name in ("q_min", "q_damp", "q_broad", "delta1", "delta2", "r_min"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise OptionError(f"{name} is {value}", "give a finite number, 0 or more")
        for name in ("u_iso", "r_step"):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                raise OptionError(f"{name} is {value}", "give a finite number above 0")
        if self.q_max is not None and not self.q_min < self.q_max < np.inf:
            raise OptionError(f"q_max is {self.q_max} with q_min {self.q_min}", "give a larger q_max, or none")
        if not self.r_min + self.r_step <= self.r_max < np.inf:
            raise OptionError(
                f"r from {self.r_min} to {self.r_max} Å in steps of {self.r_step} Å has fewer than two points",
                "give a larger r_max",
            )

    @property
    def r(self) -> FloatArray:
        """(n_r,) Å: the grid."""
        n = int(np.floor((self.r_max - self.r_min) / self.r_step * (1 + 1e-12) + 1e-6)) + 1
        return self.r_min + self.r_step * np.arange(float(n))
