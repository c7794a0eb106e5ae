"""Similarity of two structures from the similarity of their environments, turned into a distance."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xtal_core.pattern import FloatArray
from xtal_local_environment.environments import Blocks

#: Squared relative change of the balancing factors at which dscribe ends its iteration.
REMATCH_THRESHOLD = 1e-20


class Kernel(ABC):
    """Makes distances of environments."""

    @abstractmethod
    def feature(self, environments: Blocks) -> Any:
        """Return what is needed of one structure."""

    @abstractmethod
    def distance(self, one: Any, other: Any) -> float:
        """Return √(2 − 2 k) for the kernel k between two structures, normalised so that k of one with itself is 1."""


def make_kernel(name: Literal["average", "rematch"], alpha: float) -> Kernel:
    """Return the kernel called `name`; `alpha` is that of `RematchKernel`."""
    return AverageKernel() if name == "average" else RematchKernel(alpha)


class AverageKernel(Kernel):
    """The cosine between the sums of the environments of two structures.

    The mean of the environments' scalar products over all pairs of atoms, normalised: S. De, A. P. Bartók, G. Csányi,
    M. Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016). Its distance is that between two unit vectors:
    symmetric, from 0 to 2, and it obeys the triangle inequality; different crystals may be at 0.
    """

    def feature(self, environments: Blocks) -> Blocks:
        """Return the sum of the environments, scaled to unit length."""
        sums = {elements: block.sum(axis=0) for elements, block in environments.items()}
        length = math.sqrt(sum(float(block @ block) for block in sums.values()))
        return {elements: block / length for elements, block in sums.items()}

    def distance(self, one: Blocks, other: Blocks) -> float:
        """Return the length of the difference, which is √(2 − 2 k) without its loss of digits where k is near 1."""
        absent = np.zeros(1)
        differences = (one.get(key, absent) - other.get(key, absent) for key in one.keys() | other.keys())
        return math.sqrt(sum(float(difference @ difference) for difference in differences))


@dataclass(frozen=True, eq=False)
class Rematched:
    """Environments and the similarity of the structure to itself, before normalisation."""

    environments: Blocks
    itself: float


class RematchKernel(Kernel):
    """The regularised entropy match of the environments of two structures, normalised.

    The mean scalar product of environments paired as cheaply as possible, where `alpha` times the negative entropy of
    the pairing adds to its cost: De et al. (2016), calculated by dscribe, whose iteration takes ever more steps as
    `alpha` gets smaller. The distance is symmetric and 0 between a structure and itself. It need not obey the triangle
    inequality, because the kernel need not be positive definite; should k exceed 1 for that reason, the distance is 0.
    """

    def __init__(self, alpha: float) -> None:
        from dscribe.kernels import REMatchKernel

        self._match = REMatchKernel(alpha=alpha, threshold=REMATCH_THRESHOLD)

    def feature(self, environments: Blocks) -> Rematched:
        """Return the environments with their similarity to themselves."""
        return Rematched(environments, self._similarity(environments, environments))

    def distance(self, one: Rematched, other: Rematched) -> float:
        """Return the distance; accurate to about 1e-7, since digits are lost where k is near 1."""
        kernel = self._similarity(one.environments, other.environments) / math.sqrt(one.itself * other.itself)
        return math.sqrt(max(0.0, 2 - 2 * kernel))

    def _similarity(self, one: Blocks, other: Blocks) -> float:
        return float(self._match.get_global_similarity(_scalar_products(one, other)))


def _scalar_products(one: Blocks, other: Blocks) -> FloatArray:
    """Return the (n_atoms, n_other_atoms) scalar products of the environments of two structures."""
    n, m = (len(next(iter(blocks.values()))) for blocks in (one, other))
    products = np.zeros((n, m))
    for elements in one.keys() & other.keys():
        products += one[elements] @ other[elements].T
    return products
