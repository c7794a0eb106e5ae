"""The modifications that a sensitivity study makes of each structure, the slides' two cases among them.

Case 1 is thermal expansion: the volume grows, symmetry stays. Case 2 is a minute phase transition: one atom leaves its
special position, and symmetry is broken (S. J. L. Billinge, "Revisiting material structure in the time of AI", slides
of 9 July 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.errors import StructureError
from xtal_core.progress import Progress
from xtal_core.workers import in_order
from xtal_study import modifications as modify
from xtal_study.sources import Known, Refusal
from xtal_study.structure_symmetry import Symmetry, idealise, most_symmetric_site, symmetry

if TYPE_CHECKING:
    from pymatgen.core import Structure

UNCHANGED, DESCRIPTION, MIRRORED = "unchanged", "same crystal, described otherwise", "mirror image of a chiral crystal"
EXPANSION, ONE_AXIS = "thermal expansion", "expansion along c"
ONE_ATOM, NOISE = "one atom displaced", "noise on all atoms"
CHEMISTRY = "other elements on the sites"

#: Volume changes and displacements in Å that are tried.
VOLUME_CHANGES = (0.005, 0.01, 0.02, 0.04, 0.06)
DISPLACEMENTS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)

#: What a structure is modified by: the structure, a random generator, the index of its most symmetric site.
_Apply = Callable[["Structure", np.random.Generator, int], "Structure"]


@dataclass(frozen=True)
class Modification:
    """Something done to a structure.

    Attributes
    ----------
    name
        Unique; for tables.
    family
        What it is an example of.
    size
        How much of it: a fraction of the volume or Å; None where there is no such thing.
    apply
        See `_Apply`. Raises StructureError where it has no meaning.
    """

    name: str
    family: str
    size: float | None
    apply: _Apply


@dataclass(frozen=True, eq=False)
class Case:
    """A structure and what a modification made of it.

    Attributes
    ----------
    name
        Of the structure.
    modification, family, size
        As in `Modification`.
    original, modified
        Both in the cells that metrics are given.
    before, after
        Their symmetry.
    """

    name: str
    modification: str
    family: str
    size: float | None
    original: Structure
    modified: Structure
    before: Symmetry
    after: Symmetry

    @property
    def keeps_symmetry(self) -> bool:
        """Whether both have the same space group."""
        return self.before.number == self.after.number


def _described(change: Callable[[Structure, np.random.Generator], Structure]) -> _Apply:
    return lambda structure, random, _: change(structure, random)


def _mirrored(structure: Structure, random: np.random.Generator, site: int) -> Structure:  # noqa: ARG001
    if not symmetry(structure).chiral:
        raise StructureError("the structure is its own mirror image", "take a chiral one")
    return modify.mirror(structure)


def _expanded(change: Callable[[Structure, float], Structure], fraction: float) -> _Apply:
    return lambda structure, *_: change(structure, fraction)


def _one_atom(distance: float) -> _Apply:
    return lambda structure, random, site: modify.displace_one_atom(structure, site, distance, random)


def _noise(distance: float) -> _Apply:
    return lambda structure, random, _: modify.displace_atoms(structure, distance, random)


def _without_random(change: Callable[[Structure], Structure]) -> _Apply:
    return lambda structure, *_: change(structure)


MODIFICATIONS: tuple[Modification, ...] = (
    Modification("unchanged", UNCHANGED, None, _without_random(lambda structure: structure.copy())),
    Modification("supercell 2×1×1", DESCRIPTION, None, _without_random(partial(modify.repeat, numbers=(2, 1, 1)))),
    Modification("supercell 2×2×2", DESCRIPTION, None, _without_random(partial(modify.repeat, numbers=(2, 2, 2)))),
    Modification("origin shifted", DESCRIPTION, None, _described(lambda s, r: modify.shift_origin(s, r.random(3)))),
    Modification(
        "axes changed", DESCRIPTION, None, _described(lambda s, r: modify.change_axes(s, modify.random_axes(r)))
    ),
    Modification("sites reordered", DESCRIPTION, None, _described(modify.reorder)),
    Modification("crystal rotated", DESCRIPTION, None, _described(modify.rotate)),
    Modification("mirror image", MIRRORED, None, _mirrored),
    *(
        Modification(f"volume +{100 * size:g} %", EXPANSION, size, _expanded(modify.expand, size))
        for size in VOLUME_CHANGES
    ),
    *(
        Modification(f"c axis +{100 * size:g} %", ONE_AXIS, size, _expanded(modify.expand_along_z, size))
        for size in VOLUME_CHANGES
    ),
    *(Modification(f"one atom by {size:g} Å", ONE_ATOM, size, _one_atom(size)) for size in DISPLACEMENTS),
    *(Modification(f"noise of {size:g} Å", NOISE, size, _noise(size)) for size in DISPLACEMENTS),
    Modification("elements exchanged", CHEMISTRY, None, _without_random(modify.exchange_elements)),
    Modification("element replaced", CHEMISTRY, None, _without_random(modify.substitute)),
)


def make_cases(known: Sequence[Known], seed: int, jobs: int, progress: Progress) -> tuple[list[Case], list[Refusal]]:
    """Return every modification of each structure that has a meaning for it, and what could not be modified at all.

    Structures are first brought onto their symmetry (within 0.01 Å) in the primitive cell, so that symmetry is exact;
    a cell of one atom is doubled along a, because displacing its only atom would do nothing. The same
    modification of different size moves the same atoms in the same directions.
    """
    chunks = list(enumerate(known))
    results = in_order(partial(_CaseMaker, seed), chunks, jobs, "study")
    cases: list[Case] = []
    refusals: list[Refusal] = []
    for found in progress.track(results, "modifying structures", len(chunks)):
        if isinstance(found, Refusal):
            refusals.append(found)
        else:
            cases += found
    return cases, refusals


class _CaseMaker:
    """Makes the cases of one structure."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, numbered: tuple[int, Known]) -> list[Case] | Refusal:
        number, known = numbered
        try:
            original = idealise(known.structure)
            if len(original) == 1:
                original = modify.repeat(original, (2, 1, 1))
            before, site = symmetry(original), most_symmetric_site(original)
        except StructureError as error:
            return Refusal(known.name, str(error))
        families = {modification.family: None for modification in MODIFICATIONS}
        streams = {family: stream for stream, family in enumerate(families)}
        cases = []
        for modification in MODIFICATIONS:
            # The same stream for all sizes of a family: larger modifications are the smaller ones continued.
            random = np.random.default_rng([self._seed, number, streams[modification.family]])
            try:
                modified = modification.apply(original, random, site)
                after = symmetry(modified)
            except StructureError:
                continue
            cases.append(
                Case(
                    known.name,
                    modification.name,
                    modification.family,
                    modification.size,
                    original,
                    modified,
                    before,
                    after,
                )
            )
        return cases
