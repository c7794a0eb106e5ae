"""The closed form of the peak shape against numerical integration and limits."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad, quad_vec

from xtal_core.measurement import Profile
from xtal_powder.peak_shape import finest_scale, peak_shape, support

OFFSETS = np.array([0.0, 0.003, 0.02, 0.07, 0.2, 0.5, 1.7])

PROFILES = {
    "size": Profile(80.0),
    "Gaussian": Profile(None, 0.03),
    "Lorentzian": Profile(None, 0.0, 0.02),
    "size and Gaussian": Profile(60.0, 0.025),
    "size and Lorentzian": Profile(60.0, 0.0, 0.01),
    "Gaussian and Lorentzian": Profile(None, 0.03, 0.01),
    "all three": Profile(90.0, 0.02, 0.005),
    "all three, small": Profile(10.0, 0.085, 0.01),
    "all three, hardly Gaussian": Profile(40.0, 4e-4, 0.01),
}


def sinc_squared(q, tau):
    return tau / (2 * np.pi) * np.sinc(q * tau / (2 * np.pi)) ** 2


def gaussian(q, sigma):
    return np.exp(-(q**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))


def lorentzian(q, gamma):
    return gamma / np.pi / (q**2 + gamma**2)


def in_real_space(profile):
    """Return the peak at `OFFSETS` as the cosine transform of the product of the three parts' transforms."""

    def integrand(r):
        triangle = 1.0 if profile.crystallite_size is None else max(1 - r / profile.crystallite_size, 0.0)
        envelope = np.exp(-((profile.gaussian_sigma * r) ** 2) / 2 - profile.lorentzian_hwhm * r)
        return triangle * envelope * np.cos(OFFSETS * r) / np.pi

    end = min(
        profile.crystallite_size or np.inf, 9 / (profile.gaussian_sigma or 1e-9), 40 / (profile.lorentzian_hwhm or 1e-9)
    )
    return quad_vec(integrand, 0, end, epsabs=1e-12, epsrel=1e-12, limit=20000)[0]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_shape_is_the_transform_of_the_product_of_its_parts(profile):
    value = peak_shape(OFFSETS, [profile]).value[0]
    np.testing.assert_allclose(value, in_real_space(profile), rtol=0, atol=1e-9 * value.max())


def test_parts_alone_are_their_textbook_functions():
    size, broad, tailed = peak_shape(OFFSETS, [Profile(80.0), Profile(None, 0.03), Profile(None, 0.0, 0.02)]).value
    np.testing.assert_allclose(size, sinc_squared(OFFSETS, 80.0), atol=1e-11)
    np.testing.assert_allclose(broad, gaussian(OFFSETS, 0.03), atol=1e-11)
    np.testing.assert_allclose(tailed, lorentzian(OFFSETS, 0.02), atol=1e-11)


@pytest.mark.parametrize("offset", [0.0, 0.02, 0.11])
def test_size_and_gaussian_together_are_their_convolution(offset):
    expected, _ = quad(
        lambda q: sinc_squared(q, 60.0) * gaussian(offset - q, 0.025), -0.3, 0.4, limit=500, epsrel=1e-11
    )
    assert peak_shape(np.array([offset]), [Profile(60.0, 0.025)]).value[0, 0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 0.02, 0.11])
def test_gaussian_and_lorentzian_together_are_their_convolution(offset):
    expected, _ = quad(
        lambda q: gaussian(q, 0.03) * lorentzian(offset - q, 0.01), -0.4, 0.4, points=[offset], limit=500
    )
    assert peak_shape(np.array([offset]), [Profile(None, 0.03, 0.01)]).value[0, 0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_area_is_one(profile):
    q = np.linspace(0, 60, 600_001)
    shape = peak_shape(q, [profile]).value[0]
    # Beyond the last point the mean of the tail falls with the square of the distance.
    size = 0.0 if profile.crystallite_size is None else 1 / profile.crystallite_size
    tail = (profile.lorentzian_hwhm + size) / np.pi / q[-1]
    assert 2 * (np.trapezoid(shape, q) + tail) == pytest.approx(1.0, abs=1e-5)


def test_a_large_crystallite_has_the_shape_of_an_infinite_one():
    large, infinite = peak_shape(OFFSETS, [Profile(1e7, 0.03, 0.01), Profile(None, 0.03, 0.01)]).value
    np.testing.assert_allclose(large, infinite, atol=1e-4 * infinite.max())


@pytest.mark.parametrize("without", [Profile(60.0, 0.0, 0.01), Profile(60.0), Profile(None, 0.0, 0.01)])
def test_a_vanishing_gaussian_leaves_the_other_parts(without):
    narrow = peak_shape(OFFSETS, [replace(without, gaussian_sigma=1e-7)]).value
    np.testing.assert_allclose(narrow, peak_shape(OFFSETS, [without]).value, atol=1e-8 * narrow.max())


def test_a_vanishing_lorentzian_leaves_the_other_parts():
    narrow, without = peak_shape(OFFSETS, [Profile(60.0, 0.03, 1e-10), Profile(60.0, 0.03)]).value
    np.testing.assert_allclose(narrow, without, atol=1e-8 * without.max())


@pytest.mark.parametrize("tau", [30.0, 300.0])
def test_the_shape_is_continuous_where_the_way_to_compute_it_changes(tau):
    """Both where the Gaussian becomes negligible and where the triangle's end does."""
    for sigma in (0.02 / tau, np.sqrt(78) / tau):
        below, above = peak_shape(OFFSETS, [Profile(tau, sigma * (1 - 1e-9)), Profile(tau, sigma * (1 + 1e-9))]).value
        np.testing.assert_allclose(below, above, atol=2e-9 * above.max())


@pytest.mark.parametrize(
    ("profile", "name", "derivative"),
    [
        pytest.param(profile, name, derivative, id=f"{label} by {name}")
        for label, profile in PROFILES.items()
        for name, derivative in (("crystallite_size", "by_size"), ("lorentzian_hwhm", "by_hwhm"))
        if getattr(profile, name)
    ],
)
def test_derivatives_are_those_of_finite_differences(profile, name, derivative):
    start = getattr(profile, name)
    step = 1e-4 * start
    low, high = (replace(profile, **{name: start + sign * step}) for sign in (-1, 1))
    values = peak_shape(OFFSETS, [low, high]).value
    expected = (values[1] - values[0]) / (2 * step)
    actual = getattr(peak_shape(OFFSETS, [profile]), derivative)[0]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_the_published_codes_kernel_is_that_of_twice_the_size():
    code = peak_shape(OFFSETS, [Profile(10.0, 0.05)], size_factor=2.0).value
    np.testing.assert_allclose(code, peak_shape(OFFSETS, [Profile(20.0, 0.05)]).value, atol=1e-12)


def test_nothing_of_a_gaussian_is_beyond_its_support_and_tails_have_none():
    profile = Profile(None, 0.03)
    edge = np.array([0.0, support(profile)])
    centre, end = peak_shape(edge, [profile]).value[0]
    assert 0 < end < 1e-10 * centre
    assert support(Profile(50.0, 0.03)) == support(Profile(None, 0.03, 0.001)) == np.inf


def test_the_finest_scale_is_the_curvature_at_the_top_of_single_parts():
    """For a Gaussian and for sinc², as a standard deviation: k″(0)/k(0) = −1/σ²."""
    for profile in (Profile(None, 0.03), Profile(50.0)):
        h = 1e-4
        top, side = peak_shape(np.array([0.0, h]), [profile]).value[0]
        assert finest_scale(profile) == pytest.approx(np.sqrt(h**2 / (2 * (1 - side / top))), rel=1e-4)
