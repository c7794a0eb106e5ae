from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.agreement import resample
from xtal_core.cells import CellBatch
from xtal_core.correlations import parameter_uncertainties
from xtal_core.measurement import Measurement, Profile
from xtal_core.parsimony import Parsimony
from xtal_core.pattern import Pattern, Radiation
from xtal_core.pattern_features import peak_width
from xtal_core.workers import SideWorkers
from xtal_fit.plugin import FitOptions
from xtal_fit.uncertainty import uncertainties
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


def refinement_of(simulator, pattern, profile, **options):
    width = peak_width(pattern)
    return whole_pattern(
        simulator,
        pattern,
        profile,
        width,
        Parsimony(40.0),
        known_size=False,
        options=FitOptions(**options),
        reflections_to=float(pattern.q[-1]),
        workers=SideWorkers(1, "fit"),
    )


def refined(refinement, trials):
    return refinement.converged(refinement.refine(trials))


def test_texture_strain_and_instrument_are_found_from_a_search_that_knew_none(simulator, trial_of, rutile, pattern_of):
    pattern = pattern_of(rutile, SAMPLE)
    start = Profile(gaussian_sigma=0.004, lorentzian_hwhm=0.002, b_iso=0.7)
    strained = rutile.copy()
    strained.apply_strain([0.001, 0.001, -0.001])
    (trial,) = refined(refinement_of(simulator, pattern, start), [trial_of(strained, start)])
    assert trial.profile.march_axis == (0, 0, 1)
    assert trial.profile.march_coefficient == pytest.approx(0.75, abs=0.02)
    assert trial.profile.instrument_sigma == pytest.approx(0.04, abs=0.005)
    assert trial.profile.strain_hwhm == pytest.approx(0.0012, abs=0.0005)
    assert trial.profile.b_iso == pytest.approx(0.6, abs=0.1)
    assert np.linalg.norm(trial.lattice, axis=1) == pytest.approx(rutile.lattice.abc, rel=2e-4)


def test_wherever_widths_start_the_refinement_ends_in_the_same_place(simulator, trial_of, wurtzite, pattern_of):
    pattern = pattern_of(wurtzite, replace(SAMPLE, lorentzian_hwhm=0.0, march_axis=None))
    found = []
    for gaussian, lorentzian in ((0.002, 0.0), (0.006, 0.0), (0.001, 0.004), (0.005, 0.005)):
        start = Profile(gaussian_sigma=gaussian, lorentzian_hwhm=lorentzian, b_iso=0.7)
        (trial,) = refined(refinement_of(simulator, pattern, start), [trial_of(wurtzite, start)])
        assert trial.converged
        found.append([trial.residual, trial.profile.instrument_sigma, trial.profile.strain_hwhm])
    assert found[1:] == [pytest.approx(found[0], rel=2e-3)] * 3


def test_refining_what_was_refined_changes_nothing(simulator, trial_of, wurtzite, pattern_of):
    pattern = pattern_of(wurtzite, SAMPLE)
    start = Profile(gaussian_sigma=0.004, lorentzian_hwhm=0.002)
    refinement = refinement_of(simulator, pattern, start)
    (first,) = refined(refinement, [trial_of(wurtzite, start)])
    (second,) = refinement.converged([first])
    assert second.residual == pytest.approx(first.residual, rel=1e-5)
    assert np.linalg.norm(second.lattice, axis=1) == pytest.approx(np.linalg.norm(first.lattice, axis=1), rel=1e-6)


@pytest.mark.parametrize(
    ("changed", "name", "tolerance"),
    [({"strain_sigma": 0.004}, "strain_sigma", 0.0008), ({"instrument_hwhm": 0.06}, "instrument_hwhm", 0.012)],
)
def test_widths_that_few_samples_have_are_refined_where_they_are_there(
    simulator, trial_of, rutile, pattern_of, changed, name, tolerance
):
    plain = Profile(lorentzian_hwhm=0.0005, instrument_sigma=0.04, b_iso=0.6)
    start = Profile(gaussian_sigma=0.004, lorentzian_hwhm=0.002)
    found = {}
    for profile in (plain, replace(plain, **changed)):
        refinement = refinement_of(simulator, pattern_of(rutile, profile), start)
        (trial,) = refined(refinement, [trial_of(rutile, start)])
        found[profile] = trial
        n_widths = sum(getattr(trial.profile, width) > 0 for width in ("strain_sigma", "instrument_hwhm"))
        textured = trial.profile.march_axis is not None
        assert refinement.n_parameters(trial) == trial.directions.n_directions + 5 + textured + n_widths
    without, having = found.values()
    assert without.profile.strain_sigma == without.profile.instrument_hwhm == 0
    assert getattr(having.profile, name) == pytest.approx(changed[name], abs=tolerance)


def test_zero_shift_and_displacement_are_told_apart_by_a_wide_pattern(simulator, trial_of, rutile, pattern_of):
    shifted = Profile(strain_hwhm=0.0003, instrument_sigma=0.03, b_iso=0.6, zero_shift=0.15, sample_displacement=-0.2)
    start = Profile(gaussian_sigma=0.002, lorentzian_hwhm=0.0005)
    pattern = pattern_of(rutile, shifted)
    refinement = refinement_of(simulator, pattern, start, shift="both")
    (trial,) = refined(refinement, [trial_of(rutile, start)])
    (determined,) = uncertainties(simulator, refinement.points, [trial], refinement.all_parameters(), 1 + 12)
    sigma = parameter_uncertainties(determined)
    for name in ("zero_shift", "sample_displacement"):
        assert abs(getattr(trial.profile, name) - getattr(shifted, name)) < 3 * sigma[name] < 0.1
    # What one of them alone takes for a lattice that is another.
    one = refined(refinement_of(simulator, pattern, start), [trial_of(rutile, start)])[0]
    errors = [np.abs(np.linalg.norm(t.lattice, axis=1) / rutile.lattice.abc - 1).max() for t in (trial, one)]
    assert errors[0] < 0.5 * errors[1]


def test_what_the_instrument_is_known_to_contribute_stays_and_the_sample_has_the_rest(
    simulator, trial_of, rutile, pattern_of
):
    profile = Profile(lorentzian_hwhm=0.003, instrument_sigma=0.05, instrument_hwhm=0.02, b_iso=0.6)
    start = Profile(gaussian_sigma=0.004, lorentzian_hwhm=0.002)
    refinement = refinement_of(
        simulator, pattern_of(rutile, profile), start, instrument_sigma=0.05, instrument_hwhm=0.02
    )
    (trial,) = refined(refinement, [trial_of(rutile, start)])
    assert (trial.profile.instrument_sigma, trial.profile.instrument_hwhm) == (0.05, 0.02)
    assert trial.profile.lorentzian_hwhm == pytest.approx(0.003, abs=0.0003)
    assert trial.profile.gaussian_sigma < 0.001


def test_no_texture_is_reported_of_a_sample_without(simulator, trial_of, wurtzite, pattern_of):
    pattern = pattern_of(wurtzite, replace(SAMPLE, march_axis=None, march_coefficient=1.0))
    start = Profile(gaussian_sigma=0.004, lorentzian_hwhm=0.002)
    (trial,) = refined(refinement_of(simulator, pattern, start), [trial_of(wurtzite, start)])
    assert trial.profile.march_axis is None or trial.profile.march_coefficient == pytest.approx(1, abs=0.02)


def test_the_size_of_small_crystallites_is_found(simulator, trial_of, wurtzite, pattern_of):
    pattern = pattern_of(wurtzite, BROAD)
    start = Profile(crystallite_size=45.0, gaussian_sigma=0.02)
    (trial,) = refined(refinement_of(simulator, pattern, start), [trial_of(wurtzite, start)])
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
