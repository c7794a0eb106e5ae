"""Peaks whose widths change along the pattern, against sums of peaks each with a shape of its own."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS
from scipy.special import voigt_profile

from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Radiation
from xtal_powder.peak_shape import peak_shape
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator
from xtal_powder.widths import SHAPE_PARAMETERS, width_slopes, widths_at

WAVELENGTH = 1.54184
DOUBLET = Radiation("doublet", (1.540593, 1.544427), (1.0, 0.5))
LATTICE_PARAMETER = 3.35

#: Laboratory and nanocrystalline peaks; widths that fall, that grow, and that do either at a different Q.
PROFILES = {
    "instrument": Profile(instrument_sigma=0.03, instrument_hwhm=0.01),
    "strain of a sharp sample": Profile(None, 3e-4, strain_sigma=1e-3, strain_hwhm=5e-4),
    "strain alone": Profile(strain_sigma=2e-3),
    "everything": Profile(None, 5e-4, 2e-4, strain_sigma=5e-4, strain_hwhm=2e-4, instrument_sigma=0.02),
    "narrower, then wider": Profile(None, 0.0, 1e-4, strain_hwhm=8e-4, instrument_sigma=0.1),
    "Lorentzian": Profile(instrument_hwhm=0.04, strain_hwhm=3e-4),
    "very broad": Profile(None, 0.03, strain_sigma=0.02, strain_hwhm=0.01),
}


def widths(q, profile, wavelength):
    """Return σ and γ at `q` as the formulas say."""
    degree = np.radians(2 * np.pi / wavelength) * np.sqrt(1 - (q * wavelength / (4 * np.pi)) ** 2)
    sigma = np.sqrt(
        profile.gaussian_sigma**2 + (profile.strain_sigma * q) ** 2 + (profile.instrument_sigma * degree) ** 2
    )
    return sigma, profile.lorentzian_hwhm + profile.strain_hwhm * q + profile.instrument_hwhm * degree


def sum_of_peaks(axis, profile, shape):
    """Return the pattern of simple cubic polonium; `shape(offsets, sigma, gamma)` is the shape of a peak."""
    reference = axis.radiation.wavelength
    hkl = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3, indexing="ij"), -1).reshape(-1, 3)
    squares, multiplicities = np.unique((hkl**2).sum(axis=1), return_counts=True)
    q = 2 * np.pi / LATTICE_PARAMETER * np.sqrt(squares[1:])
    pattern = np.zeros(len(axis.q))
    for wavelength, weight in zip(axis.radiation.wavelengths, axis.radiation.weights, strict=True):
        apparent = q * wavelength / reference
        for true, seen, count in zip(q, apparent, multiplicities[1:], strict=True):
            if seen > axis.reflections_to:
                continue
            s = true / (4 * np.pi)
            theta = np.arcsin(s * wavelength)
            f = 84 - 41.78214 * s**2 * sum(c * np.exp(-d * s**2) for c, d in ATOMIC_SCATTERING_PARAMS["Po"])
            lorentz = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
            sigma, gamma = widths(seen, profile, reference)
            pattern += weight * count * f**2 * lorentz * shape(axis.q - seen, sigma, gamma)
    return pattern


def cells():
    return CellBatch.from_cells([(np.eye(3) * LATTICE_PARAMETER, np.zeros((1, 3)), [84])])


@pytest.mark.parametrize("last", [5.77, 7.6])
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_pattern_is_the_sum_of_voigt_profiles_of_different_widths(simulator, profile, last):
    axis = Measurement(np.linspace(0.71, last, 4000), Radiation.monochromatic(WAVELENGTH), last + 0.1)
    expected = sum_of_peaks(axis, profile, voigt_profile)
    pattern = simulator.simulate(cells(), axis, [profile])[0]
    np.testing.assert_allclose(pattern, expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize("size", [30.0, 800.0])
@pytest.mark.parametrize("kernel", ["text", "code"])
def test_finite_crystallites_are_strained_like_large_ones(size, kernel):
    profile = Profile(size, strain_sigma=1e-3, strain_hwhm=5e-4, instrument_sigma=0.03)
    axis = Measurement(np.linspace(0.71, 5.77, 4000), Radiation.monochromatic(WAVELENGTH), 5.77)

    def shape(offsets, sigma, gamma):
        local = Profile(size * (2 if kernel == "code" else 1), float(sigma), float(gamma))
        return peak_shape(np.abs(offsets), [local]).value[0]

    expected = sum_of_peaks(axis, profile, shape)
    pattern = PowderSimulator(PowderOptions(kernel=kernel)).simulate(cells(), axis, [profile])[0]
    np.testing.assert_allclose(pattern, expected, rtol=0, atol=1e-5 * expected.max())


def test_both_lines_of_a_doublet_have_the_width_of_the_angle_at_which_they_are_seen(simulator):
    axis = Measurement(np.linspace(0.71, 5.77, 4000), DOUBLET, 5.77)
    profile = PROFILES["everything"]
    expected = sum_of_peaks(axis, profile, voigt_profile)
    pattern = simulator.simulate(cells(), axis, [profile])[0]
    np.testing.assert_allclose(pattern, expected, rtol=0, atol=1e-5 * expected.max())


def test_variation_that_vanishes_leaves_constant_widths(simulator, batch, axis):
    constant = Profile(200.0, 0.01, 0.003)
    expected = simulator.simulate(batch, axis, [constant])
    nearly = replace(constant, strain_sigma=1e-7, strain_hwhm=1e-9, instrument_sigma=1e-6, instrument_hwhm=1e-8)
    for pattern, wanted in zip(simulator.simulate(batch, axis, [nearly]), expected, strict=True):
        np.testing.assert_allclose(pattern, wanted, rtol=0, atol=2e-6 * wanted.max())


def test_a_pattern_does_not_depend_on_the_others_of_its_batch(simulator, batch, axis):
    profiles = list(PROFILES.values())[: len(batch)]
    together = simulator.simulate(batch, axis, profiles)
    for index, profile in enumerate(profiles):
        alone = simulator.simulate(batch.select([index]), axis, [profile])[0]
        np.testing.assert_allclose(together[index], alone, rtol=0, atol=1e-9 * alone.max())


def test_the_instruments_width_is_constant_in_two_theta():
    profile = Profile(instrument_sigma=0.04, instrument_hwhm=0.03)
    for two_theta in (20.0, 90.0, 150.0):
        ends = 4 * np.pi / WAVELENGTH * np.sin(np.radians(two_theta + np.array([-0.5, 0.5]) * 1e-3) / 2)
        per_degree = (ends[1] - ends[0]) / 1e-3
        found = widths_at(profile, ends.mean(keepdims=True), WAVELENGTH)
        assert np.sqrt(found.variance[0]) == pytest.approx(0.04 * per_degree, rel=1e-7)
        assert found.hwhm[0] == pytest.approx(0.03 * per_degree, rel=1e-7)


def test_variances_are_those_of_caglioti_without_the_middle_term():
    """In 2θ: U tan²θ + W, U from strain and W from the instrument, sizes aside."""
    strain, instrument = 1.5e-3, 0.05
    profile = Profile(strain_sigma=strain, instrument_sigma=instrument)
    theta = np.radians(np.array([5.0, 30.0, 70.0]))
    q = 4 * np.pi / WAVELENGTH * np.sin(theta)
    in_degrees = widths_at(profile, q, WAVELENGTH).variance / np.radians(2 * np.pi / WAVELENGTH * np.cos(theta)) ** 2
    np.testing.assert_allclose(in_degrees, np.degrees(2 * strain) ** 2 * np.tan(theta) ** 2 + instrument**2, rtol=1e-9)


@pytest.mark.parametrize("name", SHAPE_PARAMETERS)
def test_slopes_of_widths_are_those_of_finite_differences(name):
    profile = Profile(100.0, 0.01, 0.002, 0.5, 0.0, 0.003, 0.001, 0.1, 0.05)
    q = np.array([0.5, 3.0, 7.9])
    step = 1e-4 * getattr(profile, name)
    low, high = (
        widths_at(replace(profile, **{name: getattr(profile, name) + sign * step}), q, WAVELENGTH) for sign in (-1, 1)
    )
    slopes = width_slopes(profile, q, WAVELENGTH, name)
    np.testing.assert_allclose(slopes.variance, (high.variance - low.variance) / (2 * step), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(slopes.hwhm, (high.hwhm - low.hwhm) / (2 * step), rtol=1e-6, atol=1e-12)
