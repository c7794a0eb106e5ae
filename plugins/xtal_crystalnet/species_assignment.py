"""Which atom of a cell is of which element: by the charges of the atoms, and by which of them are equivalent.

The formula says how many atoms of each element there are; charges that come from a predicted map only say roughly which
is which. Three things help. The order of the charges counts, not their size: the elements in the order of the charges
are the best assignment on any scale. Where charges are too alike for that, atoms that symmetry makes equivalent are
taken to be of one element. What remains open is returned as alternatives, for the pattern to decide.
"""

from __future__ import annotations

from heapq import nsmallest

import numpy as np
import spglib

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray

#: Å; places this close to where an operation wants them are equivalent. Among 20 places, each wrong by 0.2 Å, the worst
#: pair differs by as much; no two atoms are as close.
SYMMETRY_TOLERANCE = 0.7

#: Relative error of charges that the best of maps have.
LEAST_ERROR = 0.003

#: Charges closer than this many standard deviations may have been exchanged.
INDISTINGUISHABLE = 3.0

#: Equivalent atoms of one element explain charges as well as any atoms do if the deviations grow less than this.
NO_WORSE = 1.5

#: An atom's charge is wrong by no more than this factor; more only if the order of the charges wants it.
LARGEST_FACTOR = 2.5

#: Charges are at least this fraction of their mean; the fit may have left nothing of a peak.
LEAST_CHARGE = 0.01

#: Partial assignments that are followed up, among those that leave different numbers of atoms of the elements.
BEAM = 300


def assignments(
    lattice: FloatArray, fractional: FloatArray, charges: FloatArray, numbers: IntArray, alternatives: int
) -> list[IntArray]:
    """Return up to `alternatives` ways of giving the atomic numbers `numbers` (n,) to atoms, each (n,), the best first.

    The atoms are at `fractional` (n, 3) in a cell of `lattice` (3, 3) Å and have the `charges` (n,), in any unit. No
    two ways differ only by an operation that maps the places onto each other.
    """
    elements, element_of, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    observed = np.log(np.maximum(charges, LEAST_CHARGE * charges.mean() + 1e-300))
    in_order = np.empty(len(numbers), int)
    in_order[np.argsort(observed, kind="stable")] = np.sort(element_of)
    if len(elements) == 1:
        return [elements[in_order]]
    expected, error = _charges_of_elements(observed, in_order, elements)
    deviations = np.abs(observed[:, None] - expected)
    largest = np.maximum(deviations[np.arange(len(numbers)), in_order], np.log(LARGEST_FACTOR))
    costs = np.where(deviations <= largest[:, None], deviations**2, np.inf)
    classes = _indistinguishable(observed, in_order, INDISTINGUISHABLE * error)
    operations = permutations(lattice, fractional)
    orbits = _orbits(operations, classes[in_order])
    by_orbit = _cheapest(np.where(classes[in_order][:, None] == classes, costs, np.inf), orbits, counts, alternatives)
    # Most ways of exchanging single atoms are one way, up to symmetry.
    by_atom = _cheapest(costs, np.arange(len(numbers)), counts, 4 * alternatives)
    ways = [way for _, way in by_orbit + by_atom]
    if by_orbit and by_orbit[0][0] > len(numbers) * (NO_WORSE * error) ** 2:
        ways.insert(0, in_order)
    distinct: dict[bytes, IntArray] = {}
    for way in ways:
        distinct.setdefault(_canonical(operations, way), elements[way])
    return list(distinct.values())[:alternatives]


def permutations(lattice: FloatArray, fractional: FloatArray) -> IntArray:
    """Return (n_operations, n_atoms): onto which atom each operation moves each atom.

    An operation moves every place onto a place, whatever elements are there. The identity is always among them, and no
    two are the same.
    """
    identity = np.arange(len(fractional))[None]
    try:
        cell = (lattice.tolist(), fractional.tolist(), [1] * len(fractional))
        found = spglib.get_symmetry(cell, symprec=SYMMETRY_TOLERANCE)
    except spglib.SpglibError:
        return identity
    if found is None:
        return identity
    images = np.einsum("oij,nj->oni", found["rotations"], fractional) + found["translations"][:, None]
    difference = images[:, :, None] - fractional
    difference -= np.round(difference)
    moved_onto = np.linalg.norm(difference @ lattice, axis=-1).argmin(axis=-1)
    # With a tolerance as large as that, an operation may move two atoms onto one.
    one_to_one = (np.sort(moved_onto, axis=1) == identity).all(axis=1)
    return np.unique(np.concatenate([identity, moved_onto[one_to_one]]), axis=0)


def _charges_of_elements(observed: FloatArray, in_order: IntArray, elements: IntArray) -> tuple[FloatArray, float]:
    """Return (n_elements,) logarithms of the charges that atoms of `elements` have, and the standard deviation of any.

    The charges are taken to go with a power of Z: peaks of light atoms tend to be even lower than those of heavy ones.
    `observed` (n,) are the logarithms of the charges, `in_order` (n,) the indices of the elements in their order.
    """
    design = np.column_stack([np.ones(len(elements)), np.log(elements)])
    fit = np.linalg.lstsq(design[in_order], observed, rcond=None)[0]
    squares = np.square(observed - design[in_order] @ fit).sum()
    return design @ fit, float(np.sqrt(squares / max(len(observed) - 2, 1))) + LEAST_ERROR


def _indistinguishable(observed: FloatArray, in_order: IntArray, gap: float) -> IntArray:
    """Return (n_elements,) classes of elements: one for all whose logarithms of charges have no `gap` between them."""
    classes = [0]
    for element in range(1, int(in_order.max()) + 1):
        apart = observed[in_order == element].min() - observed[in_order == element - 1].max()
        classes.append(classes[-1] + int(apart > gap))
    return np.array(classes)


def _orbits(operations: IntArray, classes: IntArray) -> IntArray:
    """Return (n_atoms,): for every atom the first that is equivalent to it by operations that keep the `classes`."""
    kept = operations[(classes[operations] == classes).all(axis=1)]
    return kept.min(axis=0)


def _cheapest(costs: FloatArray, orbits: IntArray, counts: IntArray, n_best: int) -> list[tuple[float, IntArray]]:
    """Return the `n_best` cheapest ways to have one element on each orbit: costs, and (n_atoms,) elements' indices.

    `costs` (n_atoms, n_elements) are infinite where an element may not be, `counts` (n_elements,) the atoms of each
    element. There may be none.
    """
    firsts, orbit_of, sizes = np.unique(orbits, return_inverse=True, return_counts=True)
    partial: dict[tuple[int, ...], list[tuple[float, tuple[int, ...]]]] = {tuple(counts.tolist()): [(0.0, ())]}
    for orbit in range(len(firsts)):
        size = int(sizes[orbit])
        prices = costs[orbit_of == orbit].sum(axis=0).tolist()
        extended: dict[tuple[int, ...], list[tuple[float, tuple[int, ...]]]] = {}
        for left, ways in partial.items():
            for element, price in enumerate(prices):
                if left[element] >= size and price < np.inf:
                    still_left = (*left[:element], left[element] - size, *left[element + 1 :])
                    longer = [(cost + price, (*way, element)) for cost, way in ways]
                    extended.setdefault(still_left, []).extend(longer)
        best = ((still_left, nsmallest(n_best, ways)) for still_left, ways in extended.items())
        partial = dict(nsmallest(BEAM, best, key=lambda item: item[1][0][0]))
    complete = partial.get((0,) * len(counts), [])
    return [(cost, np.array(way)[orbit_of]) for cost, way in complete]


def _canonical(operations: IntArray, way: IntArray) -> bytes:
    """Return what is the same for all ways that an operation turns into each other."""
    images = way[operations]
    return images[np.lexsort(images.T[::-1])[0]].tobytes()
