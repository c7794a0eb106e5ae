"""A profile as a file records it, before anything is checked or converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xtal_core.pattern import FloatArray, Radiation

#: What the points of a profile are given over: 2θ in degrees or Q in Å⁻¹.
Axis = Literal["two-theta", "q"]


@dataclass(frozen=True, eq=False)
class Recording:
    """What a reader found.

    Attributes
    ----------
    positions : (n_points,) degrees or Å⁻¹
        In the order of the file.
    intensity : (n_points,)
    uncertainty, background : (n_points,), optional
    axis
        What `positions` are; None where the file does not say.
    radiations
        What the file says it was measured with: nothing, one, or several that contradict each other.
    lines : (n_points,), optional
        Line of each point, counted from 1, in files of one point a line.
    notes
        What the reader did that the user should know.
    """

    positions: FloatArray
    intensity: FloatArray
    axis: Axis | None
    radiations: tuple[Radiation, ...] = ()
    uncertainty: FloatArray | None = None
    background: FloatArray | None = None
    lines: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()
