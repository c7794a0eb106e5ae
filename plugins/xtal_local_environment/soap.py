"""Smooth overlap of atomic positions as a distance between structures."""

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
from xtal_local_environment.plugin import SOAPOptions


class SOAPMetric(SimilarityMetric):
    """√(2 − 2 k) for the kernel k of the SOAP power spectra of two structures: 0 for the same, at most 2.

    A. P. Bartók, R. Kondor, G. Csányi, Phys. Rev. B 87, 184115 (2013): the density of Gaussians around an atom, element
    by element, expanded in spherical harmonics and radial functions; of the coefficients the invariants under rotation
    and reflection, calculated by dscribe for the periodic crystal. Each power spectrum is scaled to unit length.
    `kernel` says how those of all atoms are compared: see `AverageKernel`, for which the triangle inequality holds, and
    `RematchKernel`.

    Elements are told apart: structures without a common element have no common block and are √2 apart.
    """

    name: ClassVar[str] = "soap"
    symmetric: ClassVar[bool] = True

    def __init__(self, options: SOAPOptions) -> None:
        self.same_below = options.same_below
        soap = import_dscribe(self.name).SOAP
        self._kernel = make_kernel(options.kernel, options.alpha)

        @lru_cache(maxsize=256)
        def descriptor(numbers: tuple[int, ...]) -> Any:
            return soap(
                species=list(numbers),
                r_cut=options.r_cut,
                n_max=options.n_max,
                l_max=options.l_max,
                sigma=options.sigma,
                periodic=True,
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
        descriptor = self._descriptor(numbers)
        values = descriptor.create(atoms)
        pairs = combinations_with_replacement(numbers, 2)
        return {pair: values[:, descriptor.get_location(pair)] for pair in pairs}
