"""Problems with known answers, for testing generators and refiners."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.agreement import measurement_for, resample
from xtal_core.cells import CellBatch
from xtal_core.interfaces import Simulator
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.problem import Formula, Problem

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Å⁻¹; the Gaussian width of the reflections in `problem_of`.
WIDTH = 0.02


def rock_salt(edge: float = 5.64) -> Structure:
    """Return the conventional cell of NaCl with a cell edge in Å."""
    from pymatgen.core import Lattice, Structure

    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return Structure(Lattice.cubic(edge), ["Na"] * 4 + ["Cl"] * 4, [*corners, *(corners + 0.5) % 1])


def caesium_chloride_type(edge: float = 3.55) -> Structure:
    """Return NaCl as it would be in the CsCl type, with a cell edge in Å."""
    from pymatgen.core import Lattice, Structure

    return Structure(Lattice.cubic(edge), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def problem_of(structure: Structure, simulator: Simulator, z: int | None = None) -> Problem:
    """Return the problem of finding `structure` from its pattern: CuKα1, 2θ 15–85°, on a sloping background.

    Noise-free; the largest intensity above background is 1000.
    """
    radiation = Radiation.from_line("CuKa1")
    q = radiation.q_from_two_theta(np.linspace(15.0, 85.0, 1401))
    blank = Pattern(q, np.ones(len(q)), radiation)
    axis = measurement_for(blank, 4 * len(q))
    simulated = simulator.simulate(CellBatch.from_structures([structure]), axis, [Profile(gaussian_sigma=WIDTH)])
    peaks = resample(simulated, axis, q)[0]
    pattern = replace(blank, intensity=1000 * peaks / peaks.max() + 300 - 30 * q)
    return Problem(pattern, Formula.parse(structure.composition.reduced_formula)[0], z=z)
