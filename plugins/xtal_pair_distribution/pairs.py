"""All pairs of atoms of a periodic structure up to a distance, without a loop over atoms or translations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xtal_core.pattern import FloatArray
from xtal_pair_distribution.crystal import Crystal

#: Å. Atoms closer than this are alternatives for one site, which are never there together (pdffit2's limit, too).
SAME_SITE = 0.1

#: Å and Å²: vectors and displacements that agree within this are the same.
EQUAL = 1e-8

#: Along this, components of different vectors differ.
NO_DIRECTION = np.array([0.5698402910, 0.7071890537, 0.4186216935])

#: Distances looked at in one go: half a megabyte, which stays in a processor's cache.
CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class PairVectors:
    """Vectors between atoms. Each stands for all pairs that differ from it by lattice translations.

    Attributes
    ----------
    vectors : (n, 3) Å
    displacements : (n, 3, 3) or (n,) Å²
        Cartesian covariances of the relative displacement of the two atoms; or, where that of no pair depends on the
        direction, its mean square along any.
    weights : (n,)
        How much such a pair counts.
    """

    vectors: FloatArray
    displacements: FloatArray
    weights: FloatArray

    @classmethod
    def between_atoms(cls, crystal: Crystal, strengths: FloatArray) -> PairVectors:
        """Return the distinct vectors of all pairs; a pair counts by the product of `strengths` (n_atoms,).

        Both orders of two atoms are one vector of double weight. Vectors that are equal or opposite and have the same
        displacements give the same distances and are merged: centring and inversion centres save their share of work.
        """
        first, second = np.triu_indices(len(strengths))
        separation = crystal.fractional[second] - crystal.fractional[first]
        separation -= np.round(separation)
        vectors = separation @ crystal.lattice
        weights = strengths[first] * strengths[second]
        weights[first != second] *= 2
        displacements, kind = _distinct_displacements(crystal.displacements)
        low, high = np.minimum(kind[first], kind[second]), np.maximum(kind[first], kind[second])
        kinds = low * len(displacements) + high
        # Equal and opposite vectors alone have the same component along a direction that nothing in a crystal has.
        order = np.lexsort((np.abs(vectors @ NO_DIRECTION), kinds))
        vectors, kinds = vectors[order], kinds[order]
        repeated = np.minimum(_squares(vectors[1:] - vectors[:-1]), _squares(vectors[1:] + vectors[:-1])) < EQUAL**2
        new = np.append(True, ~repeated | (kinds[1:] != kinds[:-1]))
        chosen = order[new]
        return cls(
            vectors[new],
            displacements[low[chosen]] + displacements[high[chosen]],
            np.bincount(np.cumsum(new) - 1, weights[order]).astype(float, copy=False),
        )

    @property
    def isotropic(self) -> bool:
        """Whether displacements are the same along all directions."""
        return self.displacements.ndim == 1

    def displacement_range(self) -> tuple[float, float]:
        """Return bounds of the mean squared relative displacement in Å² of two atoms along any direction."""
        values = self.displacements if self.isotropic else np.linalg.eigvalsh(self.displacements)
        return float(values.min()), float(values.max())


@dataclass(frozen=True, eq=False)
class PairDistances:
    """Distances between atoms, all of them up to a cutoff.

    With v = d + T, both v·v and v·U·v are linear in the monomials of T, whose coefficients depend on d and U only:
    distances from all vectors to all translations are one product of two matrices.

    Attributes
    ----------
    cutoff : Å
    pairs
    translations : (5 or 10, n)
        Monomials of the lattice translations; ten where displacements depend on the direction.
    """

    cutoff: float
    pairs: PairVectors
    translations: FloatArray

    @classmethod
    def below(cls, cutoff: float, lattice: FloatArray, pairs: PairVectors) -> PairDistances:
        """Return the distances below `cutoff` Å in a `lattice` (3, 3) Å of any shape."""
        radius = cutoff + math.sqrt(_squares(pairs.vectors).max())
        monomials = _monomials(*translations(lattice, radius), mixed=not pairs.isotropic)
        return cls(cutoff, pairs, monomials)

    def shortest(self) -> float:
        """Return the smallest distance in Å between two atoms that can be there together; at most the cutoff.

        Any distance known bounds it, and thereby the translations that can lead to it.
        """
        lengths = np.sqrt(_squares(self.pairs.vectors))
        squares = self.translations[1]
        bound = min(
            self.cutoff,
            lengths[lengths > SAME_SITE].min(initial=np.inf),
            math.sqrt(squares[squares > 0].min(initial=np.inf)),
        )
        near = self.translations[:5, squares <= ((bound + lengths.max()) * (1 + 1e-9)) ** 2]
        found = _squared_lengths(self.pairs.vectors) @ near
        return min(self.cutoff, math.sqrt(found[found > SAME_SITE**2].min(initial=np.inf)))

    def __iter__(self) -> Iterator[tuple[FloatArray, NDArray[np.int64], FloatArray | None]]:
        """Yield, part by part, distances (m,) Å, the vector each belongs to (m,), and displacements (m,) Å².

        Displacements are the mean squared relative ones along the line between the atoms; None where they are the same
        along all directions, and those of the vectors.
        """
        pairs, images = self.pairs, self.translations
        lengths = _squared_lengths(pairs.vectors)
        stretched = None if pairs.isotropic else _quadratic_forms(pairs.vectors, pairs.displacements)
        rows = max(1, CHUNK // images.shape[1])
        for start in range(0, len(lengths), rows):
            part = slice(start, start + rows)
            squares = lengths[part] @ images[:5]
            inside = (squares < self.cutoff**2) & (squares > SAME_SITE**2)
            # Flat: selecting from one axis takes half the time that selecting from two takes.
            flat = inside.reshape(-1)
            within = squares.reshape(-1)[flat]
            counts = np.count_nonzero(inside, axis=1)
            vector = np.repeat(np.arange(start, start + len(counts)), counts)
            along = None if stretched is None else (stretched[part] @ images).reshape(-1)[flat] / within
            yield np.sqrt(within), vector, along


def translations(lattice: FloatArray, radius: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return x, y, z and the squared length, each (n,), of the lattice translations not longer than `radius` Å."""
    reach = np.floor(radius * np.linalg.norm(np.linalg.inv(lattice), axis=0) * (1 + 1e-9)).astype(int)
    i, j, k = (np.arange(-n, n + 1.0) for n in reach)
    x, y, z = ((i[:, None, None] * a + j[:, None] * b + k * c).reshape(-1) for a, b, c in lattice.T)
    squares = x * x + y * y + z * z
    inside = np.flatnonzero(squares <= radius**2)
    return x.take(inside), y.take(inside), z.take(inside), squares.take(inside)


def _distinct_displacements(displacements: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return the distinct ones of `displacements` and which of them each atom has."""
    if np.ptp(displacements, axis=0).max() < EQUAL:
        return displacements[:1], np.zeros(len(displacements), np.int64)
    axis = None if displacements.ndim == 1 else 0
    _, chosen, kind = np.unique(np.round(displacements / EQUAL), axis=axis, return_index=True, return_inverse=True)
    return displacements[chosen], kind.reshape(-1)


def _squares(vectors: FloatArray) -> FloatArray:
    """Return the (n,) squared lengths of `vectors` (n, 3)."""
    return np.einsum("ij,ij->i", vectors, vectors)


def _monomials(x: FloatArray, y: FloatArray, z: FloatArray, squares: FloatArray, *, mixed: bool) -> FloatArray:
    """Return (5, n): 1, xx + yy + zz, x, y and z; if `mixed` (10, n) with yy, zz, yz, xz and xy."""
    rows = [np.ones(len(x)), squares, x, y, z]
    return np.stack([*rows, y * y, z * z, y * z, x * z, x * y] if mixed else rows)


def _squared_lengths(vectors: FloatArray) -> FloatArray:
    """Return the (n, 5) coefficients of (d + T)·(d + T) in the first five monomials of T."""
    coefficients = np.empty((len(vectors), 5))
    coefficients[:, 0] = _squares(vectors)
    coefficients[:, 1] = 1
    np.multiply(vectors, 2, out=coefficients[:, 2:])
    return coefficients


def _quadratic_forms(vectors: FloatArray, tensors: FloatArray) -> FloatArray:
    """Return the (n, 10) coefficients of (d + T)·U·(d + T) in the monomials of T."""
    linear = np.einsum("nij,nj->ni", tensors, vectors)
    constant = np.einsum("ni,ni->n", linear, vectors)
    xx, yy, zz = tensors[:, 0, 0], tensors[:, 1, 1], tensors[:, 2, 2]
    mixed = [2 * tensors[:, 1, 2], 2 * tensors[:, 0, 2], 2 * tensors[:, 0, 1]]
    return np.column_stack([constant, xx, 2 * linear, yy - xx, zz - xx, *mixed])
