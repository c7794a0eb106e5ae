"""The morph that makes one G(r) resemble another one most: least squares with exact derivatives.

The scale is eliminated (variable projection: G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), with the
simplified Jacobian of L. Kaufman, BIT 15, 49 (1975)); stretch, variance of the smear and square of the damping are
found by a Levenberg–Marquardt iteration within bounds, from several starts. Squares, because the derivative by a smear
vanishes where it is 0, and nothing would ever leave that point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xtal_core.pattern import FloatArray
from xtal_pair_distribution.morphing import Morph, MorphLimits, MorphSource
from xtal_pair_distribution.stretch_scan import LogGrid, ScanSource, ScanTarget, log_grid, promising_starts

#: An iteration that lowers the sum of squares by no more than this fraction is the last one: Rw has settled.
SETTLED = 1e-6

#: Of the sum of squares of the target: agreement this good (Rw 1e-6) is perfect.
PERFECT = 1e-12

#: Iterations a start.
ITERATIONS = 30

#: Starts, and how high the correlation of the others must be compared with the first one's.
STARTS, WORST_START = 2, 0.8

#: What is added to the diagonal of the matrix, relative to it: at first, and when the iteration is given up.
FIRST_CAUTION, LAST_CAUTION = 1e-3, 1e6

#: Smallest eigenvalue of the matrix, scaled to a diagonal of about 1, that a step is trusted with.
LEAST_EIGENVALUE = 1e-3


@dataclass(frozen=True, eq=False)
class MorphFit:
    """A fitted morph and what became of both sides.

    Attributes
    ----------
    morph
        What was done to the morphed side.
    morphed, target : (n_points,) Å⁻²
        Both sides at the distances of the comparison.
    """

    morph: Morph
    morphed: FloatArray
    target: FloatArray


class Morphable:
    """A G(r) as the side of a fit that is morphed."""

    def __init__(self, source: MorphSource, r_min: float, r_max: float, limits: MorphLimits) -> None:
        self.source, self.limits = source, limits
        self._range = r_min, r_max

    @cached_property
    def grid(self) -> LogGrid:
        """Where stretches are scanned."""
        return log_grid(*self._range, self.limits.stretch)

    @cached_property
    def scan(self) -> ScanSource:
        """What stretches are scanned with."""
        return ScanSource(self.source, self.grid, self.limits)


class Target:
    """A G(r) as the side of a fit that stays: `r` Å and `g` Å⁻², both (n_points,)."""

    def __init__(self, r: FloatArray, g: FloatArray) -> None:
        self.r, self.g = r, g
        self.square = float(g @ g)
        self.half_r2 = 0.5 * r**2
        self._scans: dict[LogGrid, ScanTarget] = {}

    def scan(self, grid: LogGrid) -> ScanTarget:
        """Return what stretches are scanned with."""
        if grid not in self._scans:
            self._scans[grid] = ScanTarget(self.r, self.g, grid)
        return self._scans[grid]


def fit_morph(morphable: Morphable, target: Target) -> MorphFit:
    """Return the morph, of those within the limits, that leaves the smallest sum of squared differences.

    The scale is not negative. The search is thorough, yet a better local minimum than the one found may exist for two
    G(r) that have nothing in common.
    """
    best = _Iterate(morphable, target, np.zeros(3))
    if best.cost <= PERFECT * target.square:
        return best.fit()
    starts = promising_starts(morphable.scan, target.scan(morphable.grid), morphable.grid, STARTS, WORST_START)
    for stretch, variance in starts:
        best = min(best, _descend(_Iterate(morphable, target, np.array([stretch, variance, 0.0]))), key=_cost)
    return best.fit()


def unmorphed(morphable: Morphable, target: Target) -> MorphFit:
    """Return both sides as they are."""
    source = morphable.source
    return MorphFit(Morph(density=source.density), source.at(target.r, 0.0, 0.0)[0], target.g)


class _Iterate:
    """A morph and the linearised problem around it: `x` is stretch, variance (Å²) and squared damping (Å⁻²)."""

    def __init__(self, morphable: Morphable, target: Target, x: FloatArray) -> None:
        self.morphable, self.target, self.x = morphable, target, x
        stretch, variance, damping = x
        # Rows: the morphed G before scaling, its derivatives by x, and the target.
        self._rows = np.empty((5, len(target.r)))
        self._rows[:3] = morphable.source.at(target.r, stretch, variance)
        if morphable.limits.damping:
            self._rows[:3] *= np.exp(-damping * target.half_r2)
            np.multiply(self._rows[0], -target.half_r2, out=self._rows[3])
        else:
            self._rows[3] = 0.0
        self._rows[4] = target.g
        self._products = self._rows @ self._rows.T
        overlap, square = self._products[0, 4], self._products[0, 0]
        self.scale = max(float(overlap / square), 0.0) if square > 0 else 0.0
        self.cost = target.square - self.scale * float(overlap)

    @cached_property
    def gradient(self) -> FloatArray:
        """(3,): the negative gradient of half the cost, the scale being eliminated."""
        products = self._products
        return self.scale * (products[1:4, 4] - products[1:4, 0] * (products[0, 4] / products[0, 0]))

    @cached_property
    def matrix(self) -> FloatArray:
        """(3, 3): the Gauss–Newton approximation of the second derivatives of half the cost, likewise."""
        products = self._products
        return self.scale**2 * (products[1:4, 1:4] - np.outer(products[1:4, 0], products[1:4, 0]) / products[0, 0])

    def fit(self) -> MorphFit:
        stretch, variance, damping = map(float, self.x)
        density = self.morphable.source.density
        morph = Morph(self.scale, stretch, float(np.sqrt(variance)) * (1 + stretch), float(np.sqrt(damping)), density)
        return MorphFit(morph, self.scale * self._rows[0], self.target.g)


def _cost(iterate: _Iterate) -> float:
    return iterate.cost


def _descend(iterate: _Iterate) -> _Iterate:
    """Return the local minimum that a Levenberg–Marquardt iteration within the limits ends in."""
    limits = iterate.morphable.limits
    low = np.array([-limits.stretch, 0.0, 0.0])
    high = np.array([limits.stretch, limits.variance, limits.damping**2])
    caution, neglected = FIRST_CAUTION, np.zeros((3, 3))
    for _ in range(ITERATIONS):
        if not iterate.scale:
            break  # nothing in common: no direction is better than another one
        gradient, diagonal = iterate.gradient, np.diag(iterate.matrix)
        blocked = ((iterate.x <= low) & (gradient <= 0)) | ((iterate.x >= high) & (gradient >= 0))
        free = np.flatnonzero(~blocked & (diagonal > 0))
        if not len(free):
            break
        curvature = _curvature(iterate.matrix[np.ix_(free, free)], neglected[np.ix_(free, free)])
        better = None
        while better is None and caution < LAST_CAUTION:
            x = iterate.x.copy()
            x[free] += np.linalg.solve(curvature + np.diag(caution * diagonal[free]), gradient[free])
            trial = _Iterate(iterate.morphable, iterate.target, np.minimum(np.maximum(x, low), high))
            if trial.cost < iterate.cost:
                better = trial
            caution *= 10 if better is None else 0.1
        if better is None:
            break
        neglected = _learn(neglected, iterate, better)
        gain, iterate = iterate.cost - better.cost, better
        if gain <= SETTLED * iterate.cost or iterate.cost <= PERFECT * iterate.target.square:
            break
    return iterate


def _curvature(gauss_newton: FloatArray, neglected: FloatArray) -> FloatArray:
    """Return the sum of both matrices, the first alone where the sum is not safely positive definite."""
    total = gauss_newton + neglected
    root = np.sqrt(np.diag(gauss_newton))
    return total if np.linalg.eigvalsh(total / np.outer(root, root))[0] > LEAST_EIGENVALUE else gauss_newton


def _learn(neglected: FloatArray, before: _Iterate, after: _Iterate) -> FloatArray:
    """Return what the Gauss–Newton matrix lacks of the second derivatives, corrected by the step just taken.

    A symmetric update of rank one. Without it, curves that have little in common need twice as many iterations.
    """
    step = after.x - before.x
    missing = before.gradient - after.gradient - (after.matrix + neglected) @ step
    along = missing @ step
    if abs(along) <= 1e-8 * np.linalg.norm(missing) * np.linalg.norm(step):
        return neglected
    return neglected + np.outer(missing, missing) / along
