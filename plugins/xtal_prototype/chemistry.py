"""Which elements replace each other: log-odds of finding two elements on the same sites of the same structure type."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import numpy as np

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

SUBSTITUTION_TABLE = "substitutions.npz"
_HEAVIEST = 118


def substitution_score(on_template: int, wanted: int) -> float:
    """Return how readily the element with atomic number `wanted` takes the sites of the element `on_template`.

    The natural logarithm of how much more often than by chance the two are found on the same sites of the same
    structure type: 0 is chance, 2 is seven times as often. Keeping an element scores as high as its best replacement,
    or higher.

    Raises StructureError for an element that the table does not have.
    """
    score = float(substitution_scores()[on_template, wanted])
    if np.isnan(score):
        raise StructureError(
            f"nothing is known about replacing atomic number {on_template} by {wanted}",
            "leave the prototype search out",
        )
    return score


@cache
def substitution_scores() -> FloatArray:
    """Return `substitution_score` of all pairs as an array indexed by atomic numbers, NaN where nothing is known."""
    with as_file(files("xtal_prototype") / "data" / SUBSTITUTION_TABLE) as path, np.load(path) as table:
        numbers, scores = table["numbers"].astype(int), table["scores"].astype(float)
    square = np.full((_HEAVIEST + 1, _HEAVIEST + 1), np.nan)
    square[np.ix_(numbers, numbers)] = scores
    square.flags.writeable = False
    return square
