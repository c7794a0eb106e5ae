from __future__ import annotations

import math

import numpy as np
import pytest

from xtal_core.candidate import Fit, Uncertainty
from xtal_core.cells import CellBatch
from xtal_core.crystallite_size import crystallite_size, integral_breadth_size
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Radiation
from xtal_core.registry import installed_registry
from xtal_core.testing.problems import rock_salt


def fit_of(profile, uncertainty=None):
    return Fit(np.zeros(2), np.zeros(2), profile, 1.0, 0.1, 5, uncertainty)


@pytest.mark.parametrize(
    ("profile", "size"),
    [
        (Profile(crystallite_size=40.0), 40.0),
        (Profile(gaussian_sigma=0.1), math.sqrt(2 * math.pi) / 0.1),
        (Profile(lorentzian_hwhm=0.02), 100.0),
        # A Voigt function: Langford, J. Appl. Cryst. 11, 10 (1978).
        (
            Profile(gaussian_sigma=0.05, lorentzian_hwhm=0.03),
            math.sqrt(2 * math.pi) / 0.05 * math.exp(0.18) * math.erfc(math.sqrt(0.18)),
        ),
    ],
)
def test_limits_are_those_of_the_books(profile, size):
    assert integral_breadth_size(profile) == pytest.approx(size, rel=1e-6)


def test_the_size_is_that_of_the_integral_breadth_of_a_calculated_peak():
    """Area over height of a reflection that stands alone, from the simulator."""
    profile = Profile(crystallite_size=60.0, gaussian_sigma=0.02, lorentzian_hwhm=0.004)
    radiation = Radiation.from_line("CuKa1")
    centre = 2 * math.pi * math.sqrt(3) / 5.64
    axis = Measurement(np.linspace(0.02, 2 * centre, 40001), radiation, reflections_to=centre + 0.01)
    cell = CellBatch.from_structures([rock_salt(5.64)])
    intensity = installed_registry().create("simulator", "powder").simulate(cell, axis, [profile])[0]
    breadth = np.trapezoid(intensity, axis.q) / intensity.max()
    # The tails beyond the axis are missing: 2 % of the area.
    assert integral_breadth_size(profile) == pytest.approx(2 * math.pi / breadth, rel=0.03)


def test_strain_and_instrument_give_no_size():
    profile = Profile(strain_hwhm=0.001, strain_sigma=0.002, instrument_sigma=0.05, instrument_hwhm=0.01)
    assert crystallite_size(fit_of(profile)) is None


def test_the_uncertainty_knows_that_widths_make_up_for_one_another():
    """Gaussian and Lorentzian that cannot be told apart leave a size that is well determined."""
    profile = Profile(gaussian_sigma=0.05, lorentzian_hwhm=0.03)
    loose = np.array([[1.0, 0.0], [0.0, 1.0]]) * 1e-4
    names = ("gaussian_sigma", "lorentzian_hwhm")
    alone = crystallite_size(fit_of(profile, Uncertainty(names, np.zeros((6, 0)), loose, 1.0)))
    steps = []
    for name in names:
        changed = Profile(**{"gaussian_sigma": 0.05, "lorentzian_hwhm": 0.03, name: getattr(profile, name) + 1e-6})
        steps.append((integral_breadth_size(changed) - alone.value) / 1e-6)
    assert alone.uncertainty == pytest.approx(1e-2 * math.hypot(*steps), rel=1e-3)
    along = np.array([steps[1], -steps[0]]) / math.hypot(*steps)
    tied = Uncertainty(names, np.zeros((6, 0)), 1e-4 * np.outer(along, along) + 1e-10 * np.eye(2), 1.0)
    assert crystallite_size(fit_of(profile, tied)).uncertainty < 0.01 * alone.uncertainty


def test_a_known_size_has_no_uncertainty():
    assert crystallite_size(fit_of(Profile(crystallite_size=30.0))) == (30.0, None)
