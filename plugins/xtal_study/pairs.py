"""Which pairs a study compares: drawn so that they are informative, since two random structures hardly ever match."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from xtal_study.modifications import displace_atoms, expand, strain
from xtal_study.sources import Known

if TYPE_CHECKING:
    from pymatgen.core import Structure

Item = TypeVar("Item")

CANDIDATE, SAME_FORMULA, SAME_TYPE = "candidate", "same formula", "same type"
SAME_STOICHIOMETRY, UNRELATED = "same stoichiometry", "unrelated"
DISPLACED, STRAINED, EXPANDED = "displaced copy", "strained copy", "expanded copy"
STRAINED_AND_DISPLACED = "strained and displaced copy"

#: What pairs there are, in the order of tables.
KINDS = {
    CANDIDATE: "a candidate and its reference",
    SAME_FORMULA: "two structures of one reduced formula",
    SAME_TYPE: "two structures of one structure type and different formulas; types are drawn evenly",
    SAME_STOICHIOMETRY: "two structures of one anonymous formula and different types",
    UNRELATED: "two structures of different anonymous formulas",
    DISPLACED: "a structure and a copy with noise on all atoms",
    STRAINED: "a structure and a copy under a random strain, fractional coordinates kept",
    STRAINED_AND_DISPLACED: "both, a strain and noise",
    EXPANDED: "a structure and a copy with another volume, everything else kept",
}

#: Ranges of the modifications of copies. Noise is the root mean square displacement over (V/N)^(1/3), strain the norm
#: of the strain tensor, expansion a fraction of the volume.
NOISE, STRAIN, EXPANSION = (0.002, 0.2), (0.002, 0.1), (0.005, 0.06)

#: Draws for each pair that is wanted, before it is concluded that there are no more.
_DRAWS = 20


@dataclass(frozen=True)
class Pair:
    """Two structures to be compared.

    Attributes
    ----------
    kind
        Key of `KINDS`.
    first, second
        Indices into `PairSet.structures`.
    group
        What other pairs of the same group have in common (a structure, a formula, a type): they are not independent,
        and are drawn together when uncertainties are estimated.
    size
        How large the modification of a copy is, see `NOISE`, `STRAIN` and `EXPANSION` (of strain and noise together,
        the strain); None for pairs that were not made.
    """

    kind: str
    first: int
    second: int
    group: str
    size: float | None = None


@dataclass(frozen=True, eq=False)
class PairSet:
    """Pairs and the structures they consist of.

    Attributes
    ----------
    structures, names : (n_structures,)
    pairs
        In the order of `KINDS`.
    """

    structures: tuple[Structure, ...]
    names: tuple[str, ...]
    pairs: tuple[Pair, ...]

    def count(self, kind: str) -> int:
        """Return how many pairs are of `kind`."""
        return sum(pair.kind == kind for pair in self.pairs)


def draw_pairs(known: Sequence[Known], number: int, seed: int) -> PairSet:
    """Return at most `number` pairs of each kind among `known`; of candidates and their references, all.

    Parameters
    ----------
    known
        Structures and candidates with their references. Candidates are compared with these only.
    number
        Pairs of a kind; where fewer exist, all are taken.
    seed
        The same seed draws the same pairs and makes the same copies.
    """
    # A random generator for each kind: how many pairs one kind has does not change what is drawn for the others.
    randoms = [np.random.default_rng([seed, stream]) for stream in range(len(KINDS))]
    own = [index for index, one in enumerate(known) if not one.reference]
    place_of = {known[index].name: index for index in own}
    structures, names = [one.structure for one in known], [one.name for one in known]
    pairs = [
        Pair(CANDIDATE, index, place_of[one.reference], one.reference)
        for index, one in enumerate(known)
        if one.reference
    ]
    pairs += _same_formula(known, own, number, randoms[1])
    pairs += _same_type(known, own, number, randoms[2])
    pairs += _same_stoichiometry(known, own, number, randoms[3])
    pairs += _unrelated(known, own, number, randoms[4])
    copies: dict[str, Callable[[Structure, np.random.Generator], tuple[Structure, float]]] = {
        DISPLACED: _displaced,
        STRAINED: _strained,
        STRAINED_AND_DISPLACED: _strained_and_displaced,
        EXPANDED: _expanded,
    }
    for random, (kind, modify) in zip(randoms[5:], copies.items(), strict=True):
        # Noise on the only atom of a cell is a shift of the origin.
        parents = [index for index in own if len(known[index].structure) > 1 or kind in (STRAINED, EXPANDED)]
        for parent in _choose(parents, number, random):
            copy, size = modify(structures[parent], random)
            pairs.append(Pair(kind, parent, len(structures), names[parent], size))
            structures.append(copy)
            names.append(f"{names[parent]} ({kind}, {size:.4f})")
    return _without_unused(structures, names, pairs)


def _same_formula(known: Sequence[Known], own: Sequence[int], number: int, random: np.random.Generator) -> list[Pair]:
    groups = _grouped(own, lambda index: _formula(known[index]))
    found = [(formula, pair) for formula, members in groups.items() for pair in combinations(members, 2)]
    return [Pair(SAME_FORMULA, *pair, formula) for formula, pair in _choose(found, number, random)]


def _same_type(known: Sequence[Known], own: Sequence[int], number: int, random: np.random.Generator) -> list[Pair]:
    groups = _grouped(own, lambda index: known[index].type)

    def fits(first: Known, second: Known) -> bool:
        return _formula(first) != _formula(second)

    return _drawn_evenly(SAME_TYPE, groups, fits, known, number, random)


def _same_stoichiometry(
    known: Sequence[Known], own: Sequence[int], number: int, random: np.random.Generator
) -> list[Pair]:
    groups = _grouped(own, lambda index: known[index].structure.composition.anonymized_formula)

    def fits(first: Known, second: Known) -> bool:
        return first.type != second.type and _formula(first) != _formula(second)

    return _drawn_evenly(SAME_STOICHIOMETRY, groups, fits, known, number, random)


def _unrelated(known: Sequence[Known], own: Sequence[int], number: int, random: np.random.Generator) -> list[Pair]:
    def fits(first: Known, second: Known) -> bool:
        return first.structure.composition.anonymized_formula != second.structure.composition.anonymized_formula

    pairs = _drawn_evenly(UNRELATED, {"": list(own)}, fits, known, number, random)
    return [Pair(pair.kind, pair.first, pair.second, known[pair.first].name) for pair in pairs]


def _drawn_evenly(
    kind: str,
    groups: Mapping[str, Sequence[int]],
    fits: Callable[[Known, Known], bool],
    known: Sequence[Known],
    number: int,
    random: np.random.Generator,
) -> list[Pair]:
    """Return at most `number` different pairs that fit, each of a group drawn at random whatever its size.

    Drawing ends at `_DRAWS` times as many draws: there may be fewer pairs that fit than were asked for.
    """
    choices = [(name, members) for name, members in groups.items() if len(members) > 1]
    found: dict[tuple[int, int], str] = {}
    for _ in range(_DRAWS * number if choices else 0):
        name, members = choices[random.integers(len(choices))]
        i, j = np.sort(random.choice(len(members), 2, replace=False))
        if fits(known[members[i]], known[members[j]]):
            found.setdefault((members[i], members[j]), name)
        if len(found) == number:
            break
    return [Pair(kind, first, second, name) for (first, second), name in found.items()]


def _formula(one: Known) -> str:
    return one.structure.composition.reduced_formula


def _displaced(structure: Structure, random: np.random.Generator) -> tuple[Structure, float]:
    size = _log_uniform(NOISE, random)
    return displace_atoms(structure, size * (structure.volume / len(structure)) ** (1 / 3), random), size


def _strained(structure: Structure, random: np.random.Generator) -> tuple[Structure, float]:
    size = _log_uniform(STRAIN, random)
    return strain(structure, size, random), size


def _strained_and_displaced(structure: Structure, random: np.random.Generator) -> tuple[Structure, float]:
    strained, size = _strained(structure, random)
    return _displaced(strained, random)[0], size


def _expanded(structure: Structure, random: np.random.Generator) -> tuple[Structure, float]:
    size = _log_uniform(EXPANSION, random)
    return expand(structure, size), size


def _log_uniform(bounds: tuple[float, float], random: np.random.Generator) -> float:
    """Return a number whose logarithm is drawn evenly between those of `bounds`."""
    return float(np.exp(random.uniform(*np.log(bounds))))


def _grouped(items: Sequence[int], key: Callable[[int], str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)


def _choose(items: Sequence[Item], number: int, random: np.random.Generator) -> list[Item]:
    """Return `number` of `items`, all of them where there are not so many, in their order."""
    if len(items) <= number:
        return list(items)
    return [items[int(i)] for i in np.sort(random.choice(len(items), number, replace=False))]


def _without_unused(structures: Sequence[Structure], names: Sequence[str], pairs: Sequence[Pair]) -> PairSet:
    """Return the pairs with those structures only that take part in one."""
    used = sorted({index for pair in pairs for index in (pair.first, pair.second)})
    place = {old: new for new, old in enumerate(used)}
    return PairSet(
        tuple(structures[index] for index in used),
        tuple(names[index] for index in used),
        tuple(Pair(p.kind, place[p.first], place[p.second], p.group, p.size) for p in pairs),
    )
