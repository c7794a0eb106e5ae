"""How alike a predicted and a true density map are: SSIM and PSNR, best over the rotations of a cube.

Guo et al., "Towards end-to-end structure solutions from information-compromised diffraction data via generative deep
learning" (2023), "Evaluation Setup", equations 8 and 9. The paper takes the best score over all orientations of the
cell's axes.

A map samples a periodic density at the fractional coordinates i/n, so that a rotation about a lattice point, which
takes i to -i modulo n, carries sampled points to sampled points. Reversing an axis instead, i to n - 1 - i, would move
the density by one step of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import uniform_filter

from xtal_core.cells import IntArray
from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray

#: Points along the edge of the cube within which SSIM compares.
WINDOW = 7

#: What keeps SSIM finite where both maps are flat, relative to the range of the truth.
K1, K2 = 0.01, 0.03

#: Sample (co)variances from means over a window.
_SAMPLE = WINDOW**3 / (WINDOW**3 - 1)

#: Centres of windows that do not reach beyond the map.
_INNER = (slice(WINDOW // 2, -(WINDOW // 2)),) * 3


def _proper_rotations() -> IntArray:
    signed = [
        np.diag(signs)[list(order)] for order in permutations(range(3)) for signs in product((1, -1), repeat=3)
    ]  # fmt: skip
    return np.array([matrix for matrix in signed if np.linalg.det(matrix) > 0])


#: (24, 3, 3) what takes the axes of a cube to its axes without reflecting it, the identity first.
ROTATIONS = _proper_rotations()


@dataclass(frozen=True, eq=False)
class MapScores:
    """How alike several predicted maps and one truth are.

    Attributes
    ----------
    ssim : (n_draws,)
        Structural similarity, at most 1, the best over `ROTATIONS`.
    psnr : (n_draws,) dB
        Peak signal-to-noise ratio, infinite for identical maps, the best over `ROTATIONS`, which another rotation
        may give than the best `ssim`.
    ssim_rotation, psnr_rotation : (n_draws,)
        Indices in `ROTATIONS` of what turns the predicted maps to these scores.
    baseline_ssim, baseline_psnr
        Scores of a map that is the mean of the truth everywhere. They are high where atoms are sharp and the space
        between them is empty; only what exceeds them was predicted.
    """

    ssim: FloatArray
    psnr: FloatArray
    ssim_rotation: IntArray
    psnr_rotation: IntArray
    baseline_ssim: float
    baseline_psnr: float

    @property
    def best_ssim(self) -> float:
        """SSIM of the best draw, which the paper reports."""
        return float(self.ssim.max())

    @property
    def best_psnr(self) -> float:
        """PSNR in dB of the best draw, which the paper reports."""
        return float(self.psnr.max())


def score_maps(predicted: ArrayLike, truth: ArrayLike) -> MapScores:
    """Return how alike the maps `predicted` (n_draws, n, n, n) and `truth` (n, n, n) are, in one unit of density.

    SSIM is that of windows of 7³ points with equal weights, sample (co)variances and the range of the truth, averaged
    over the windows inside the map, as scikit-image's `structural_similarity` computes it by default.

    Raises InputError for maps that are not cubes of one size of at least 7 points, that are not finite, or for a truth
    that is constant.
    """
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    _check(predicted, truth)
    fixed = _Truth.of(truth)
    # (n_draws, 24, 2)
    scores = np.array([[fixed.scores(*views) for views in _rotated_moments(draw)] for draw in predicted])
    best = scores.argmax(axis=1)
    draws = np.arange(len(predicted))
    baseline = fixed.scores(*_moments(np.full_like(truth, truth.mean())))
    return MapScores(
        ssim=scores[draws, best[:, 0], 0],
        psnr=scores[draws, best[:, 1], 1],
        ssim_rotation=best[:, 0],
        psnr_rotation=best[:, 1],
        baseline_ssim=baseline[0],
        baseline_psnr=baseline[1],
    )


def rotated(values: FloatArray, rotation: int) -> FloatArray:
    """Return the map `values` (n, n, n) turned by `ROTATIONS[rotation]` about a lattice point.

    What was at the fractional coordinates x is at `ROTATIONS[rotation] @ x`, modulo 1.
    """
    return np.ascontiguousarray(_view(closed(values), ROTATIONS[rotation]))


def closed(values: FloatArray) -> FloatArray:
    """Return the map `values` (n1, n2, n3) with its first planes repeated behind the last: it reaches all faces."""
    return np.pad(values, (0, 1), mode="wrap")


@dataclass(frozen=True, eq=False)
class _Truth:
    """What scores need of the truth, computed once: the map, means and variances within inner windows, its range."""

    values: FloatArray
    mean: FloatArray
    variance: FloatArray
    span: float

    @classmethod
    def of(cls, values: FloatArray) -> _Truth:
        _, mean, variance = _moments(values)
        return cls(values, mean[_INNER], variance[_INNER], float(np.ptp(values)))

    def scores(self, values: FloatArray, mean: FloatArray, variance: FloatArray) -> tuple[float, float]:
        """Return SSIM, and PSNR in dB, of a map with these `_moments`."""
        c1, c2 = (K1 * self.span) ** 2, (K2 * self.span) ** 2
        mean, variance = mean[_INNER], variance[_INNER]
        product_of_means = mean * self.mean
        covariance = uniform_filter(values * self.values, WINDOW)[_INNER]
        covariance -= product_of_means
        numerator = (2 * product_of_means + c1) * (2 * _SAMPLE * covariance + c2)
        denominator = (mean**2 + self.mean**2 + c1) * (variance + self.variance + c2)
        error = float(np.mean((values - self.values) ** 2))
        psnr = 10 * np.log10(self.span**2 / error) if error else np.inf
        return float(np.mean(numerator / denominator)), float(psnr)


def _moments(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the map, and means and sample variances within the windows around all its points, which is periodic."""
    mean = uniform_filter(values, WINDOW, mode="wrap")
    return values, mean, _SAMPLE * (uniform_filter(values**2, WINDOW, mode="wrap") - mean**2)


def _rotated_moments(values: FloatArray) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Return the `_moments` of the map in 24 orientations; moments of the turned map are the turned moments."""
    value, mean, variance = (closed(each) for each in _moments(values))
    return [(_view(value, r), _view(mean, r), _view(variance, r)) for r in ROTATIONS]


def _view(whole: FloatArray, rotation: IntArray) -> FloatArray:
    """Return what `closed` returned, turned, as a view: reversed, the planes 0 to n - 1 are the planes n to 1."""
    source = np.abs(rotation).argmax(axis=1)
    forward = rotation.sum(axis=1) > 0
    return whole.transpose(source)[tuple(slice(0, -1) if ahead else slice(None, 0, -1) for ahead in forward)]


def _check(predicted: FloatArray, truth: FloatArray) -> None:
    if truth.ndim != 3 or len(set(truth.shape)) > 1 or len(truth) < WINDOW:
        raise InputError(
            f"a map of the shape {truth.shape} is not a cube", f"give n × n × n values, n at least {WINDOW}"
        )
    if predicted.shape[1:] != truth.shape or not len(predicted):
        raise InputError(
            f"predicted maps have the shape {predicted.shape}, the truth {truth.shape}", "sample both alike"
        )
    if not (np.isfinite(predicted).all() and np.isfinite(truth).all()):
        raise InputError("a map holds values that are not finite", "check the network and the structure it comes from")
    if np.ptp(truth) == 0:
        raise InputError("the true map is constant, to which nothing can be compared", "give one that holds atoms")
