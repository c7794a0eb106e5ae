"""A measured or simulated pattern, and a formula, as CrystalNet wants them."""

from __future__ import annotations

import torch
from torch import Tensor

from xtal_core.binned_pattern import binned_pattern
from xtal_core.errors import InputError
from xtal_core.pattern import Pattern
from xtal_core.problem import Formula
from xtal_crystalnet.atomic_densities import LAST_TABULATED
from xtal_crystalnet.patterns import N_POINTS, N_SEEN, shown


def pattern_input(pattern: Pattern, narrowest: float) -> Tensor:
    """Return (1, 2, `N_SEEN`) what the network is shown of `pattern`, peaks being `narrowest` Å⁻¹ wide at least.

    Raises PatternError when too little of it was measured.
    """
    binned = binned_pattern(pattern, narrowest, N_POINTS)
    values = (binned.intensity[None, :N_SEEN], binned.covered[None, :N_SEEN])
    return shown(*(torch.tensor(each, dtype=torch.float32) for each in values))


def formula_input(formula: Formula, n_species: int) -> Tensor:
    """Return (1, n_species) the atomic fractions of `formula`. Raises InputError for an element beyond `n_species`."""
    if missing := unknown_elements(formula, n_species):
        raise InputError(f"the network does not know {', '.join(missing)}", "choose another generator")
    composition = torch.zeros(1, n_species)
    for symbol, amount in formula.amounts:
        composition[0, _number(symbol) - 1] = amount / formula.n_atoms
    return composition


def unknown_elements(formula: Formula, n_species: int) -> list[str]:
    """Return the elements of `formula` beyond the first `n_species`, or without a tabulated density."""
    known = min(n_species, LAST_TABULATED)
    return [symbol for symbol, _ in formula.amounts if _number(symbol) > known]


def _number(symbol: str) -> int:
    from pymatgen.core import Element

    return Element(symbol).Z
