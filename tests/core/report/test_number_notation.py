from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtal_core.readers.cif_syntax import parse_number
from xtal_core.report.number_notation import with_uncertainty


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (5.43214, 0.0003, "5.4321(3)"),
        (5.43214, 0.00012, "5.43214(12)"),
        (5.43214, 0.00019, "5.43214(19)"),
        (5.43214, 0.000196, "5.4321(2)"),
        (5.43214, 0.0000996, "5.43214(10)"),
        (-0.25, 0.013, "-0.250(13)"),
        (1234.5, 14.0, "1234(14)"),
        (1234.5, 40.0, "1230(40)"),
        (0.3, 0.5, "0.3(5)"),
        (12.0, 0.96, "12.0(10)"),
    ],
)
def test_uncertainties_stand_in_units_of_the_last_digit(value, uncertainty, text):
    assert with_uncertainty(value, uncertainty) == text


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [(4.1234567, 0.29876, "4.12346(29876)"), (5.43214, 0.0003, "5.43214(30)"), (5.4321412, 0.0000123, "5.432141(12)")],
)
def test_files_keep_digits_that_are_uncertain(value, uncertainty, text):
    assert with_uncertainty(value, uncertainty, least_decimals=5) == text


@pytest.mark.parametrize("uncertainty", [None, 0.0, -1.0, math.nan, math.inf, 1e-17])
def test_without_uncertainty_the_value_stands_alone(uncertainty):
    assert with_uncertainty(0.25, uncertainty, decimals=4) == "0.2500"


@given(st.floats(-1e4, 1e4), st.floats(1e-7, 1e3))
def test_a_reader_gets_value_and_uncertainty_back_to_half_a_digit(value, uncertainty):
    number, sigma = parse_number(with_uncertainty(value, uncertainty))
    assert sigma == pytest.approx(uncertainty, rel=0.26)
    assert abs(number - value) <= 0.51 * sigma
