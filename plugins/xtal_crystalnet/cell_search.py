"""The cells in which a density describes a pattern, sought around a predicted one.

A network tells the density of many crystals rightly whose lattice it does not: edges are off by ten per cent, and peaks
miss each other. Each kind of lattice has one to six strains. A few hundred cells for each strain are drawn around the
prediction and compared with the smoothed pattern, the best of them and cells near these with a less smoothed one, and
so on, until cells differ by less than the peaks are wide: the cross-entropy method (Rubinstein 1999), whose elite keeps
apart.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from xtal_core.pattern import FloatArray, Pattern
from xtal_crystalnet.bravais import BravaisLattice, bravais_lattices
from xtal_crystalnet.density_pattern import DensityPattern, SmoothedPattern
from xtal_crystalnet.known_cell import log_metric_distance, primitive_cells

#: Root mean square of the principal logarithmic strains of the cells that are tried first.
SPREAD = 0.15

#: Cells that are tried first, and around each survivor later, for each strain that the lattice allows.
FIRST_CELLS, LATER_CELLS = 400, 20

#: So many go on, whose strains differ by more than this fraction of the spread.
SURVIVORS, APART = 12, 0.4

#: By what the spread is multiplied from one round to the next, and the most rounds.
NARROWING, MOST_ROUNDS = 0.45, 9

#: Å⁻¹; the strain of a reflection there is its shift over this: patterns are smoothed by the shifts that are left.
TYPICAL_Q = 3.0

#: Å⁻¹; patterns smoothed more than this tell too little.
MOST_SMOOTHING = 0.1

#: Of each kind of lattice so many are kept; cells nearer than this, as `log_metric_distance` counts, are the same.
KEPT, SAME_CELL = 3, 0.01

#: A lattice of lower symmetry must describe the pattern this much better.
MUCH_BETTER = 0.8

#: The kinds of so many cells are likely.
LIKELY_KINDS = 4


@dataclass(frozen=True, eq=False)
class FoundCell:
    """A cell in which a density describes a pattern.

    Attributes
    ----------
    lattice : (3, 3) Å
        Primitive lattice vectors as rows.
    kind
        Crystal system and centring, or given and centring.
    residual
        R², scale and background fitted; for a cell that was given, of the smoothed pattern.
    """

    lattice: FloatArray
    kind: str
    residual: float


def cells_of_draws(
    maps: FloatArray, predicted: FloatArray, pattern: Pattern, systems: Collection[str], random: np.random.Generator
) -> Iterator[list[FoundCell]]:
    """Yield for each of `maps` (n, n1, n2, n3) e⁻/Å³ the cells in which it describes `pattern`; see `search_cells`.

    The first is tried in all kinds of lattices that crystals of `systems` have, all others in those it does best in.
    """
    kinds, smoothed = bravais_lattices(systems), SmoothedPattern(pattern)
    first = search_cells(maps[0], predicted, smoothed, kinds, random)
    yield first
    likely = {cell.kind for cell in first[:LIKELY_KINDS]}
    kinds = [kind for kind in kinds if kind.name in likely]
    for values in maps[1:]:
        yield search_cells(values, predicted, smoothed, kinds, random)


def search_cells(
    values: FloatArray,
    predicted: FloatArray,
    smoothed: SmoothedPattern,
    kinds: Sequence[BravaisLattice],
    random: np.random.Generator,
) -> list[FoundCell]:
    """Return cells in which `values` (n1, n2, n3) e⁻/Å³ describe a pattern, the best first, no two the same.

    They are near the `predicted` lattice (3, 3) Å. Of cells that are the same that of the first of `kinds` is taken,
    unless another is much better.
    """
    compared = DensityPattern(values, smoothed)
    distinct: list[FoundCell] = []
    for cell in (cell for kind in kinds for cell in _cells_of_kind(kind, predicted, compared, random)):
        same = [other for other in distinct if log_metric_distance(cell.lattice, other.lattice) < SAME_CELL]
        if all(cell.residual < MUCH_BETTER * other.residual for other in same):
            distinct = [*(other for other in distinct if other not in same), cell]
    return sorted(distinct, key=attrgetter("residual"))


def centrings_of(values: FloatArray, known: FloatArray, smoothed: SmoothedPattern) -> list[FoundCell]:
    """Return the primitive cells of a `known` one (3, 3) Å, those first in which `values` describe a pattern best.

    The pattern is smoothed: the cell may be a little off.
    """
    compared = DensityPattern(values, smoothed)
    found = [
        FoundCell(lattice, f"given {letter}", float(compared.residuals(lattice[None], MOST_SMOOTHING)[0]))
        for letter, lattice in primitive_cells(known).items()
    ]
    return sorted(found, key=attrgetter("residual"))


def _cells_of_kind(
    kind: BravaisLattice, predicted: FloatArray, compared: DensityPattern, random: np.random.Generator
) -> list[FoundCell]:
    """Return the best cells of one kind of lattice."""
    start = kind.nearest(predicted)
    basis = kind.strains(start)
    n_strains = len(basis)
    amounts, values = np.zeros((1, n_strains)), np.full(1, np.inf)
    n_new = FIRST_CELLS * n_strains
    for strain, smoothing in _rounds(compared.smoothed.width):
        # The squares of the three principal strains add up to those of all the amounts.
        spread = strain * math.sqrt(3 / n_strains)
        new = amounts[:, None] + spread * random.standard_normal((len(amounts), n_new, n_strains))
        amounts = np.concatenate([amounts, new.reshape(-1, n_strains)])
        values = compared.residuals(_strained(start, amounts, basis), smoothing)
        chosen = _best_apart(amounts, values, APART * spread)
        amounts, values = amounts[chosen], values[chosen]
        n_new = LATER_CELLS * n_strains
    lattices = _strained(start, amounts[:KEPT], basis)
    return [FoundCell(lattice, kind.name, float(value)) for lattice, value in zip(lattices, values, strict=False)]


def _rounds(width: float) -> Iterator[tuple[float, float]]:
    """Yield the strain and the smoothing (Å⁻¹) of each round, for peaks of standard deviation `width` Å⁻¹."""
    strain = SPREAD
    for _ in range(MOST_ROUNDS):
        shift = strain * TYPICAL_Q
        yield strain, 0.0 if shift < width else min(shift, MOST_SMOOTHING)
        if shift < 0.5 * width:
            break
        strain *= NARROWING


def _strained(lattice: FloatArray, amounts: FloatArray, basis: FloatArray) -> FloatArray:
    """Return (n, 3, 3) `lattice`, changed by `amounts` (n, k) of the logarithmic strains `basis` (k, 3, 3)."""
    values, vectors = np.linalg.eigh(np.einsum("nk,kij->nij", amounts, basis))
    return lattice @ ((vectors * np.exp(values)[:, None]) @ vectors.transpose(0, 2, 1))


def _best_apart(amounts: FloatArray, values: FloatArray, distance: float) -> list[int]:
    """Return which of `amounts` (n, k) have the least `values` (n,), up to `SURVIVORS` of them `distance` apart."""
    chosen: list[int] = []
    for i in np.argsort(values, kind="stable").tolist():
        if not chosen or np.abs(amounts[chosen] - amounts[i]).max(1).min() > distance:
            chosen.append(i)
            if len(chosen) == SURVIVORS:
                break
    return chosen
