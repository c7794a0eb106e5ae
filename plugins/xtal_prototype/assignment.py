"""Which element of a formula goes where in a template."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, permutations, product

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_prototype.chemistry import substitution_scores
from xtal_prototype.template import Template

#: Score of a replacement that nothing is known about: as unlikely as any that is known.
UNKNOWN_REPLACEMENT = -5.0

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


def orbit_scores(template: Template) -> FloatArray:
    """Return (n_orbits, 119): how readily each element takes the place of those that are known on each orbit."""
    scores = np.nan_to_num(substitution_scores(), nan=UNKNOWN_REPLACEMENT)
    n_orbits = template.n_orbits
    if template.site_species is None:
        old = np.empty(n_orbits, int)
        old[template.orbits] = template.numbers
        return scores[old]
    rows = []
    for counts in template.site_species:
        # Members are no independent evidence for a type that hundreds of rare earths share: weigh by the root.
        weights = np.sqrt(np.array(list(counts.values()), float))
        rows.append(weights @ scores[list(counts)] / weights.sum())
    return np.array(rows)


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
    by_orbit = orbit_scores(template)
    scores = {int(number): by_orbit[template.orbits[template.numbers == number]].mean(0) for number in template.amounts}
    scored = []
    for choice in islice(choices, MOST_ASSIGNMENTS):
        mapping = {
            old: new
            for amount, news in zip(classes, choice, strict=True)
            for old, new in zip(places[amount], news, strict=True)
        }
        likeness = sum(amounts[new] * scores[old][new] for old, new in mapping.items()) / total
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
    new = sorted(content)
    by_orbit = orbit_scores(template)[:, new] * sizes[:, None]
    order = np.argsort(-sizes, kind="stable").tolist()
    beam: list[tuple[float, tuple[int, ...], tuple[int, ...]]] = [(0.0, tuple(content[n] for n in new), ())]
    for orbit in order:
        size = int(sizes[orbit])
        scores = by_orbit[orbit].tolist()
        grown = [
            (total + scores[k], (*left[:k], left[k] - size, *left[k + 1 :]), (*chosen, number))
            for total, left, chosen in beam
            for k, number in enumerate(new)
            if left[k] >= size
        ]
        beam = sorted(grown, key=lambda state: -state[0])[:BEAM]
    found = []
    for total, _, chosen in beam[:most]:
        numbers = np.empty(len(sizes), int)
        numbers[order] = chosen
        found.append(Decoration(template, numbers[template.orbits], total / len(template.orbits)))
    return found
