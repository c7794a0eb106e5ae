"""RMS displacement between two structures, exactly as pymatgen's StructureMatcher finds it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan
from typing import ClassVar

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import IStructure, Structure

from xtal_core.errors import StructureError
from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_structure_matcher.plugin import StructureMatcherOptions


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

    def featurise(self, items: Sequence[Structure]) -> list[Structure]:
        """Return the reduced cells that the matcher compares.

        Raises StructureError for a structure without sites or whose cell cannot be reduced.
        """
        return [self._reduce(structure, position) for position, structure in enumerate(items, start=1)]

    def compare(self, first: Sequence[Structure], second: Sequence[Structure]) -> FloatArray:
        """Return the (n_first, n_second) normalised RMS displacements between reduced cells."""
        values = np.full((len(first), len(second)), nan)
        for row, one in enumerate(first):
            for column, other in enumerate(second):
                if not _have_same_content(one, other):
                    continue
                match = self._matcher.get_rms_dist(one, other)
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

    pymatgen reduces both structures of every pair. Its public `fit` can skip that, `get_rms_dist` cannot. Should
    pymatgen rename the method below, cells would be reduced twice, which costs time only.
    """

    @classmethod
    def _get_reduced_structure(
        cls,
        struct: Structure | IStructure,
        primitive_cell: bool = True,  # noqa: ARG003  pymatgen's signature
        niggli: bool = True,  # noqa: ARG003
    ) -> Structure:
        # A copy, because the matcher rescales the lattices of what it gets.
        return Structure.from_sites(list(struct))


def _have_same_content(one: Structure, other: Structure) -> bool:
    """Return whether two reduced cells hold as many sites and the same composition; without that nothing matches.

    The tolerance is far looser than pymatgen's comparison of sites, so that no match is lost here.
    """
    return len(one) == len(other) and one.composition.almost_equals(other.composition, rtol=0.0, atol=1e-3)
