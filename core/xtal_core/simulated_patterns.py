"""Patterns of structures, for comparison with patterns: under conditions of another, or stated standard ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.agreement import measurement_for, resample
from xtal_core.cells import CellBatch
from xtal_core.errors import XtalError, fault_of
from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray, Pattern, Radiation
from xtal_core.progress import Progress, SilentProgress
from xtal_core.target import starting_profile

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from xtal_core.interfaces import Simulator

#: Standard conditions, where no pattern says otherwise.
STANDARD_RADIATION = "CuKa1"
STANDARD_RANGE = (10.0, 90.0)  # degrees 2θ
STANDARD_SIZE = 100.0  # Å
STANDARD_POINTS = 4001

#: Structures simulated in one call.
BATCH = 64


@dataclass(frozen=True, eq=False)
class Conditions:
    """How patterns of structures are calculated.

    Attributes
    ----------
    q : (n_points,) Å⁻¹
    description
        What was assumed, for the user.
    """

    q: FloatArray
    radiation: Radiation
    profile: Profile
    description: str


def conditions_of(pattern: Pattern, name: str, size: float | None = None) -> Conditions:
    """Return the axis, radiation and peak width of a measured pattern, and the crystallite size in Å if known."""
    profile = starting_profile(pattern, size)
    widths = [f"Gaussian peaks of σ = {profile.gaussian_sigma:.2g} Å⁻¹"]
    widths += [] if size is None else [f"crystallites of {size:g} Å"]
    description = f"on the axis of {name}, {pattern.radiation.name}, {' and '.join(widths)}"
    return Conditions(pattern.q, pattern.radiation, profile, description)


def standard_conditions(radiation: Radiation | None = None, size: float | None = None) -> Conditions:
    """Return a usual measurement: 2θ 10 to 90°, Cu Kα1 and crystallites of 100 Å unless given."""
    radiation = radiation or Radiation.from_line(STANDARD_RADIATION)
    size = STANDARD_SIZE if size is None else size
    low, high = radiation.q_from_two_theta(np.array(STANDARD_RANGE))
    description = f"2θ {STANDARD_RANGE[0]:g}° to {STANDARD_RANGE[1]:g}°, {radiation.name}, crystallites of {size:g} Å"
    return Conditions(np.linspace(low, high, STANDARD_POINTS), radiation, Profile(crystallite_size=size), description)


def simulate_patterns(
    structures: Mapping[int, tuple[str, Structure]],
    simulator: Simulator,
    owner: str,
    conditions: Conditions,
    progress: Progress | None = None,
) -> tuple[dict[int, Pattern], dict[int, str]]:
    """Return the patterns of `structures`, {key: (name, structure)}, and why the simulator refuses others.

    `owner` is the simulator's name, for the message when it fails.
    """
    keys = list(structures)
    patterns: dict[int, Pattern] = {}
    refusals: dict[int, str] = {}
    batches = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
    for batch in (progress or SilentProgress()).track(batches, "simulating"):
        try:
            intensities = _simulate([structures[key][1] for key in batch], simulator, owner, conditions)
            found = dict(zip(batch, intensities, strict=True))
        except XtalError:
            found = {}
            for key in batch:
                try:
                    (found[key],) = _simulate([structures[key][1]], simulator, owner, conditions)
                except XtalError as error:
                    refusals[key] = str(error)
        for key, intensity in found.items():
            patterns[key] = Pattern(conditions.q, intensity, conditions.radiation, source=structures[key][0])
    return patterns, refusals


def _simulate(structures: list[Structure], simulator: Simulator, owner: str, conditions: Conditions) -> FloatArray:
    """Return (n_structures, n_points), from a uniform axis four times as fine: the axis of a pattern need not be."""
    axis = measurement_for(
        Pattern(conditions.q, np.ones(len(conditions.q)), conditions.radiation), 4 * len(conditions.q)
    )
    with fault_of(owner):
        simulated = simulator.simulate(CellBatch.from_structures(structures), axis, [conditions.profile])
    return np.maximum(resample(simulated, axis, conditions.q), 0.0)
