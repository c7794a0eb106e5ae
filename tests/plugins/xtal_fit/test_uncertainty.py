from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.agreement import resample
from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_fit.least_squares import fit
from xtal_fit.measured_points import measured_points
from xtal_fit.trial import ProfileParameter
from xtal_fit.uncertainty import uncertainties

RADIATION = Radiation.from_line("CuKa1")
PROFILE = Profile(crystallite_size=150.0, gaussian_sigma=0.01, b_iso=0.5)
PARAMETERS = [
    ProfileParameter("b_iso", -1.0, 6.0),
    ProfileParameter("zero_shift", -0.3, 0.3),
    ProfileParameter("gaussian_sigma", 0.001, 0.1),
]
TERMS = 5


@pytest.fixture(scope="module")
def measure(simulator, wurtzite):
    """Return a function that counts the pattern of wurtzite with some seed."""
    q = RADIATION.q_from_two_theta(np.arange(25, 95, 0.1))
    axis = Measurement(np.linspace(q[0], q[-1], 4000), RADIATION)
    ideal = resample(simulator.simulate(CellBatch.from_structures([wurtzite]), axis, [PROFILE])[0], axis, q)
    expected = 3000 * ideal / ideal.max() + 300.0

    def count(seed):
        counts = np.random.default_rng(seed).poisson(expected).astype(float)
        return Pattern(q, counts, RADIATION, uncertainty=np.sqrt(expected), chebyshev_terms=TERMS)

    return count


def points_of(pattern, uncertainty):
    return measured_points(pattern, uncertainty, 0.02)


def test_refined_values_scatter_as_their_uncertainties_say(simulator, measure, trial_of, wurtzite):
    true = trial_of(wurtzite, PROFILE)
    pulls = []
    for seed in range(30):
        pattern = measure(seed)
        points = points_of(pattern, pattern.uncertainty)
        (found,) = fit(simulator, points, [true], PARAMETERS, 12, len(pattern), converged=1e-9)
        (determined,) = uncertainties(simulator, points, [found], PARAMETERS, 1 + TERMS)
        sigma = np.sqrt(np.diag(determined.covariance))
        # Undo the steps: coordinates of the change along the free directions.
        strain = np.linalg.inv(true.lattice) @ found.lattice - np.eye(3)
        change = [*np.diag(strain), 2 * strain[1, 2], 2 * strain[0, 2], 2 * strain[0, 1]]
        change = np.array([*change, *(found.fractional - true.fractional).ravel()])
        values, *_ = np.linalg.lstsq(determined.directions, change, rcond=None)
        profile = [getattr(found.profile, p.name) - getattr(PROFILE, p.name) for p in PARAMETERS]
        pulls.append(np.array([*values, *profile]) / sigma)
        assert determined.reduced_chi_squared == pytest.approx(1, abs=0.25)
    spread = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert spread == pytest.approx(np.ones(len(spread)), abs=0.45)
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1, abs=0.2)


def test_unknown_uncertainties_are_taken_from_the_misfit(simulator, measure, trial_of, wurtzite):
    pattern = replace(measure(0), uncertainty=None)
    trial = trial_of(wurtzite, PROFILE)
    (one,) = uncertainties(simulator, points_of(pattern, None), [trial], PARAMETERS, 1 + TERMS)
    loud = replace(pattern, intensity=pattern.intensity * 7)
    (other,) = uncertainties(simulator, points_of(loud, None), [trial], PARAMETERS, 1 + TERMS)
    assert one.reduced_chi_squared is None
    assert np.allclose(one.covariance, other.covariance)


def test_four_times_the_counts_halve_the_uncertainties(simulator, measure, trial_of, wurtzite):
    pattern = measure(0)
    trial = trial_of(wurtzite, PROFILE)
    covariances = [
        uncertainties(simulator, points_of(pattern, sigma), [trial], PARAMETERS, 1 + TERMS)[0].covariance
        for sigma in (20 * pattern.uncertainty, 40 * pattern.uncertainty)
    ]
    assert np.allclose(4 * covariances[0], covariances[1])


def test_a_parameter_at_its_bound_has_no_uncertainty(simulator, measure, trial_of, wurtzite):
    pattern = measure(0)
    bounded = [ProfileParameter("b_iso", 0.5, 6.0), *PARAMETERS[1:]]
    trial = trial_of(wurtzite, PROFILE)
    (determined,) = uncertainties(simulator, points_of(pattern, pattern.uncertainty), [trial], bounded, 1 + TERMS)
    place = determined.names.index("b_iso")
    assert not determined.covariance[place].any()
    assert np.diag(determined.covariance)[place + 1 :].all()
