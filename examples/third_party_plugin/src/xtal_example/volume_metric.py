"""Similarity of structures by their volume per atom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Structure

from xtal_core.errors import StructureError
from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_example.plugin import VolumePerAtomOptions


class VolumePerAtom(SimilarityMetric):
    """|V₁/N₁ − V₂/N₂|: the same for any description of a crystal, and blind to everything else."""

    name = "volume-per-atom"
    unit = "Å³"
    compares = "structures"
    better = "lower"

    def __init__(self, options: VolumePerAtomOptions) -> None:
        self.same_below = options.same_below

    def featurise(self, items: Sequence[Structure]) -> list[float]:
        """Return volumes per atom in Å³. Raises StructureError for a cell without atoms."""
        for item in items:
            if not item.composition.num_atoms:
                raise StructureError("a cell without atoms has no volume per atom", "give a structure with atoms")
        return [item.volume / item.composition.num_atoms for item in items]

    def compare(self, first: Sequence[float], second: Sequence[float]) -> FloatArray:
        """Return the (n_first, n_second) differences in Å³."""
        return np.abs(np.subtract.outer(np.asarray(first, float), np.asarray(second, float)))
