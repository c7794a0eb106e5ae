from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from toys import caesium_chloride_type, pattern_of, rocksalt, salt_problem
from xtal_core.agreement import (
    background_basis,
    compare_with_pattern,
    fit_scale_and_background,
    measurement_for,
    point_weights,
    r2wp,
    ranking_fit,
    resample,
    spread,
)
from xtal_core.candidate import Candidate
from xtal_core.errors import PatternError
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.pattern_features import background_terms

CU = Radiation.from_line("CuKa1")


@pytest.fixture
def pattern():
    random = np.random.default_rng(1)
    q = np.sort(random.uniform(1, 6, 300))
    return Pattern(q, random.uniform(1, 100, 300), CU, uncertainty=random.uniform(0.5, 5, 300))


def test_cubics_are_resampled_exactly_everywhere(pattern):
    measurement = measurement_for(pattern, 50)
    polynomial = np.polynomial.Polynomial([3.0, -2.0, 0.7, 0.1])
    np.testing.assert_allclose(
        resample(polynomial(measurement.q), measurement, pattern.q), polynomial(pattern.q), rtol=1e-12
    )


def test_a_peak_four_steps_wide_is_resampled_to_a_thousandth(pattern):
    measurement = measurement_for(pattern, 1000)
    peak = lambda q: np.exp(-((q - 3.3) ** 2) / (2 * (4 * measurement.step) ** 2))  # noqa: E731
    np.testing.assert_allclose(resample(peak(measurement.q), measurement, pattern.q), peak(pattern.q), atol=1e-3)


def test_jacobians_are_resampled_along_their_axis(pattern):
    measurement = measurement_for(pattern, 40)
    values = np.random.default_rng(2).normal(size=(2, 40, 5))
    expected = np.stack([resample(values[..., i], measurement, pattern.q) for i in range(5)], axis=-1)
    np.testing.assert_array_equal(resample(values, measurement, pattern.q, axis=1), expected)


def test_spreading_is_the_adjoint_of_resampling(pattern):
    measurement = measurement_for(pattern, 60)
    random = np.random.default_rng(8)
    values, axis = random.normal(size=(3, len(pattern))), random.normal(size=60)
    expected = values @ resample(axis, measurement, pattern.q)
    np.testing.assert_allclose(spread(values, measurement, pattern.q) @ axis, expected, rtol=1e-10)


def test_the_default_axis_spans_the_pattern_and_is_no_coarser_than_its_median_step(pattern):
    measurement = measurement_for(pattern)
    assert measurement.q[[0, -1]] == pytest.approx(pattern.q[[0, -1]])
    assert measurement.step <= np.median(np.diff(pattern.q))


def test_scale_and_background_agree_with_bounded_least_squares(pattern):
    simulated = np.random.default_rng(3).uniform(size=(4, 300))
    simulated[0] -= 0.03 * pattern.intensity  # anticorrelated: the scale ends at its bound
    terms = background_terms(pattern)
    fits = fit_scale_and_background(pattern, simulated)
    root = np.sqrt(point_weights(pattern))
    for row, column in enumerate(simulated):
        matrix = np.column_stack([column, background_basis(pattern.q, terms)])
        bounds = ([0, *[-np.inf] * terms], np.inf)
        solution = lsq_linear(root[:, None] * matrix, root * pattern.intensity, bounds, tol=1e-14)
        assert fits.scales[row] == pytest.approx(solution.x[0], abs=1e-6)
        np.testing.assert_allclose(fits.calculated[row], matrix @ solution.x, rtol=1e-6)
    assert fits.scales[0] == 0
    assert fits.n_parameters == 1 + terms


def test_counts_are_fitted_by_their_uncertainties_and_ranked_with_unit_weights():
    """Neither fit can be improved by its own weights, and each is worse by those of the other."""
    random = np.random.default_rng(5)
    q = np.linspace(1, 6, 800)
    peaks = sum(np.exp(-((q - at) ** 2) / 0.002) for at in (1.6, 2.4, 3.1, 4.2, 5.3))
    # A model with the wrong widths, which no scale and no background make up for.
    model = sum(np.exp(-((q - at) ** 2) / 0.004) for at in (1.6, 2.4, 3.1, 4.2, 5.3))
    counts = Pattern(q, random.poisson(2000 * peaks + 90 - 10 * q).astype(float), CU)
    fits = fit_scale_and_background(counts, model[None])
    matrix = np.column_stack([model, background_basis(q, background_terms(counts))])
    sigma = np.sqrt(np.maximum(counts.intensity, 1))
    weighted, *_ = np.linalg.lstsq(matrix / sigma[:, None], counts.intensity / sigma)
    np.testing.assert_allclose(fits.calculated[0], matrix @ weighted, rtol=1e-7)
    plain, *_ = np.linalg.lstsq(matrix, counts.intensity)
    net = counts.intensity - matrix[:, 1:] @ plain[1:]
    assert fits.residuals[0] == pytest.approx(np.sum((counts.intensity - matrix @ plain) ** 2) / np.sum(net**2))
    assert abs(fits.scales[0] / plain[0] - 1) > 0.01
    again = ranking_fit(counts, fits.fit(0, Profile(), 0))
    assert again.residuals[0] == pytest.approx(fits.residuals[0])
    assert again.calculated[0] == pytest.approx(matrix @ plain)


def test_other_uncertainties_can_be_given(pattern):
    simulated = np.random.default_rng(6).uniform(size=(1, 300))
    sigma = np.random.default_rng(7).uniform(1, 5, 300)
    given = fit_scale_and_background(pattern, simulated, sigma)
    stored = fit_scale_and_background(replace(pattern, uncertainty=sigma), simulated)
    np.testing.assert_allclose(given.calculated, stored.calculated)
    assert given.residuals == pytest.approx(fit_scale_and_background(pattern, simulated).residuals)


def test_background_terms_are_chebyshev_polynomials_over_the_range_of_the_axis():
    q = np.linspace(1.5, 6.5, 40)
    x = (q - 4) / 2.5
    np.testing.assert_allclose(background_basis(q, 4), np.column_stack([x**0, x, 2 * x**2 - 1, 4 * x**3 - 3 * x]))
    assert background_basis(q, 0).shape == (40, 0)


def test_a_calculated_pattern_without_background_is_scaled_and_nothing_else():
    made = pattern_of(rocksalt(5.64))
    peaks = made.intensity - (300 - 30 * made.q)
    fits = fit_scale_and_background(replace(made, intensity=peaks), peaks[None] / 3)
    assert fits.n_parameters == 1
    assert fits.scales[0] == pytest.approx(3)
    assert not fits.backgrounds.any()


def test_the_residual_is_one_when_nothing_is_explained_and_zero_when_all_is():
    problem = salt_problem()
    peaks = problem.pattern.intensity - (300 - 30 * problem.pattern.q)
    fits = fit_scale_and_background(problem.pattern, np.array([peaks, np.zeros_like(peaks)]))
    assert fits.residuals == pytest.approx([0, 1], abs=1e-12)
    np.testing.assert_allclose(fits.backgrounds[0], 300 - 30 * problem.pattern.q, atol=1e-6)


def test_residual_is_the_documented_ratio(pattern):
    obs, calc, bkg = pattern.intensity, pattern.intensity * 1.1, np.full(300, 2.0)
    w = point_weights(pattern)
    expected = sum(w * (obs - calc) ** 2) / sum(w * (obs - bkg) ** 2)
    assert r2wp(obs, calc, bkg, w) == pytest.approx(expected)


def test_a_stored_background_is_used_as_it_is():
    made = pattern_of(rocksalt(5.64))
    stored = replace(made, background=300 - 30 * made.q)
    fits = fit_scale_and_background(stored, (made.intensity - stored.background)[None] / 7)
    np.testing.assert_array_equal(fits.backgrounds[0], stored.background)
    assert fits.scales[0] == pytest.approx(7)
    assert fits.n_parameters == 1


def test_a_pattern_of_background_alone_is_refused():
    q = np.linspace(1, 5, 200)
    flat = Pattern(q, 5 - 0.3 * q, CU, source="flat.xy")
    with pytest.raises(PatternError, match=r"flat\.xy: the pattern holds nothing but background"):
        fit_scale_and_background(flat, np.ones((1, 200)))


def test_unweighted_patterns_count_every_point_alike(pattern):
    assert (point_weights(replace(pattern, uncertainty=None)) == 1).all()
    np.testing.assert_allclose(point_weights(pattern) * pattern.uncertainty**2, 1)


def test_candidates_get_the_peak_width_that_fits_best(toy_tools):
    problem = salt_problem()
    candidates = [Candidate(caesium_chloride_type(3.5), "toy"), Candidate(rocksalt(5.64), "toy")]
    wrong, right = compare_with_pattern(problem, candidates, toy_tools().simulator)
    assert right.fit.profile.gaussian_sigma == 0.016  # of the widths tried, the nearest to 0.02
    assert right.fit.residual < 0.05 < wrong.fit.residual
    assert [c.fit for c in candidates] == [None, None]
