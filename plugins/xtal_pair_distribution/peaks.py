"""The radial distribution R(r): a Gaussian for every pair of atoms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_pair_distribution.conditions import Conditions
from xtal_pair_distribution.crystal import Crystal
from xtal_pair_distribution.deposit import POINTS_LEVEL, POINTS_R, Deposit
from xtal_pair_distribution.pairs import EQUAL, PairDistances, PairVectors
from xtal_pair_distribution.termination import fast_size
from xtal_pair_distribution.widths import WidthNodes

#: A Gaussian ends this many standard deviations from its centre, where it is 1e-8 of its maximum.
TAIL = 6.0

#: Steps of the grid in the standard deviation of the narrowest peak, and in the distance over which its width changes.
STEPS_IN_SIGMA = 5.0
STEPS_IN_CHANGE = 10.0

#: Å: the longest step, so that the shortest distances are some steps away from 0.
LONGEST_STEP = 0.03

#: exp of minus this is nothing.
LAST_EXPONENT = 40.0

#: Å: peaks narrower than this are taken for a mistake.
NARROWEST_SIGMA = 0.003

#: Up to so many different displacements are kept apart; more are interpolated between levels LEVEL apart in log U.
DISTINCT_DISPLACEMENTS = 30
LEVEL = 0.1


@dataclass(frozen=True)
class Grid:
    """Distances `origin` + i `step` in Å for i from 0 to `n` − 1."""

    origin: float
    step: float
    n: int

    @property
    def r(self) -> FloatArray:
        """(n,) Å."""
        return self.origin + self.step * np.arange(float(self.n))

    def extended(self, distance: float) -> Grid:
        """Return this grid with points up to `distance` Å beyond its end."""
        return Grid(self.origin, self.step, self.n + math.ceil(distance / self.step))


@dataclass(frozen=True, eq=False)
class Levels:
    """Displacements under which pairs are put.

    Attributes
    ----------
    displacements : (n_levels,) Å²
        Increasing.
    distinct
        Whether no pair has another; otherwise they are in steps of LEVEL in their logarithm.
    """

    displacements: FloatArray
    distinct: bool

    @classmethod
    def for_pairs(cls, pairs: PairVectors) -> Levels:
        """Return the displacements of all pairs if these are few, otherwise steps that span them."""
        if pairs.isotropic:
            values = np.sort(pairs.displacements)
            values = values[np.diff(values, prepend=0.0) > EQUAL]
            if len(values) <= DISTINCT_DISPLACEMENTS:
                return cls(values, distinct=True)
        low, high = pairs.displacement_range()
        n = math.ceil(math.log(high / low) / LEVEL) + POINTS_LEVEL
        return cls(low * np.exp(LEVEL * np.arange(-1.0, n - 1)), distinct=False)

    def locate(self, displacements: FloatArray) -> FloatArray | NDArray[np.int64]:
        """Return between which levels `displacements` are, or on which; it may be that of a smaller one by rounding."""
        if self.distinct:
            return np.searchsorted(self.displacements, displacements - EQUAL)
        return np.log(displacements / self.displacements[0]) / LEVEL


def width_factor(r: FloatArray, conditions: Conditions) -> FloatArray:
    """Return what mean squared relative displacements are multiplied by at distances `r`; it increases with r."""
    return 1 - conditions.delta1 / r - conditions.delta2 / r**2 + (conditions.q_broad * r) ** 2


def peak_tail(pairs: PairVectors, conditions: Conditions, reach: float, crystal: Crystal) -> float:
    """Return how far beyond `reach` Å there are pairs whose peaks matter at it.

    Raises StructureError for displacements that are not positive along all directions.
    """
    smallest, largest = pairs.displacement_range()
    if smallest <= 0:
        raise StructureError(
            f"atoms of {crystal.name} have displacements that are not positive along all directions",
            "give tensors with positive principal values",
        )
    # Peaks out there are wider still, by less than this margin.
    return TAIL * math.sqrt(largest * float(width_factor(np.array(1.1 * reach), conditions)))


def longest_step(pairs: PairVectors, conditions: Conditions, nearest: float, crystal: Crystal) -> float:
    """Return the longest step in Å that resolves all peaks, of which that at `nearest` Å is the narrowest.

    Raises StructureError when it has no width.
    """
    factor = float(width_factor(np.array(nearest), conditions))
    if factor <= 0:
        raise StructureError(
            f"delta1 {conditions.delta1:g} Å and delta2 {conditions.delta2:g} Å² leave no width to the atoms of "
            f"{crystal.name} that are {nearest:.3f} Å apart",
            "lower them",
        )
    sigma = math.sqrt(pairs.displacement_range()[0] * factor)
    if sigma < NARROWEST_SIGMA:
        raise StructureError(
            f"the narrowest peak of {crystal.name} has a standard deviation of {sigma:.1e} Å",
            "give larger displacements, or lower delta1 and delta2",
        )
    step = min(LONGEST_STEP, sigma / STEPS_IN_SIGMA)
    change = conditions.delta1 / nearest**2 + 2 * conditions.delta2 / nearest**3
    return min(step, factor / change / STEPS_IN_CHANGE) if change else step


def radial_distribution(
    distances: PairDistances, conditions: Conditions, nearest: float, grid: Grid, tail: float, longest: float
) -> FloatArray:
    """Return (n,) Å⁻¹: R(r) on the `grid`; `longest` and `tail` are what the functions above return.

    Pairs are put on a grid of distances, apart by their displacements; what depends on r alone, the width that goes
    with a displacement, is then done for the grid instead of the pairs. Gaussians are folded in by Fourier transform,
    which also leads from the grid of the pairs to the finer one asked for: beyond the frequencies of the former there
    is nothing.
    """
    fine_size = fast_size(grid.extended(2 * tail + POINTS_R * LONGEST_STEP).n)
    period = fine_size * grid.step
    size = min(fine_size, fast_size(math.ceil(period / longest)))
    step = period / size
    coarse = Grid(grid.origin, step, math.ceil((grid.step * (grid.n - 1) + tail) / step) + POINTS_R)
    levels, histogram = _pair_histogram(distances, coarse)
    # No pair is nearer, only points that share the nearest ones are; before, the factor could be negative.
    factors = width_factor(np.maximum(coarse.r, nearest - POINTS_R // 2 * step), conditions)
    nodes = WidthNodes.spanning(levels[0] * factors[0], levels[-1] * factors[-1])
    if factors[0] == factors[-1]:
        widened = nodes.shares(levels * factors[0], np.ones(len(levels))) @ histogram
    else:
        widened = np.zeros((len(nodes.squares), coarse.n))
        for level, row in zip(levels, histogram, strict=True):
            widened += nodes.shares(level * factors, row)
    q = 2 * np.pi / period * np.arange(size // 2 + 1.0)
    # Beyond this, no Gaussian has anything left; the inverse transform takes it for 0.
    q = q[: np.searchsorted(q, math.sqrt(2 * LAST_EXPONENT / nodes.squares.min())) + 1]
    gaussians = np.exp(-0.5 * nodes.squares[:, None] * q**2)
    spectrum = np.einsum("mq,mq->q", np.fft.rfft(widened, size)[:, : len(q)], gaussians)
    return np.fft.irfft(spectrum, fine_size)[: grid.n] / grid.step


def _pair_histogram(distances: PairDistances, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Return displacements (n_levels,) in Å² and the weighted number of pairs of each on the `grid` (n_levels, n)."""
    pairs = distances.pairs
    levels = Levels.for_pairs(pairs)
    level_of_vector = levels.locate(pairs.displacements) if pairs.isotropic else np.empty(0)
    deposit = Deposit(len(levels.displacements), grid.n, between_levels=not levels.distinct)
    for r, vector, along in distances:
        level = level_of_vector.take(vector) if along is None else levels.locate(along)
        deposit.add((r - grid.origin) / grid.step, level, pairs.weights.take(vector))
    return levels.displacements, deposit.grid()
