"""Structures moved away from where they are, at random, by as much as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from same_crystal import largest_strain
from xtal_core.measurement import Profile
from xtal_fit.symmetry import free_directions
from xtal_fit.trial import Trial

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Strain and displacement in Å by which a direction is tried, to see how far it goes.
PROBE = 1e-3


def perturbed(
    structure: Structure,
    strain: float,
    displacement: float,
    random: np.random.Generator,
    *,
    keep_symmetry: bool = True,
) -> tuple[Structure, int]:
    """Return `structure` with another cell and other positions, and how many free parameters it has.

    The directions are drawn from what the space group leaves free, or from all with `keep_symmetry` off. The largest
    principal strain is uniform between 0 and `strain`, the farthest move of an atom relative to the cell between 0 and
    `displacement` Å.
    """
    from pymatgen.core import Structure

    lattice, fractional, numbers = structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)
    directions = free_directions(lattice, fractional, numbers, keep_symmetry=keep_symmetry)
    trial = Trial(0, lattice, fractional, numbers, Profile(), directions)
    step = random.normal(size=directions.n_directions)
    strains, moves = step.copy(), step.copy()
    strains[directions.n_strains :] = 0
    moves[: directions.n_strains] = 0
    reached = largest_strain(lattice, trial.stepped(PROBE * strains, trial.profile).lattice)
    moved = (trial.stepped(moves, trial.profile).fractional - fractional) @ lattice
    farthest = float(np.linalg.norm(moved, axis=1).max())
    by_strain, by_move = random.uniform(0, 1, 2)
    step = strains * (by_strain * strain * PROBE / reached)
    if farthest > 0:
        step = step + moves * (by_move * displacement / farthest)
    trial = trial.stepped(step, trial.profile)
    return Structure(trial.lattice, structure.species, trial.fractional), directions.n_directions
