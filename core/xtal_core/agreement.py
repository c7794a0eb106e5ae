"""How well calculated patterns agree with the measured one: weights, resampling, scale and background, R²wp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev

from xtal_core.candidate import Candidate, Fit, Uncertainty
from xtal_core.cells import CellBatch, IntArray
from xtal_core.counting_statistics import standard_uncertainties
from xtal_core.errors import PatternError
from xtal_core.interfaces import Simulator
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.pattern_features import background_terms
from xtal_core.problem import Problem

#: Gaussian widths in Å⁻¹ tried for a candidate that nobody refined: from a good diffractometer to a few nanometres.
TRIAL_WIDTHS = (0.004, 0.008, 0.016, 0.032, 0.064, 0.09)


def point_weights(pattern: Pattern) -> FloatArray:
    """Return the (n_points,) weights of the measured points in R²wp: 1/σ² if the pattern has σ, else 1; 0 if excluded.

    For the weights of counted intensities see `xtal_core.counting_statistics`.
    """
    if pattern.uncertainty is None:
        return pattern.included.astype(float)
    return pattern.included * pattern.uncertainty**-2


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
    first, weights = _cubic(measurement, q)
    source = np.moveaxis(values, axis, -1)
    result = sum(source[..., first + i] * weight for i, weight in enumerate(weights))
    return np.moveaxis(np.asarray(result), -1, axis)


def _cubic(measurement: Measurement, q: FloatArray) -> tuple[IntArray, tuple[FloatArray, ...]]:
    """Return the first of the four points of the axis nearest to each of `q` (n_points,), and their weights."""
    position = (np.asarray(q) - measurement.q[0]) / measurement.step
    first = np.clip(np.floor(position).astype(int) - 1, 0, len(measurement.q) - 4)
    t = position - first
    weights = (
        -(t - 1) * (t - 2) * (t - 3) / 6,
        t * (t - 2) * (t - 3) / 2,
        -t * (t - 1) * (t - 3) / 2,
        t * (t - 1) * (t - 2) / 6,
    )
    return first, weights


def spread(values: FloatArray, measurement: Measurement, q: FloatArray) -> FloatArray:
    """Return the adjoint of `resample`: (…, n_axis) for which Σ spread(v) y = Σ v resample(y) whatever y.

    `values` is (…, n_points), given at `q` (n_points,) Å⁻¹.
    """
    first, weights = _cubic(measurement, q)
    result = np.zeros((*values.shape[:-1], len(measurement.q)))
    for i, weight in enumerate(weights):
        np.add.at(np.moveaxis(result, -1, 0), first + i, np.moveaxis(values * weight, -1, 0))
    return result


def background_basis(q: FloatArray, terms: int) -> FloatArray:
    """Return the (n_points, terms) Chebyshev polynomials over the range of the axis `q` (n_points,)."""
    x = 2 * (q - q[0]) / (q[-1] - q[0]) - 1
    return chebyshev.chebvander(x, terms - 1) if terms else np.empty((len(q), 0))


def background_columns(pattern: Pattern) -> FloatArray:
    """Return the (n_points, n_columns) of which the background is a combination, beside the one that is stored.

    Chebyshev polynomials, as many as `background_terms` says, then the blank, if there is one.
    """
    basis = background_basis(pattern.q, background_terms(pattern))
    return basis if pattern.blank is None else np.column_stack([basis, pattern.blank])


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
        `calculated` includes the background, and that the blank.
    residuals : (n_patterns,)
        R²wp, with the scale and the background that are best by its own weights.
    n_parameters
        Scale and background coefficients of one pattern.
    blank_scales : (n_patterns,)
        Factor of the blank, not negative; None without a blank.
    """

    scales: FloatArray
    backgrounds: FloatArray
    calculated: FloatArray
    residuals: FloatArray
    n_parameters: int
    blank_scales: FloatArray | None = None

    def fit(self, row: int, profile: Profile, n_others: int, uncertainty: Uncertainty | None = None) -> Fit:
        """Return pattern `row` as the fit of a candidate, for which `n_others` further parameters were varied."""
        return Fit(
            calculated=self.calculated[row],
            background=self.backgrounds[row],
            profile=profile,
            scale=float(self.scales[row]),
            residual=float(self.residuals[row]),
            n_parameters=self.n_parameters + n_others,
            uncertainty=uncertainty,
            blank_scale=None if self.blank_scales is None else float(self.blank_scales[row]),
        )


def fit_scale_and_background(pattern: Pattern, simulated: FloatArray, sigma: FloatArray | None = None) -> LinearFit:
    """Fit scale ≥ 0 and background of each of the (n_patterns, n_points) `simulated` by linear least squares.

    The background is the one stored with the pattern, plus a combination of its `background_columns` in which the blank
    does not count negatively. Points weigh 1/σ² with `sigma` (n_points,), by default the standard uncertainties of the
    pattern, and all alike where those are not known; excluded points take no part.
    Raises PatternError for a pattern that holds nothing but background.
    """
    if sigma is None:
        sigma = standard_uncertainties(pattern).values
    ranking = point_weights(pattern)
    weights = ranking if sigma is None else pattern.included * sigma**-2.0
    fitted = _weighted_fit(pattern, simulated, weights)
    if np.array_equal(weights, ranking):
        return fitted
    # R²wp would be above its minimum with a scale and a background that are best by other weights.
    return replace(fitted, residuals=_weighted_fit(pattern, simulated, ranking).residuals)


def ranking_fit(pattern: Pattern, fit: Fit) -> LinearFit:
    """Return the calculated pattern of `fit` with scale and background as R²wp sees them, by the weights of that."""
    return _weighted_fit(pattern, (fit.calculated - fit.background)[None], point_weights(pattern))


def _weighted_fit(pattern: Pattern, simulated: FloatArray, weights: FloatArray) -> LinearFit:
    """Return the fit with (n_points,) `weights`, and R²wp by the same."""
    columns = background_columns(pattern)
    scales, coefficients = _scales_and_coefficients(pattern, simulated, columns, weights)
    if pattern.blank is not None:
        # Two bounded unknowns: where the blank is at its bound, the best of the rest is the best without it.
        negative = coefficients[:, -1] < 0
        if negative.any():
            rest = columns[:, :-1]
            scales[negative], coefficients[negative, :-1] = _scales_and_coefficients(
                pattern, simulated[negative], rest, weights
            )
            coefficients[negative, -1] = 0.0
    backgrounds = coefficients @ columns.T
    if pattern.background is not None:
        backgrounds = backgrounds + pattern.background
    calculated = backgrounds + scales[:, None] * simulated
    residuals = r2wp(pattern.intensity, calculated, backgrounds, weights)
    blank_scales = None if pattern.blank is None else coefficients[:, -1]
    return LinearFit(scales, backgrounds, calculated, residuals, 1 + columns.shape[1], blank_scales)


def _scales_and_coefficients(
    pattern: Pattern, simulated: FloatArray, columns: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the scale ≥ 0 (n_patterns,) of every pattern, and its (n_patterns, n_columns) background coefficients."""
    root = np.sqrt(weights)
    net = pattern.intensity if pattern.background is None else pattern.intensity - pattern.background
    observed, models = root * net, root * simulated
    weighted = root[:, None] * columns
    orthonormal, _ = np.linalg.qr(weighted)
    # Projecting the background out of both sides leaves one unknown a pattern, its scale.
    rest = observed - orthonormal @ (orthonormal.T @ observed)
    if not rest @ rest > 1e-20 * np.sum((root * pattern.intensity) ** 2):
        raise PatternError("the pattern holds nothing but background", "give one with reflections", pattern.source)
    free = models - (models @ orthonormal) @ orthonormal.T
    norms = np.einsum("ij,ij->i", free, free)
    usable = norms > 1e-20 * np.einsum("ij,ij->i", models, models)
    scales = np.maximum(np.divide(free @ rest, norms, out=np.zeros(len(norms)), where=usable), 0.0)
    remainder = observed - scales[:, None] * models
    coefficients, *_ = np.linalg.lstsq(weighted, remainder.T)
    return scales, np.asarray(coefficients.T, dtype=np.float64)


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
                best[index] = fits.fit(row, profile, 1)
    return [replace(c, fit=best[i]) if i in best else c for i, c in enumerate(candidates)]
