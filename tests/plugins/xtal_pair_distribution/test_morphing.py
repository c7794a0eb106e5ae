"""Morphs against direct convolution, analytic peaks and brute force over all morphs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtal_core.errors import InputError
from xtal_pair_distribution.morph_fit import Morphable, Target, fit_morph
from xtal_pair_distribution.morphing import Morph, MorphLimits, MorphSource, morphed
from xtal_pair_distribution.pair_distribution import PairDistribution

STEP = 0.01
WINDOW = (1.0, 15.0)
DENSITY = 0.08
LIMITS = MorphLimits(0.05, 0.3, 0.1)

quick = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)


def peaks(seed, r=None, stretch=0.0, smear=0.0, width=0.1):
    """Return G(r) of Gaussian peaks at random distances on a baseline, morphed by formula instead of by convolution.

    Peaks of R move to r (1 + stretch), keep their height over G, and broaden; the baseline keeps its values.
    """
    r = np.arange(1, 1900) * STEP if r is None else r
    random = np.random.default_rng(seed)
    centres = np.sort(random.uniform(2.0, 18.0, 25))
    areas = random.uniform(0.3, 1.0, 25) * centres
    variance = (width * (1 + stretch)) ** 2 + smear**2
    shapes = np.exp(-((r[:, None] - centres * (1 + stretch)) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    # R = r G: areas under peaks of R grow by (1 + stretch)², r and the width of a peak by one factor each.
    return shapes @ (areas * (1 + stretch) ** 2) / r - 4 * np.pi * DENSITY * r / (1 + stretch)


def distribution(g):
    return PairDistribution(np.arange(1, len(g) + 1) * STEP, g)


def points(r_min=WINDOW[0], r_max=WINDOW[1]):
    return np.arange(round(r_min / STEP), round(r_max / STEP) + 1) * STEP


def fit(source, target, limits=LIMITS, density=DENSITY):
    inside = (target.r >= WINDOW[0] - 1e-9) & (target.r <= WINDOW[1] + 1e-9)
    morphable = Morphable(MorphSource(source, density, limits), *WINDOW, limits)
    return fit_morph(morphable, Target(target.r[inside], target.g[inside]))


def residual(fitted):
    return np.sqrt(np.sum((fitted.morphed - fitted.target) ** 2) / np.sum(fitted.target**2))


def morphed_directly(source, morph, r):
    """Return scale, stretch by interpolation, smear of R by summing over the points, damping, one after the other."""
    grid = source.r
    g = morph.scale * np.interp(grid / (1 + morph.stretch), grid, source.g)
    slope = -4 * np.pi * morph.density * morph.scale / (1 + morph.stretch)
    radial = grid * (g - slope * grid)
    kernel = np.exp(-((grid[:, None] - grid) ** 2) / (2 * morph.smear**2))
    radial = kernel @ radial / (np.sqrt(2 * np.pi) * morph.smear / STEP)
    return np.interp(r, grid, (radial / grid + slope * grid) * np.exp(-((grid * morph.damping) ** 2) / 2))


@quick
@given(seeds, st.floats(0.5, 2), st.floats(-0.05, 0.05), st.floats(0.02, 0.3), st.floats(0, 0.1))
def test_a_morph_is_what_its_steps_give_one_after_the_other(seed, scale, stretch, smear, damping):
    source, morph = distribution(peaks(seed)), Morph(scale, stretch, smear, damping, DENSITY)
    expected = morphed_directly(source, morph, points())
    # What remains is linear interpolation before or after smearing.
    np.testing.assert_allclose(morphed(source, morph, points()), expected, rtol=0, atol=2e-3 * np.ptp(expected))


@quick
@given(seeds, st.floats(-0.05, 0.05), st.floats(0, 0.3))
def test_a_morphed_peak_is_the_peak_of_the_morphed_crystal(seed, stretch, smear):
    expected = peaks(seed, points(), stretch, smear)
    g = morphed(distribution(peaks(seed)), Morph(1.0, stretch, smear, 0.0, DENSITY), points())
    np.testing.assert_allclose(g, expected, rtol=0, atol=2e-3 * np.ptp(expected))


def test_no_morph_changes_nothing():
    source = distribution(peaks(0))
    np.testing.assert_allclose(morphed(source, Morph(), source.r), source.g, rtol=0, atol=1e-10)


def test_smearing_keeps_the_baseline_of_an_even_distribution_of_atoms():
    r = np.arange(1, 1900) * STEP
    baseline = -4 * np.pi * DENSITY * r
    g = morphed(PairDistribution(r, baseline), Morph(smear=0.3, density=DENSITY), points(2.0, 12.0))
    # R is 0 then: nothing there to smear.
    np.testing.assert_allclose(g, np.interp(points(2.0, 12.0), r, baseline), rtol=0, atol=1e-6)


def test_asking_for_values_beyond_the_data_is_an_error_that_says_so():
    source = PairDistribution(points(1.0, 10.0), np.sin(points(1.0, 10.0)), source="short.gr")
    complaint = r"G\(r\) of short.gr is known from 1 to 10 Å, stretched by -0.05 it is asked for from 2 to 9.8 Å"
    with pytest.raises(InputError, match=complaint):
        morphed(source, Morph(stretch=-0.05), points(2.0, 9.8))


@pytest.mark.parametrize("stretch", [-0.0307, 0.0, 0.0123])
@pytest.mark.parametrize("variance", [1e-4, 0.01])
def test_derivatives_are_those_of_the_morphed_curve(stretch, variance):
    source = MorphSource(distribution(peaks(3)), DENSITY, LIMITS)
    # Between the points of the grid, where linear interpolation has a derivative.
    r = points() * (1 + stretch) + 0.37 * STEP
    value, by_stretch, by_variance = source.at(r, stretch, variance)
    h = 1e-7
    forwards = [source.at(r, stretch + h, variance), source.at(r, stretch, variance + h)]
    backwards = [source.at(r, stretch - h, variance), source.at(r, stretch, variance - h)]
    for derivative, ahead, behind in zip((by_stretch, by_variance), forwards, backwards, strict=True):
        numeric = (ahead[0] - behind[0]) / (2 * h)
        np.testing.assert_allclose(derivative, numeric, rtol=0, atol=1e-5 * np.abs(numeric).max())
    np.testing.assert_allclose(value, source.at(r, stretch, variance)[0])


@quick
@given(seeds, st.floats(0.2, 5), st.floats(-0.049, 0.049), st.floats(0.05, 0.25), st.floats(0.01, 0.08))
def test_the_morph_that_was_applied_is_found(seed, scale, stretch, smear, damping):
    r = np.arange(1, 1900) * STEP
    target = scale * peaks(seed, r, stretch, smear) * np.exp(-((r * damping) ** 2) / 2)
    fitted = fit(distribution(peaks(seed)), distribution(target))
    assert residual(fitted) < 5e-3
    assert fitted.morph.scale == pytest.approx(scale, rel=0.01)
    assert fitted.morph.stretch == pytest.approx(stretch, abs=1e-4)
    assert fitted.morph.smear == pytest.approx(smear, abs=0.005)
    assert fitted.morph.damping == pytest.approx(damping, abs=0.002)


@quick
@given(seeds, seeds)
def test_no_morph_on_a_fine_net_fits_better_than_the_fitted_one(seed, other):
    limits = MorphLimits(0.05, 0.3)
    source, target = distribution(peaks(seed)), distribution(peaks(other, width=0.14))
    fitted = fit(source, target, limits)
    prepared, r = MorphSource(source, DENSITY, limits), points()
    g = np.interp(r, target.r, target.g)
    best = np.inf
    for stretch in np.arange(-0.05, 0.0501, 0.001):
        for variance in np.linspace(0, limits.variance, 8):
            curve = prepared.at(r, stretch, variance)[0]
            scale = max(curve @ g / (curve @ curve), 0)
            best = min(best, np.sqrt(np.sum((scale * curve - g) ** 2) / (g @ g)))
    assert residual(fitted) <= best + 2e-3


def test_identical_curves_need_no_morph():
    fitted = fit(distribution(peaks(1)), distribution(peaks(1)))
    assert residual(fitted) < 1e-12
    assert fitted.morph == Morph(pytest.approx(1.0), 0.0, 0.0, 0.0, DENSITY)


def test_smearing_cannot_sharpen():
    sharp, broad = distribution(peaks(2)), distribution(peaks(2, smear=0.15))
    assert residual(fit(sharp, broad)) < 0.01
    backwards = fit(broad, sharp)
    assert backwards.morph.smear == 0.0
    assert residual(backwards) > 0.05


def test_morphs_stay_within_their_limits():
    limits = MorphLimits(0.01, 0.05)
    source, target = distribution(peaks(4)), distribution(peaks(4, stretch=0.03, smear=0.2))
    fitted = fit(source, target, limits)
    assert abs(fitted.morph.stretch) <= 0.01
    assert 0 <= fitted.morph.smear <= 0.05
    assert fitted.morph.damping == 0


def test_without_limits_only_the_scale_is_fitted():
    source = distribution(peaks(5))
    fitted = fit(source, distribution(3 * source.g), MorphLimits(0.0, 0.0))
    assert fitted.morph == Morph(pytest.approx(3.0), 0.0, 0.0, 0.0, DENSITY)


def test_opposite_curves_have_no_scale_in_common():
    source = distribution(peaks(6))
    fitted = fit(source, distribution(-source.g), MorphLimits(0.0, 0.0))
    assert fitted.morph.scale == 0
    assert residual(fitted) == 1
