"""Names of emission lines, wavelengths and energies, as people and instruments write them."""

import pytest

from xtal_core.errors import OptionError
from xtal_core.pattern import EMISSION_LINES
from xtal_core.readers import parse_radiation
from xtal_core.readers.radiation import mean_wavelength, radiations_in_text


@pytest.mark.parametrize("name", EMISSION_LINES)
def test_every_emission_line_is_known_by_its_name_in_any_case(name):
    for spelling in (name, name.lower(), name.upper()):
        assert parse_radiation(spelling).wavelengths == EMISSION_LINES[name][0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Cu Kα", "CuKa"),
        ("Cu K-alpha", "CuKa"),
        ("CuK\\a", "CuKa"),
        ("Cu K\\a radiation", "CuKa"),
        ("Cu Kα1,2", "CuKa"),
        ("Cu Kα1/Kα2", "CuKa"),
        ("CuKa12", "CuKa"),
        ("Cu Kα1+2", "CuKa"),
        ("Cu Kα₁", "CuKa1"),
        ("Cu K-alpha1", "CuKa1"),
        ("CuK\\a~1~", "CuKa1"),
        ("CU K ALPHA 1", "CuKa1"),
        ("CuKα2", "CuKa2"),
        ("Cu Kβ1", "CuKb1"),
        ("Mo Kα", "MoKa"),
        ("co_ka", "CoKa"),
    ],
)
def test_spellings_of_emission_lines_are_understood(text, name):
    assert parse_radiation(text).name == name


@pytest.mark.parametrize(
    ("text", "wavelength"),
    [
        ("1.5406", 1.5406),
        (" 0.7093 ", 0.7093),
        ("1.5406 Å", 1.5406),
        ("1.5406A", 1.5406),
        ("0.15406 nm", 1.5406),
        ("154.06pm", 1.5406),
        ("8.04778 keV", 1.540598),
        ("17444eV", 0.710755),
    ],
)
def test_numbers_are_wavelengths_and_units_are_converted(text, wavelength):
    radiation = parse_radiation(text)
    assert radiation.wavelengths == pytest.approx((wavelength,), rel=1e-5)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("CuKa3", "did you mean 'CuKa"),
        ("CoKalpha9", "did you mean 'CoKa"),
        ("Unobtainium", "CuKa"),
        ("", "CuKa"),
        ("1,5406", "decimal point"),
        ("15.4", "keV, write 15.4keV"),
        ("0.07093", "nm, write 0.07093nm"),
        ("0", "0.1 to 5 Å"),
        ("-1.54", "0.1 to 5 Å"),
        ("0 keV", "0.1 to 5 Å"),
        ("1.54 inch", "Å, nm or keV"),
        ("nan", "CuKa"),
    ],
)
def test_other_texts_are_refused_with_a_remedy(text, remedy):
    with pytest.raises(OptionError) as caught:
        parse_radiation(text)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("# Wavelength: 1.5406", [(1.5406,)]),
        ("##X-RAY WAVELENGTH: 1.541838", [(1.541838,)]),
        ("# Wavelength: 1.2398e-10 m", [(1.2398,)]),
        ("wavelength (nm) = 0.15406", [(1.5406,)]),
        ("lambda=0.41390 A", [(0.4139,)]),
        ("λ = 0.7093 Å", [(0.7093,)]),
        (
            "K-Alpha1 wavelength,1.540598\nK-Alpha2 wavelength,1.544426\nK-Beta wavelength,1.39225",
            [(1.540598, 1.544426)],
        ),
        ("LAMBDA1 = 1.540598", [(1.540598,)]),
        ("Sample 12, measured with Cu Kα", [(1.540593, 1.544427)]),
        ("CuKa1 and CuKa2", [(1.540593, 1.544427)]),
        ("Cu K-alpha1, wavelength 1.5406", [(1.540593,)]),
        ("Cu Kα, lambda = 1.5418", [(1.540593, 1.544427)]),
        ("Cu Kα, lambda = 0.7107", [(1.540593, 1.544427), (0.7107,)]),
        ("wavelength calibrated on 2020-01-01", []),
        ("Cu Kappa goniometer", []),
        ("copper tube", []),
    ],
)
def test_headers_state_a_radiation_only_when_they_name_one(header, expected):
    found = [radiation.wavelengths for radiation in radiations_in_text(header)]
    assert found == [pytest.approx(wavelengths) for wavelengths in expected]


def test_the_ratio_of_a_doublet_is_read_from_the_header():
    (radiation,) = radiations_in_text(
        "K-Alpha1 wavelength,1.540598\nK-Alpha2 wavelength,1.544426\nRatio K-Alpha2/K-Alpha1,0.4"
    )
    assert radiation.weights == (1.0, 0.4)


def test_the_mean_of_cu_ka_is_the_wavelength_quoted_for_unresolved_doublets():
    # 1.54184 Å, International Tables vol. C, table 4.2.4.
    assert mean_wavelength(parse_radiation("CuKa")) == pytest.approx(1.54184, abs=5e-5)
