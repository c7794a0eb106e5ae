"""Densities of free atoms, against xraydb's form factors and numerical integration."""

import numpy as np
import pytest
import xraydb
from scipy.integrate import quad

from xtal_core.errors import InputError
from xtal_crystalnet.atomic_densities import (
    B_ISO,
    BEYOND_CUTOFF,
    SMALLEST_B,
    check_tabulated,
    electrons_beyond,
    gaussian_terms,
    radial_density,
    radial_table,
)

ELEMENTS = range(1, 99)


@pytest.mark.parametrize("number", [1, 6, 11, 30, 55, 66, 98])
def test_integral_is_the_atomic_number(number):
    electrons, _ = quad(lambda r: 4 * np.pi * r**2 * radial_density(number, r), 0, 20, limit=200, epsabs=1e-9)
    assert electrons == pytest.approx(number, rel=1e-8)


@pytest.mark.parametrize("number", [1, 6, 8, 26, 56, 66, 92])
@pytest.mark.parametrize("s", [0.1, 0.4, 0.9])
def test_fourier_transform_is_the_form_factor_with_displacements(number, s):
    """∫ 4πr² ρ(r) sin(Qr)/(Qr) dr = f0(s) exp(−B s²), Q = 4πs; they differ by the scaling to Z, below 1e-3."""
    q = 4 * np.pi * s

    def integrand(r):
        return 4 * np.pi * r**2 * radial_density(number, r) * np.sinc(q * r / np.pi)

    found, _ = quad(integrand, 0, 15, limit=400, epsabs=1e-9)
    assert found == pytest.approx(xraydb.f0(number, s)[0] * np.exp(-B_ISO * s**2), rel=1e-3)


def test_displacements_widen_by_the_convolution_with_a_gaussian():
    """⟨r²⟩ grows by 3⟨u²⟩ = 3(B₂ − B₁)/8π², whatever the atom."""

    def mean_square(b_iso):
        return quad(lambda r: 4 * np.pi * r**4 * radial_density(14, r, b_iso), 0, 20, limit=200)[0] / 14

    assert mean_square(3.0) - mean_square(1.0) == pytest.approx(3 * 2.0 / (8 * np.pi**2), rel=1e-6)


@pytest.mark.parametrize("b_iso", [SMALLEST_B, B_ISO])
def test_terms_that_nearly_cancel_leave_densities_that_fall_from_the_nucleus_and_are_never_negative(b_iso):
    radii = np.linspace(0, 10, 4001)
    for number in ELEMENTS:
        density = radial_density(number, radii, b_iso)
        assert density.min() >= 0, number
        assert (np.diff(density) <= 1e-12 * density[0]).all(), number


@pytest.mark.parametrize("number", [1, 10, 37, 79])
def test_electrons_beyond_a_radius_are_those_of_the_integral(number):
    for radius in (0.0, 0.5, 2.0):
        expected, _ = quad(lambda r: 4 * np.pi * r**2 * radial_density(number, r), radius, 20, limit=200, epsabs=1e-10)
        assert electrons_beyond(number, radius) == pytest.approx(expected, rel=1e-7)


def test_less_than_the_promised_fraction_lies_beyond_the_cutoff_and_not_much_less():
    table = radial_table()
    for number in ELEMENTS:
        beyond = electrons_beyond(number, [table.cutoffs[number], table.cutoffs[number] - 0.02])
        assert beyond[0] < BEYOND_CUTOFF * number < beyond[1], number


def test_tabulated_densities_are_those_of_the_formula():
    table = radial_table()
    random = np.random.default_rng(1)
    numbers = random.integers(1, 99, 100_000)
    radii = random.uniform(0, 1, len(numbers)) * (table.cutoffs[numbers] - 2 * table.step)
    found = table.at(numbers, radii**2)
    for number in ELEMENTS:
        mine = numbers == number
        np.testing.assert_allclose(found[mine], radial_density(number, radii[mine]), rtol=1e-4)


def test_tabulated_density_is_zero_at_the_cutoff():
    table = radial_table()
    for number in ELEMENTS:
        assert table.at(number, np.array([table.cutoffs[number] ** 2])) == 0


def test_elements_beyond_the_table_are_named():
    with pytest.raises(InputError, match="Es, Lr"):
        check_tabulated(np.array([103, 8, 99]))
    with pytest.raises(InputError, match="Fm"):
        radial_density(100, 0.0)
    with pytest.raises(InputError, match="atomic number 130"):
        check_tabulated([130])
    with pytest.raises(InputError, match="atomic number 0"):
        gaussian_terms(0)


def test_displacement_parameters_too_small_for_the_form_factors_are_refused():
    with pytest.raises(InputError, match=r"0.1 Å² is too small .*choose 0.2"):
        radial_density(6, 0.0, b_iso=0.1)
    with pytest.raises(InputError, match="too small"):
        radial_table(0.0)
