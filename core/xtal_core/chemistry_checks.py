"""Whether a structure makes chemical sense: its shortest contact, and the valences that its bonds add up to.

Both are cheap, need no fit, and are wrong for structures that fit a pattern by accident more often than for others: one
input each of the verdict (`xtal_core.verdict`). The ranking heeds contacts that no crystal has (`contact_penalty`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import gemmi
import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Å; bonds that count in a bond-valence sum. Beyond, a bond of O'Keeffe and Brese's parameters holds some 0.01.
LONGEST_BOND = 4.0

#: Contacts are looked for up to this multiple of the largest sum of two radii.
LONGEST_CONTACT = 1.5

#: No bond is shorter than this, in the sum of two radii: N₂ and CO have 0.77 and 0.80.
IMPOSSIBLE_CONTACT = 0.65

#: What ln R² must gain for a contact that is shorter by 1.
CONTACT_WEIGHT = 20.0

#: Larger formula units have too many ways of sharing out their electrons for one to be guessed in a moment.
MOST_ATOMS_OF_FORMULA = 20


@dataclass(frozen=True)
class ChemistryChecks:
    """Plausibility of a structure.

    Attributes
    ----------
    shortest_contact
        Smallest distance of two atoms over the sum of their covalent radii (Cordero et al., Dalton Trans. 2832 (2008));
        near 1 for a bond, `LONGEST_CONTACT` where nothing is nearer.
    instability
        Global instability index in valence units (Salinas-Sanchez et al., J. Solid State Chem. 100, 201 (1992)): root
        mean square over the atoms of bond-valence sum less oxidation state. None where there are no oxidation states
        to compare with, as in alloys, or no bond-valence parameters.
    """

    shortest_contact: float
    instability: float | None


def check_chemistry(structure: Structure) -> ChemistryChecks:
    """Return the checks of `structure`; a disordered one has no bond-valence sums."""
    return ChemistryChecks(shortest_contact(structure), global_instability(structure))


def shortest_contact(structure: Structure) -> float:
    """Return the smallest distance of two atoms over the sum of their covalent radii; see `ChemistryChecks`."""
    # Of a disordered site, the largest atom that may be there: a contact is not to be called short for want of another.
    radii = np.array([max(gemmi.Element(_symbol(s)).covalent_r for s in site.species) for site in structure])
    first, second, _, distances = structure.get_neighbor_list(LONGEST_CONTACT * 2 * float(radii.max()))
    ratios = distances / (radii[first] + radii[second])
    return min(LONGEST_CONTACT, float(ratios.min(initial=LONGEST_CONTACT)))


def contact_penalty(structure: Structure) -> float:
    """Return what atoms of `structure` that lie on each other cost in the ranking; 0 for whatever may be a crystal."""
    return CONTACT_WEIGHT * max(IMPOSSIBLE_CONTACT - shortest_contact(structure), 0.0)


def global_instability(structure: Structure) -> float | None:
    """Return the global instability index in valence units, None where it is not known; see `ChemistryChecks`.

    Bond valences are pymatgen's, which takes the parameters of O'Keeffe and Brese (J. Am. Chem. Soc. 113, 3226 (1991))
    for bonds to non-metals. `BVAnalyzer`, which seeks the likeliest oxidation state of every single site, takes minutes
    for some structures; one state an element, from the formula alone, is enough to see that a sum is far off.
    """
    from pymatgen.analysis.bond_valence import BV_PARAMS, calculate_bv_sum

    composition = structure.composition.element_composition
    if not structure.is_ordered or any(element not in BV_PARAMS for element in composition):
        return None
    states = oxidation_states(tuple(sorted(composition.reduced_composition.get_el_amt_dict().items())))
    if states is None:
        return None
    deviations = [
        calculate_bv_sum(site, neighbours) - states[_symbol(site.specie)]
        for site, neighbours in zip(structure, structure.get_all_neighbors(LONGEST_BOND), strict=True)
    ]
    return math.sqrt(float(np.mean(np.square(deviations))))


@lru_cache(maxsize=256)
def oxidation_states(amounts: tuple[tuple[str, float], ...]) -> Mapping[str, float] | None:
    """Return the likeliest oxidation state of each element of a formula, means over its atoms; None if there is none.

    `amounts` are symbols and whole numbers. Formulas of more than `MOST_ATOMS_OF_FORMULA` atoms have none.
    """
    from pymatgen.core import Composition

    if sum(amount for _, amount in amounts) > MOST_ATOMS_OF_FORMULA:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # elements without electronegativity
        guesses = Composition(dict(amounts)).oxi_state_guesses()
    # An element by itself is neutral, and has no bonds of the kind that valences are counted for.
    return guesses[0] if guesses and len(amounts) > 1 else None


def _symbol(species: object) -> str:
    """Return the symbol of an element, or of the element of an ion."""
    return str(getattr(species, "symbol", species))
