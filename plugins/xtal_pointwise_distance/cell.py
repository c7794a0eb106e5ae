"""The cell of a crystal and the translations of its lattice."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from xtal_core.pattern import FloatArray

Vector = tuple[float, float, float]


class Cell:
    """A cell of any shape.

    Attributes
    ----------
    lattice : (3, 3) Å
        Lattice vectors as rows.
    volume : Å³
    skewness
        The product of the lengths of the edges over the volume: 1 for a right-angled cell.
    """

    def __init__(self, lattice: FloatArray) -> None:
        self.lattice = lattice
        # Plain numbers: for three vectors they take a tenth of NumPy's time.
        a, b, c = lattice.tolist()
        self._products = _cross(b, c), _cross(c, a), _cross(a, b)
        self.volume = abs(sum(x * y for x, y in zip(a, self._products[0], strict=True)))
        edges = math.hypot(*a) * math.hypot(*b) * math.hypot(*c)
        self.skewness = edges / self.volume if self.volume > 0 else math.inf

    def translations(self, radius: float, longest: float) -> FloatArray:
        """Return (n, 3) Å translations of the lattice: all that bring a vector between atoms to within `radius` Å of 0.

        Of these vectors is known that their fractional coordinates are between -1/2 and 1/2, and that they are not
        longer than `longest` Å.
        """
        radius *= 1 + 1e-9  # for rounding
        # The n-th plane spanned by two of the edges is n times the distance of the first from the origin.
        block = _block(*(int(radius * math.hypot(*product) / self.volume + 0.5) for product in self._products))
        vectors = block @ self.lattice
        return vectors[np.einsum("ij,ij->i", vectors, vectors) <= (radius + longest) ** 2]


@lru_cache(maxsize=32)
def _block(*reach: int) -> FloatArray:
    """Return the (n, 3) triples of whole numbers that are at most `reach` along the three edges."""
    return np.stack(np.meshgrid(*(np.arange(-n, n + 1.0) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
