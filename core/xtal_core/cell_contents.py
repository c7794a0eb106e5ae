"""Which atoms the primitive cell may hold, when the formula is known and perhaps how often a cell holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_core.problem import Problem

#: How many primitive cells a conventional one holds: primitive, centred once (A, B, C, I), rhombohedral, F.
CENTRINGS = (1, 2, 3, 4)

#: How much likelier the number of formula units that was given is than one that a centring makes of it.
AS_GIVEN = 4.0


@dataclass(frozen=True, eq=False)
class CellContent:
    """One possible content of the primitive cell.

    Attributes
    ----------
    z
        Formula units.
    numbers : (n_atoms,)
        Atomic numbers, element by element.
    weight
        How likely it is beside others, before any model was asked.
    """

    z: int
    numbers: IntArray
    weight: float = 1.0

    def __len__(self) -> int:
        return len(self.numbers)


def cell_contents(problem: Problem, max_atoms: int, n_species: int) -> list[CellContent]:
    """Return what a primitive cell of at most `max_atoms` atoms can hold; nothing for elements beyond `n_species`.

    When the problem states Z it may be that of the conventional cell, which holds up to four primitive ones.
    """
    from pymatgen.core import Element

    amounts = [(Element(symbol).Z, amount) for symbol, amount in problem.formula.amounts]
    if any(number > n_species for number, _ in amounts):
        return []
    if problem.z is None:
        weights = dict.fromkeys(range(1, max_atoms // problem.formula.n_atoms + 1), 1.0)
    else:
        given = problem.z
        weights = {given // n: AS_GIVEN if n == 1 else 1.0 for n in CENTRINGS if given % n == 0}
    return [
        CellContent(z, np.repeat([number for number, _ in amounts], [amount * z for _, amount in amounts]), weight)
        for z, weight in weights.items()
        if z * problem.formula.n_atoms <= max_atoms
    ]


def shares(contents: Sequence[CellContent], likelihoods: FloatArray, n: int) -> list[int]:
    """Return how many of `n` candidates each of `contents` gets, by the `likelihoods` (n_contents,) a model gives it.

    Shares are rounded such that they add up to `n`, by the largest remainders.
    """
    weights = np.array([content.weight for content in contents]) * likelihoods
    total = weights.sum()
    exact = n * (weights / total if total > 0 else np.full(len(contents), 1 / len(contents)))
    counts = np.floor(exact).astype(int)
    for index in np.argsort(counts - exact, kind="stable")[: n - counts.sum()]:
        counts[index] += 1
    return counts.tolist()
