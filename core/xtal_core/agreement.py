"""How well calculated patterns agree with the measured one: weights, resampling, scale and background, R²wp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev

from xtal_core.candidate import Candidate, Fit
from xtal_core.cells import CellBatch
from xtal_core.errors import PatternError
from xtal_core.interfaces import Simulator
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.pattern_features import background_terms
from xtal_core.problem import Problem

#: Gaussian widths in Å⁻¹ tried for a candidate that nobody refined: from a good diffractometer to a few nanometres.
TRIAL_WIDTHS = (0.004, 0.008, 0.016, 0.032, 0.064, 0.09)


def point_weights(pattern: Pattern) -> FloatArray:
    """Return the (n_points,) weights of the measured points: 1/σ² where σ is known, else 1."""
    if pattern.uncertainty is None:
        return np.ones(len(pattern))
    return pattern.uncertainty**-2


def measurement_for(pattern: Pattern, points: int | None = None) -> Measurement:
    """Return the uniform Q axis from the first to the last point of `pattern`.

    `points` defaults to as many as it takes to be nowhere coarser than the median step of the pattern.
    """
    if points is None:
        points = int(np.ceil((pattern.q[-1] - pattern.q[0]) / np.median(np.diff(pattern.q)))) + 1
    return Measurement(np.linspace(pattern.q[0], pattern.q[-1], max(points, 4)), pattern.radiation)


def resample(values: FloatArray, measurement: Measurement, q: FloatArray, axis: int = -1) -> FloatArray:
    """Return `values`, given on the uniform axis of `measurement` along `axis`, at the points `q`.

    Lagrange's cubic through the four nearest points, which is linear in `values`: Jacobians may be passed as well.
    Points beyond the axis are extrapolated by the outermost cubic.
    """
    position = (np.asarray(q) - measurement.q[0]) / measurement.step
    first = np.clip(np.floor(position).astype(int) - 1, 0, len(measurement.q) - 4)
    t = position - first
    weights = (
        -(t - 1) * (t - 2) * (t - 3) / 6,
        t * (t - 2) * (t - 3) / 2,
        -t * (t - 1) * (t - 3) / 2,
        t * (t - 1) * (t - 2) / 6,
    )
    source = np.moveaxis(values, axis, -1)
    result = sum(source[..., first + i] * weight for i, weight in enumerate(weights))
    return np.moveaxis(np.asarray(result), -1, axis)


def background_basis(q: FloatArray, terms: int) -> FloatArray:
    """Return the (n_points, terms) Chebyshev polynomials over the range of the axis `q` (n_points,)."""
    x = 2 * (q - q[0]) / (q[-1] - q[0]) - 1
    return chebyshev.chebvander(x, terms - 1) if terms else np.empty((len(q), 0))


def r2wp(observed: FloatArray, calculated: FloatArray, background: FloatArray, weights: FloatArray) -> FloatArray:
    """Return R²wp = Σ w (obs − calc)² / Σ w (obs − background)² over the last axis."""
    return np.sum(weights * (observed - calculated) ** 2, axis=-1) / np.sum(
        weights * (observed - background) ** 2, axis=-1
    )


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Patterns scaled to the measured one, each with its own background.

    Attributes
    ----------
    scales : (n_patterns,)
        Not negative.
    backgrounds, calculated : (n_patterns, n_points)
        `calculated` includes the background.
    residuals : (n_patterns,)
        R²wp.
    n_parameters
        Scale and background coefficients of one pattern.
    """

    scales: FloatArray
    backgrounds: FloatArray
    calculated: FloatArray
    residuals: FloatArray
    n_parameters: int


def fit_scale_and_background(pattern: Pattern, simulated: FloatArray) -> LinearFit:
    """Fit scale ≥ 0 and background of each of the (n_patterns, n_points) `simulated` by linear least squares.

    The background is the one stored with the pattern, else a Chebyshev polynomial of as many terms as
    `background_terms` thinks right.
    Raises PatternError for a pattern that holds nothing but background.
    """
    root = np.sqrt(point_weights(pattern))
    observed, columns = root * pattern.intensity, root * simulated
    terms = background_terms(pattern)
    basis = background_basis(pattern.q, terms)
    fixed = np.zeros(len(pattern)) if pattern.background is None else pattern.background
    orthonormal, triangle = np.linalg.qr(root[:, None] * basis)
    # Projecting the background out of both sides leaves one unknown a pattern, its scale.
    rest = observed - root * fixed
    rest = rest - orthonormal @ (orthonormal.T @ rest)
    if not rest @ rest > 1e-20 * (observed @ observed):
        raise PatternError("the pattern holds nothing but background", "give one with reflections", pattern.source)
    free = columns - (columns @ orthonormal) @ orthonormal.T
    norms = np.einsum("ij,ij->i", free, free)
    usable = norms > 1e-20 * np.einsum("ij,ij->i", columns, columns)
    scales = np.maximum(np.divide(free @ rest, norms, out=np.zeros(len(norms)), where=usable), 0.0)
    remainder = observed - root * fixed - scales[:, None] * columns
    coefficients = np.linalg.solve(triangle, orthonormal.T @ remainder.T).T
    backgrounds = fixed + coefficients @ basis.T
    calculated = backgrounds + scales[:, None] * simulated
    residuals = r2wp(pattern.intensity, calculated, backgrounds, root**2)
    return LinearFit(scales, backgrounds, calculated, residuals, 1 + terms)


def compare_with_pattern(problem: Problem, candidates: Sequence[Candidate], simulator: Simulator) -> list[Candidate]:
    """Return `candidates` with a fit of scale, background and the best of a few peak widths; structures stay.

    Candidates that bring their own fit are returned as they are.
    """
    pattern, measurement = problem.pattern, measurement_for(problem.pattern)
    waiting = [i for i, candidate in enumerate(candidates) if candidate.fit is None]
    if not waiting:
        return list(candidates)
    cells = CellBatch.from_structures([candidates[i].structure for i in waiting])
    best: dict[int, Fit] = {}
    for width in TRIAL_WIDTHS:
        profile = Profile(crystallite_size=problem.crystallite_size, gaussian_sigma=width)
        simulated = resample(simulator.simulate(cells, measurement, [profile]), measurement, pattern.q)
        fits = fit_scale_and_background(pattern, simulated)
        for row, index in enumerate(waiting):
            if index not in best or fits.residuals[row] < best[index].residual:
                best[index] = Fit(
                    calculated=fits.calculated[row],
                    background=fits.backgrounds[row],
                    profile=profile,
                    scale=float(fits.scales[row]),
                    residual=float(fits.residuals[row]),
                    n_parameters=fits.n_parameters + 1,
                )
    return [replace(c, fit=best[i]) if i in best else c for i, c in enumerate(candidates)]
