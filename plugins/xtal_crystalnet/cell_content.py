"""How many formula units a density holds, by its electrons."""

from __future__ import annotations

import math

from xtal_core.cell_contents import CellContent, cell_contents
from xtal_core.problem import Problem
from xtal_crystalnet.atomic_densities import LAST_TABULATED
from xtal_crystalnet.density_map import DensityMap

#: Largest number of atoms in a primitive cell that densities are decoded for.
MAX_ATOMS = 60

#: Contents are tried whose electrons are those of the density within this factor, at most so many.
ELECTRONS_WITHIN, MOST_CONTENTS = 1.6, 2


def likely_contents(density: DensityMap, problem: Problem) -> list[CellContent]:
    """Return those contents of the cell that have about as many electrons as `density`, the nearest first.

    The nearest is always among them, unless no cell of at most `MAX_ATOMS` atoms holds the formula: then there is none.
    """
    contents = cell_contents(problem, MAX_ATOMS, LAST_TABULATED)
    electrons = max(density.n_electrons, 1e-3)
    distances = {content.z: abs(math.log(content.numbers.sum() / electrons)) for content in contents}
    ordered = sorted(contents, key=lambda content: distances[content.z])[:MOST_CONTENTS]
    near = [content for content in ordered if distances[content.z] < math.log(ELECTRONS_WITHIN)]
    return near or ordered[:1]
