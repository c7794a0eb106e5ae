"""RMS displacement between two structures, exactly as pymatgen's StructureMatcher finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import ClassVar

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import IStructure, Structure

from xtal_core.errors import StructureError
from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_structure_matcher.plugin import StructureMatcherOptions

#: Amounts in a cell that are nearer than this may be the same: far looser than pymatgen's comparison of sites, so that
#: no match is lost by comparing compositions first.
AMOUNT_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class ReducedCell:
    """What is done once a structure.

    Attributes
    ----------
    structure
        The reduced cell.
    amounts
        How many atoms of each species it holds.
    """

    structure: Structure
    amounts: dict[str, float]

    @classmethod
    def of(cls, structure: Structure) -> ReducedCell:
        """Return the cell of a `structure` that is reduced already."""
        amounts = {str(species): amount for species, amount in structure.composition.items()}
        return cls(structure, {species: amount for species, amount in amounts.items() if amount > AMOUNT_TOLERANCE})

    def may_match(self, other: ReducedCell) -> bool:
        """Return whether both hold as many sites and the same species; without that nothing matches."""
        return (
            len(self.structure) == len(other.structure)
            and self.amounts.keys() == other.amounts.keys()
            and all(abs(amount - other.amounts[key]) <= AMOUNT_TOLERANCE for key, amount in self.amounts.items())
        )


class StructureMatcherMetric(SimilarityMetric):
    """pymatgen's normalised RMS displacement; NaN where pymatgen finds no match.

    The value is what `StructureMatcher.get_rms_dist(first, second)[0]` returns: the root mean square distance of
    paired sites divided by (V/N)^(1/3), a pure number between 0 and `stol`. As in pymatgen, lattice mappings are
    searched from the first structure to the second only, so that swapping the two can change the last digits, and
    the verdict of pairs at the edge of a tolerance.

    Any match is "the same structure": the tolerances are the threshold, and `same_below` is infinite.
    """

    name: ClassVar[str] = "structure-matcher"

    def __init__(self, options: StructureMatcherOptions) -> None:
        self.same_below = inf
        self._options = options
        self._matcher = _ReducedStructureMatcher(
            ltol=options.ltol,
            stol=options.stol,
            angle_tol=options.angle_tol,
            primitive_cell=options.primitive_cell,
            scale=options.scale,
        )

    def featurise(self, items: Sequence[Structure]) -> list[ReducedCell]:
        """Return the reduced cells that the matcher compares.

        Raises StructureError for a structure without sites or whose cell cannot be reduced.
        """
        return [ReducedCell.of(self._reduce(structure, position)) for position, structure in enumerate(items, start=1)]

    def compare(self, first: Sequence[ReducedCell], second: Sequence[ReducedCell]) -> FloatArray:
        """Return the (n_first, n_second) normalised RMS displacements between reduced cells."""
        values = np.full((len(first), len(second)), nan)
        for row, one in enumerate(first):
            for column, other in enumerate(second):
                if not one.may_match(other):
                    continue
                match = self._matcher.get_rms_dist(one.structure, other.structure)
                if match is not None:
                    values[row, column] = match[0]
        return values

    def _reduce(self, structure: Structure, position: int) -> Structure:
        if not len(structure):
            raise StructureError(f"structure {position} has no sites", "give a structure with at least one atom")
        label = f"{structure.composition.formula} (structure {position})"
        if not (np.isfinite(structure.cart_coords).all() and structure.volume > 1e-6):
            raise StructureError(f"the cell of {label} is flat or not finite", "check its lattice and coordinates")
        copy = Structure.from_sites(list(structure))
        if not self._options.charges:
            copy.remove_oxidation_states()
        try:
            reduced = copy.get_reduced_structure(reduction_algo="niggli")
            return reduced.get_primitive_structure() if self._options.primitive_cell else reduced
        except Exception as error:
            raise StructureError(f"the cell of {label} cannot be reduced ({error})", "check its lattice") from error


class _ReducedStructureMatcher(StructureMatcher):
    """A StructureMatcher of cells that are reduced already.

    pymatgen copies and reduces both structures of every pair. Its public `fit` can skip that, `get_rms_dist` cannot.
    Should pymatgen rename the methods below, it would be done twice, which costs time only.
    """

    def _process_species(self, structures: Sequence[Structure]) -> list[Structure]:
        return list(structures)

    @classmethod
    def _get_reduced_structure(
        cls,
        struct: Structure | IStructure,
        primitive_cell: bool = True,  # noqa: ARG003  pymatgen's signature
        niggli: bool = True,  # noqa: ARG003
    ) -> Structure:
        # A copy, because the matcher rescales the lattices of what it gets.
        return Structure.from_sites(list(struct))
