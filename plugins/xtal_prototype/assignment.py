"""Which element of a formula goes where in a template."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, permutations, product

import numpy as np

from xtal_core.cells import IntArray
from xtal_prototype.chemistry import substitution_score
from xtal_prototype.template import Template

#: No more than this many ways of distributing the elements are considered for one template.
MOST_ASSIGNMENTS = 720


@dataclass(frozen=True, eq=False)
class Decoration:
    """A template whose elements have been replaced.

    Attributes
    ----------
    template
        The structure type.
    numbers : (n_atoms,)
        Atomic numbers of the formula's elements on the sites of the template.
    likeness
        Mean logarithmic odds, over the atoms, that the new element takes the place of the old one.
    """

    template: Template
    numbers: IntArray
    likeness: float


def decorations(template: Template, amounts: Mapping[int, int], most: int) -> list[Decoration]:
    """Return the `most` chemically likeliest ways to put a formula on `template`, best first.

    `amounts` maps atomic numbers to their amounts in the reduced formula, whose anonymous composition must be that of
    the template.
    """
    places: dict[int, list[int]] = defaultdict(list)
    for number, amount in template.amounts.items():
        places[amount].append(number)
    elements: dict[int, list[int]] = defaultdict(list)
    for number, amount in amounts.items():
        elements[amount].append(number)
    classes = sorted(places)
    choices = product(*(permutations(elements[amount]) for amount in classes))
    total = sum(amounts.values())
    scored = []
    for choice in islice(choices, MOST_ASSIGNMENTS):
        mapping = {
            old: new
            for amount, news in zip(classes, choice, strict=True)
            for old, new in zip(places[amount], news, strict=True)
        }
        likeness = sum(amounts[new] * substitution_score(old, new) for old, new in mapping.items()) / total
        scored.append((likeness, mapping))
    scored.sort(key=lambda item: -item[0])
    return [
        Decoration(template, np.array([mapping[number] for number in template.numbers.tolist()]), likeness)
        for likeness, mapping in scored[:most]
    ]


#: How many partial distributions are followed at a time.
BEAM = 24


def redistributions(template: Template, content: Mapping[int, int], most: int) -> list[Decoration]:
    """Return the `most` likeliest ways to put a cell content on the orbits of a template of another composition.

    Orbits of one species may get different elements and orbits of different species the same: the ordered variants
    and the disordered parents of a structure type. `content` maps atomic numbers to atoms in the primitive cell.
    """
    sizes = np.bincount(template.orbits)
    first = {orbit: row for row, orbit in reversed(list(enumerate(template.orbits.tolist())))}
    old = [int(template.numbers[first[orbit]]) for orbit in range(len(sizes))]
    new = sorted(content)
    order = np.argsort(-sizes, kind="stable").tolist()
    beam: list[tuple[float, tuple[int, ...], tuple[int, ...]]] = [(0.0, tuple(content[n] for n in new), ())]
    for orbit in order:
        size = int(sizes[orbit])
        scores = [size * substitution_score(old[orbit], number) for number in new]
        grown = [
            (total + scores[k], left[:k] + (left[k] - size,) + left[k + 1 :], (*chosen, number))
            for total, left, chosen in beam
            for k, number in enumerate(new)
            if left[k] >= size
        ]
        beam = sorted(grown, key=lambda state: -state[0])[:BEAM]
    found = []
    for total, _, chosen in beam[:most]:
        by_orbit = np.empty(len(sizes), int)
        by_orbit[order] = chosen
        found.append(Decoration(template, by_orbit[template.orbits], total / len(template.orbits)))
    return found
