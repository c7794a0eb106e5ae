"""Candidates in the three commonest structure types of AB compounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymatgen.core import Element, Lattice, Structure

from xtal_core.agreement import fit_scale_and_background, measurement_for, resample
from xtal_core.candidate import Candidate
from xtal_core.cells import CellBatch
from xtal_core.interfaces import Generator, Workbench
from xtal_core.measurement import Profile
from xtal_core.problem import Problem
from xtal_example.plugin import BinaryTypesOptions


class StructureType(NamedTuple):
    """A cubic structure type AB.

    Attributes
    ----------
    name
        What it is called.
    points : (n, 3)
        Where the first element sits, in fractional coordinates.
    second
        From each of them to an atom of the second element.
    edge
        Cell edge divided by the sum of the radii of atoms that touch.
    """

    name: str
    points: tuple[tuple[float, float, float], ...]
    second: tuple[float, float, float]
    edge: float

    def decorate(self, first: str, second: str) -> Structure:
        """Return the structure with two elements, as large as their radii say."""
        radii = [float(Element(symbol).atomic_radius or 1.4) for symbol in (first, second)]
        species = [first] * len(self.points) + [second] * len(self.points)
        sites = np.concatenate([self.points, np.add(self.points, self.second)])
        return Structure(Lattice.cubic(self.edge * sum(radii)), species, sites % 1)


FACE_CENTRED = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
TYPES = (
    StructureType("rock salt", FACE_CENTRED, (0.5, 0.5, 0.5), 2.0),
    StructureType("zinc blende", FACE_CENTRED, (0.25, 0.25, 0.25), 4 / 3**0.5),
    StructureType("caesium chloride", FACE_CENTRED[:1], (0.5, 0.5, 0.5), 2 / 3**0.5),
)

#: Å⁻¹; peaks this wide (or the crystallite size, when known) make the agreement vary smoothly with the cell edge.
WIDTH = 0.03


class BinaryTypes(Generator):
    """Proposes each structure type with the cell edge that describes the pattern best."""

    def __init__(self, options: BinaryTypesOptions) -> None:
        self.options = options

    def generate(self, problem: Problem, workbench: Workbench) -> list[Candidate]:
        """Return up to three candidates, the best first; none for a formula that is not AB."""
        if [amount for _, amount in problem.formula.amounts] != [1, 1]:
            return []
        elements = [symbol for symbol, _ in problem.formula.amounts]
        # Z may count the formula units of the primitive cell, which is one in all types, or of the conventional cell.
        types = [kind for kind in TYPES if problem.z in (None, 1, len(kind.points))]
        if not types:
            return []
        structures = [kind.decorate(*elements) for kind in types]
        factors = np.geomspace(self.options.smallest, self.options.largest, self.options.steps)
        span = problem.pattern.q[-1] - problem.pattern.q[0]
        axis = measurement_for(problem.pattern, points=int(2 * span / WIDTH))
        profile = Profile(crystallite_size=problem.crystallite_size, gaussian_sigma=WIDTH)
        scans = workbench.simulator.scan_volume(CellBatch.from_structures(structures), axis, profile, factors)
        found = []
        for kind, structure, scan in zip(types, structures, scans, strict=True):
            fits = fit_scale_and_background(problem.pattern, resample(scan, axis, problem.pattern.q))
            best = int(np.argmin(fits.residuals))
            structure.scale_lattice(structure.volume * factors[best])
            found.append((fits.residuals[best], Candidate(structure, "binary-types", f"{kind.name} type")))
        return [candidate for _, candidate in sorted(found, key=lambda pair: pair[0])]
