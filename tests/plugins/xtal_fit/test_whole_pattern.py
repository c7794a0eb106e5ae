from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.agreement import resample
from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.pattern_features import peak_width
from xtal_fit.whole_pattern import texture_axes, whole_pattern

RADIATION = Radiation.from_line("CuKa")
SAMPLE = Profile(
    lorentzian_hwhm=0.001,
    strain_hwhm=0.0012,
    instrument_sigma=0.04,
    b_iso=0.6,
    zero_shift=0.04,
    march_coefficient=0.75,
    march_axis=(0, 0, 1),
)
BROAD = Profile(crystallite_size=60.0, gaussian_sigma=0.03, b_iso=0.5)


@pytest.fixture(scope="module")
def pattern_of(simulator):
    """Return a function that measures a structure: 20,000 counts at most, on a background."""

    def make(structure, profile):
        q = RADIATION.q_from_two_theta(np.arange(15, 100, 0.03))
        axis = Measurement(np.linspace(q[0], q[-1], 12000), RADIATION)
        intensity = resample(simulator.simulate(CellBatch.from_structures([structure]), axis, [profile])[0], axis, q)
        expected = 20000 * intensity / intensity.max() + 600 - 60 * q
        return Pattern(q, np.random.default_rng(2).poisson(expected).astype(float), RADIATION)

    return make


def refinement_of(simulator, pattern, profile):
    width = peak_width(pattern)
    return whole_pattern(
        simulator,
        pattern,
        profile,
        width,
        40.0,
        known_size=False,
        displaced=False,
        reflections_to=float(pattern.q[-1]),
        jobs=1,
    )


def test_texture_strain_and_instrument_are_found_from_a_search_that_knew_none(simulator, trial_of, rutile, pattern_of):
    pattern = pattern_of(rutile, SAMPLE)
    start = Profile(gaussian_sigma=0.004, lorentzian_hwhm=0.002, b_iso=0.7)
    strained = rutile.copy()
    strained.apply_strain([0.001, 0.001, -0.001])
    (trial,) = refinement_of(simulator, pattern, start).refine([trial_of(strained, start)])
    assert trial.profile.march_axis == (0, 0, 1)
    assert trial.profile.march_coefficient == pytest.approx(0.75, abs=0.02)
    assert trial.profile.instrument_sigma == pytest.approx(0.04, abs=0.005)
    assert trial.profile.strain_hwhm == pytest.approx(0.0012, abs=0.0005)
    assert trial.profile.b_iso == pytest.approx(0.6, abs=0.1)
    assert np.linalg.norm(trial.lattice, axis=1) == pytest.approx(rutile.lattice.abc, rel=2e-4)


def test_no_texture_is_reported_of_a_sample_without(simulator, trial_of, wurtzite, pattern_of):
    pattern = pattern_of(wurtzite, replace(SAMPLE, march_axis=None, march_coefficient=1.0))
    start = Profile(gaussian_sigma=0.004, lorentzian_hwhm=0.002)
    (trial,) = refinement_of(simulator, pattern, start).refine([trial_of(wurtzite, start)])
    assert trial.profile.march_axis is None or trial.profile.march_coefficient == pytest.approx(1, abs=0.02)


def test_the_size_of_small_crystallites_is_found(simulator, trial_of, wurtzite, pattern_of):
    pattern = pattern_of(wurtzite, BROAD)
    start = Profile(crystallite_size=45.0, gaussian_sigma=0.02)
    (trial,) = refinement_of(simulator, pattern, start).refine([trial_of(wurtzite, start)])
    assert trial.profile.crystallite_size == pytest.approx(60, abs=3)
    assert trial.profile.gaussian_sigma == pytest.approx(0.03, abs=0.004)


def test_excluded_points_do_not_matter(simulator, trial_of, wurtzite, pattern_of):
    pattern = pattern_of(wurtzite, BROAD)
    spoilt = (pattern.two_theta > 40) & (pattern.two_theta < 44)
    intensity = np.where(spoilt, 50000.0, pattern.intensity)
    start = Profile(crystallite_size=45.0, gaussian_sigma=0.02)
    fits = [
        refinement_of(simulator, replace(pattern, intensity=values, excluded=spoilt), start).refine(
            [trial_of(wurtzite, start)]
        )[0]
        for values in (pattern.intensity, intensity)
    ]
    assert np.allclose(fits[0].lattice, fits[1].lattice, atol=1e-9)


def test_texture_axes_are_normal_to_the_planes_farthest_apart():
    cubic = texture_axes(np.eye(3) * 5.0, 3)
    assert [tuple(sorted(np.abs(axis).tolist())) for axis in cubic] == [(0, 0, 1), (0, 1, 1), (1, 1, 1)]
    layered = np.diag([3.0, 4.0, 20.0])
    assert texture_axes(layered, 1) == [(0, 0, 1)]
    primitive_fcc = 2.5 * (1 - np.eye(3))
    spacings = 1 / np.linalg.norm(np.array(texture_axes(primitive_fcc, 3)) @ np.linalg.inv(primitive_fcc).T, axis=1)
    assert spacings == pytest.approx([5 / np.sqrt(3), 5 / np.sqrt(4), 5 / np.sqrt(8)])
