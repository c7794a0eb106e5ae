"""Problems made of known structures by the project's own simulator, without noise and with that of counting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray, Pattern, Radiation
from xtal_core.problem import Formula, Problem
from xtal_core.simulated_patterns import Conditions, simulate_patterns
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Degrees 2θ: first, last and step.
TWO_THETA = (5.0, 90.0, 0.02)

#: Å⁻¹; standard deviation of the Gaussian part of the peaks, PXRDNet's.
GAUSSIAN = 0.085

#: Å.
WAVELENGTH = 1.54184


@lru_cache(maxsize=1)
def simulator() -> PowderSimulator:
    """Return the simulator, one a process."""
    return PowderSimulator(PowderOptions())


def ideal_intensity(structure: Structure, radiation: Radiation, two_theta: FloatArray, profile: Profile) -> FloatArray:
    """Return the (n_points,) pattern at `two_theta` degrees, without noise or background, its largest value 1."""
    conditions = Conditions(radiation.q_from_two_theta(two_theta), radiation, profile, "")
    patterns, refusals = simulate_patterns({0: ("", structure)}, simulator(), "powder", conditions)
    if refusals:
        raise ValueError(refusals[0])
    intensity = patterns[0].intensity
    return intensity / intensity.max()


def ideal_problem(structure: Structure, size: float) -> Problem:
    """Return the problem of the pattern of crystallites of `size` Å, which the solver is told, without noise."""
    radiation = Radiation.monochromatic(WAVELENGTH)
    first, last, step = TWO_THETA
    two_theta = np.arange(first, last + step / 2, step)
    intensity = ideal_intensity(structure, radiation, two_theta, Profile(size, GAUSSIAN))
    pattern = Pattern(radiation.q_from_two_theta(two_theta), intensity, radiation)
    return Problem(pattern, formula_of(structure), None, crystallite_size=size)


def formula_of(structure: Structure) -> Formula:
    """Return the formula of an ordered structure."""
    return Formula.parse(structure.composition.element_composition.reduced_formula)[0]


@dataclass(frozen=True)
class Counting:
    """How many counts a pattern has in its strongest point, and in its background at both ends."""

    peak: float = 10_000.0
    background: tuple[float, float] = (2_000.0, 800.0)


def counted_problem(
    structure: Structure, space_group: int, profile: Profile, counting: Counting, random: np.random.Generator
) -> Problem:
    """Return the problem of a laboratory pattern: Cu Kα1 and Kα2, Poisson noise over a sloping background.

    The solver is told the space group, not the crystallite size.
    """
    radiation = Radiation.from_line("CuKa")
    first, last, step = TWO_THETA
    two_theta = np.arange(first, last + step / 2, step)
    background = np.linspace(*counting.background, len(two_theta))
    expected = counting.peak * ideal_intensity(structure, radiation, two_theta, profile) + background
    pattern = Pattern(radiation.q_from_two_theta(two_theta), random.poisson(expected).astype(float), radiation)
    return Problem(pattern, formula_of(structure), space_group=space_group)
