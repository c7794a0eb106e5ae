"""Atom-centred symmetry functions as a distance between structures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Any, ClassVar

import numpy as np
from pymatgen.core import Structure

from xtal_core.interfaces import SimilarityMetric
from xtal_core.pattern import FloatArray
from xtal_local_environment.environments import Blocks, environments, import_dscribe
from xtal_local_environment.kernels import make_kernel
from xtal_local_environment.plugin import ACSFOptions

#: η (Å⁻²), ζ and λ of the angular functions: wide in distance, from blunt to sharp in angle, peaked at 0 and at 180°.
ANGULAR = [(0.01, sharpness, sign) for sharpness in (1, 4, 16) for sign in (1, -1)]


class ACSFMetric(SimilarityMetric):
    """√(2 − 2 k) for the kernel k of the symmetry functions of two structures: 0 for the same, at most √2.

    J. Behler, J. Chem. Phys. 134, 074106 (2011), G1, G2 and G4, calculated by dscribe for the periodic crystal: for
    each element the cutoff function summed over the neighbours and `radial` Gaussians whose centres are evenly spread
    up to `r_cut`, as wide (standard deviation) as they are apart; for each pair of elements six functions of the angle.
    The functions of an atom are scaled to unit length. `kernel` says how those of all atoms are compared: see
    `AverageKernel`, for which the triangle inequality holds, and `RematchKernel`.

    The elements of the neighbours are told apart, that of the atom in the centre is not seen. Structures without a
    common element are √2 apart.
    """

    name: ClassVar[str] = "acsf"
    symmetric: ClassVar[bool] = True

    def __init__(self, options: ACSFOptions) -> None:
        self.same_below = options.same_below
        acsf = import_dscribe(self.name).ACSF
        self._kernel = make_kernel(options.kernel, options.alpha)
        spacing = options.r_cut / options.radial
        gaussians = [(1 / (2 * spacing**2), spacing * (n + 0.5)) for n in range(options.radial)]
        self._widths = {1: 1 + len(gaussians), 2: len(ANGULAR)}

        @lru_cache(maxsize=256)
        def descriptor(numbers: tuple[int, ...]) -> Any:
            return acsf(
                species=list(numbers), r_cut=options.r_cut, g2_params=gaussians, g4_params=ANGULAR, periodic=True
            )

        self._descriptor = descriptor

    def featurise(self, items: Sequence[Structure]) -> list[Any]:
        """Return what the kernel needs of each structure. Raises StructureError for what `environments` refuses."""
        return [
            self._kernel.feature(environments(structure, f"structure {number}", self.name, self._describe))
            for number, structure in enumerate(items, start=1)
        ]

    def compare(self, first: Sequence[Any], second: Sequence[Any]) -> FloatArray:
        """Return the (n_first, n_second) distances."""
        values = [[self._kernel.distance(one, other) for other in second] for one in first]
        return np.reshape(np.array(values, float), (len(first), len(second)))

    def _describe(self, atoms: Any, numbers: tuple[int, ...]) -> Blocks:
        values = self._descriptor(numbers).create(atoms)
        elements = [(number,) for number in numbers]
        blocks, start = {}, 0
        # dscribe's order: the functions of distance element by element, then those of angles pair by pair.
        for key in [*elements, *_pairs(numbers)]:
            end = start + self._widths[len(key)]
            blocks[key] = values[:, start:end]
            start = end
        return blocks


def _pairs(numbers: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the pairs of elements in dscribe's order, that of a lower triangle."""
    return sorted(combinations_with_replacement(numbers, 2), key=lambda pair: (pair[1], pair[0]))
