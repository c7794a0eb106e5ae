from __future__ import annotations

import numpy as np
import pytest

from data_sets import Material
from laboratory_patterns import TWO_THETA, WAVELENGTH, laboratory_pattern, make_laboratory_patterns
from toys import rocksalt
from xtal_core.counting_statistics import standard_uncertainties
from xtal_core.readers import read_pattern

SALT = Material("salt", str(rocksalt(5.64).to(fmt="cif")), True)


def near(two_theta, width=0.4):
    return np.abs(TWO_THETA - two_theta) < width


def bragg_angle(d, wavelength):
    return 2 * np.degrees(np.arcsin(wavelength / (2 * d)))


@pytest.fixture(scope="module")
def patterns():
    return np.array([laboratory_pattern(rocksalt(5.64), np.random.default_rng(seed)) for seed in range(12)])


@pytest.mark.parametrize("hkl", [(2, 0, 0), (2, 2, 0), (4, 2, 0)], ids=str)
def test_peaks_are_where_bragg_puts_them_up_to_a_zero_shift(patterns, hkl):
    angle = bragg_angle(5.64 / np.linalg.norm(hkl), 1.5406)
    peaks = [TWO_THETA[near(angle)][np.argmax(pattern[near(angle)])] for pattern in patterns]
    assert np.abs(np.array(peaks) - angle).max() < 0.2
    assert np.std(peaks) > 0.01


def test_every_pattern_has_other_intensities_and_another_background(patterns):
    strong = patterns[:, near(bragg_angle(5.64 / 2, 1.5406))].max(1)
    medium = patterns[:, near(bragg_angle(5.64 / 8**0.5, 1.5406))].max(1)
    background = np.percentile(patterns, 5, axis=1)
    assert len({*np.round(medium / strong, 3)}) > 10
    assert np.std(np.log(medium / strong)) > 0.05
    assert np.std(background / strong) > 0.01


def test_the_second_wavelength_of_the_doublet_is_there(patterns):
    # Both components of the last reflection, averaged over patterns with narrow peaks, stand beside each other.
    angles = [bragg_angle(5.64 / 20**0.5, wavelength) for wavelength in (1.540593, 1.544427)]
    first, second, beyond = (patterns[:, near(a, 0.03)].mean() for a in (*angles, angles[1] + 0.8))
    assert first > second > 2 * beyond


def test_patterns_are_counts(tmp_path):
    files = make_laboratory_patterns([SALT], tmp_path, seed=1)
    pattern = read_pattern(files["salt"], wavelength=WAVELENGTH)
    assert len(pattern.radiation.wavelengths) == 2
    assert standard_uncertainties(pattern).how == "square roots of the counts"


def test_only_missing_patterns_are_made_and_the_same_again(tmp_path):
    first = make_laboratory_patterns([SALT], tmp_path / "one", seed=1)["salt"]
    other = Material("other", SALT.cif, True)
    again = make_laboratory_patterns([SALT, other], tmp_path / "two", seed=1)
    assert again["salt"].read_text() == first.read_text() != again["other"].read_text()
    again["salt"].write_text("kept")
    assert make_laboratory_patterns([SALT], tmp_path / "two", seed=1)["salt"].read_text() == "kept"
