from __future__ import annotations

import json

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator

from toys import rocksalt
from xtal_core.readers import read_pattern

TOY = ("--simulator", "toy-simulator")


@pytest.fixture
def simulate(xtal, tmp_path):
    """Return a function that simulates rock salt."""
    rocksalt(5.64).to_file(str(tmp_path / "salt.cif"))

    def run(*arguments, wavelength="CuKa1"):
        return xtal("simulate", "salt.cif", "--wavelength", wavelength, *arguments)

    return run


def columns(text):
    return np.loadtxt(text.splitlines()).T


def test_columns_are_two_theta_and_an_intensity_of_at_most_100(simulate):
    two_theta, intensity = columns(simulate(*TOY).out)
    assert two_theta[[0, -1]] == pytest.approx([5, 90])
    assert np.ptp(np.diff(two_theta)) < 1e-4
    assert intensity.max() == pytest.approx(100)
    assert intensity.min() >= 0


def test_the_strongest_reflections_are_where_pymatgen_has_them(simulate):
    two_theta, intensity = columns(simulate("--two-theta-max", 60).out)
    peaks = XRDCalculator("CuKa1").get_pattern(rocksalt(5.64), two_theta_range=(5, 60))
    for position in peaks.x[peaks.y > 5]:
        near = abs(two_theta - position) < 0.5
        assert two_theta[near][np.argmax(intensity[near])] == pytest.approx(position, abs=0.03)


def test_what_is_written_is_read_again_without_being_told_anything(simulate):
    assert simulate("--out", "a.xy", wavelength="CuKa").out == ""
    pattern = read_pattern("a.xy")
    assert pattern.radiation.name == "CuKa"
    assert pattern.two_theta[-1] == pytest.approx(90)
    assert len(pattern) == 4251
    simulate("--out", "b.xy", *TOY, wavelength="1.2345")
    assert read_pattern("b.xy").radiation.wavelengths == (1.2345,)


def test_noise_has_poisson_statistics_and_comes_back_with_the_seed(simulate):
    flat = ("--background", 1e6, "--noise", 1e-2, *TOY)  # counts of the background alone: 1e4 at the first point
    one, two = columns(simulate(*flat).out)[1], columns(simulate(*flat, "--seed", 1).out)[1]
    np.testing.assert_array_equal(one, columns(simulate(*flat).out)[1])
    x = np.linspace(0, 1, len(one))
    expected = 1e4 * (0.3 + 0.7 * np.exp(-3 * x))
    for counts in (one, two):
        assert (counts == np.round(counts)).all()
        assert np.mean((counts - expected) ** 2 / expected) == pytest.approx(1, abs=0.1)
    assert np.corrcoef(one - expected, two - expected)[0, 1] == pytest.approx(0, abs=0.1)


def test_smaller_crystals_have_wider_reflections(simulate):
    def width(*size):
        two_theta, intensity = columns(simulate(*size).out)
        near = abs(two_theta - 45.5) < 4
        return np.sum(intensity[near]) / intensity[near].max()

    assert width("--size", 50) > 1.5 * width("--size", 200) > 2 * width()


def test_json_holds_both_axes(simulate):
    record = json.loads(simulate("--json", "--points", 100, *TOY).out)
    q = 4 * np.pi * np.sin(np.radians(record["two_theta"]) / 2) / 1.540593
    np.testing.assert_allclose(record["q"], q)
    assert (record["formula"], record["seed"], len(record["intensity"])) == ("NaCl", None, 100)


def test_a_file_is_only_replaced_when_told(simulate, tmp_path):
    (tmp_path / "a.xy").write_text("mine")
    outcome = simulate("--out", "a.xy", *TOY)
    assert (outcome.code, outcome.err) == (
        2,
        "xtal: error: a.xy exists; choose another --out, or --force to replace it\n",
    )
    assert (tmp_path / "a.xy").read_text() == "mine"
    assert simulate("--out", "a.xy", "--force", *TOY).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.xy", "salt.cif"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--two-theta-max", "3"), "no range"),
        (("--two-theta-max", "180"), "no range"),
        (("--size", "0"), "positive size"),
        (("--gaussian", "-1"), "at least 0"),
        (("--gaussian", "0"), "reflections without width"),
        (("--noise", "0"), "positive number of counts"),
        (("--background", "nan"), "at least 0"),
        (("--points", "1"), "--points"),
        (("--set", "fit.keep=3"), "takes no part"),
        (("--simulator", "powdr"), "did you mean 'powder'?"),
        (("--two-theta-max", "10", *TOY), "no reflection in this range"),
        (("--out", "absent/a.xy", *TOY), "absent"),
    ],
)
def test_bad_options_are_one_line(simulate, tmp_path, arguments, message):
    outcome = simulate(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("xtal: error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert {path.name for path in tmp_path.iterdir()} == {"salt.cif"}
