"""Rietveld's apportionment, on patterns whose reflections are known. Peaks are drawn by a stand-in for a simulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toys import ToySimulator, rocksalt
from xtal_core.agreement import fit_scale_and_background
from xtal_core.agreement_factors import r_bragg
from xtal_core.candidate import Candidate
from xtal_core.interfaces import Reflections
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.preparation import prepare
from xtal_core.reflection_table import reflection_table

CU = Radiation.from_line("CuKa1")
WIDTH = 0.02


class ThreePeaks(ToySimulator):
    """Gaussians at given Q with given areas, two of them at the same place and two overlapping."""

    position = np.array([2.0, 3.0, 3.0, 3.03])
    intensity = np.array([4.0, 1.0, 3.0, 2.0])

    def list_reflections(self, cell, measurement, profile):
        hkl = np.array([[1, 0, 0], [2, 2, 1], [3, 0, 0], [3, 1, 0]])
        return Reflections(hkl, self.position, 10 * self.intensity, self.position, self.intensity)

    def weigh_reflections(self, cell, measurement, profile, weights):
        return weights @ self.peaks(measurement.q).T

    def peaks(self, q):
        shapes = np.exp(-((q - self.position[:, None]) ** 2) / (2 * WIDTH**2)) / (WIDTH * np.sqrt(2 * np.pi))
        return self.intensity[:, None] * shapes


def observed_pattern(intensities, low=1.0, high=4.0):
    """Return a pattern of the reflections with other intensities, on a background of 20."""
    q = np.linspace(low, high, 3000)
    simulator = ThreePeaks()
    simulator.intensity = np.array(intensities)
    return Pattern(q, simulator.peaks(q).sum(0) + 20, CU, background=np.full(len(q), 20.0))


def table_of(pattern, scale=1.0):
    """Return the table of the stand-in, its calculated pattern multiplied by `scale`."""
    simulator = ThreePeaks()
    drawn = simulator.peaks(pattern.q).sum(0)[None]
    fit = fit_scale_and_background(pattern, drawn).fit(0, Profile(), 0)
    fit = replace(fit, scale=scale, calculated=scale * drawn[0] + 20)
    return reflection_table(pattern, Candidate(rocksalt(5.64), "toy", fit=fit), simulator)


def test_a_perfect_fit_gives_every_reflection_its_calculated_intensity():
    table = table_of(observed_pattern([4.0, 1, 3, 2]))
    np.testing.assert_allclose(table.observed, [4, 1, 3, 2], rtol=1e-4)
    np.testing.assert_allclose(table.calculated, [4, 1, 3, 2], rtol=1e-4)
    assert r_bragg(*table.known) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(table.d, 2 * np.pi / ThreePeaks.position)


def test_a_reflection_on_its_own_has_the_area_that_was_measured():
    table = table_of(observed_pattern([5.0, 1, 3, 2]))
    np.testing.assert_allclose(table.observed, [5, 1, 3, 2], rtol=1e-4)
    assert r_bragg(*table.known) == pytest.approx(1 / 11, rel=1e-3)


def test_reflections_at_the_same_place_share_as_they_were_calculated():
    table = table_of(observed_pattern([4.0, 2, 6, 0]))
    assert table.observed[2] / table.observed[1] == pytest.approx(3)
    assert table.observed.sum() == pytest.approx(12, rel=1e-4)  # nothing is lost in overlap


def test_observed_intensities_do_not_depend_on_the_calculated_scale():
    pattern = observed_pattern([5.0, 1, 3, 2])
    np.testing.assert_allclose(table_of(pattern, 2.0).observed, table_of(pattern, 1.0).observed, rtol=1e-6)
    np.testing.assert_allclose(table_of(pattern, 2.0).calculated, 2 * table_of(pattern, 1.0).calculated, rtol=1e-9)


def test_what_is_excluded_is_unknown_and_counts_for_nothing():
    pattern = observed_pattern([40.0, 1, 3, 2])
    angles = CU.two_theta_from_q(np.array([1.9, 2.1]))
    table = table_of(prepare(pattern, [tuple(angles)]))
    assert np.isnan(table.observed[0])
    observed, calculated = table.known
    assert len(observed) == 3
    assert r_bragg(observed, calculated) == pytest.approx(0, abs=1e-6)


def test_reflections_beyond_the_pattern_are_not_listed():
    table = table_of(observed_pattern([4.0, 1, 3, 2], low=2.5))
    assert table.hkl.tolist() == [[2, 2, 1], [3, 0, 0], [3, 1, 0]]


def test_simulators_that_list_no_reflections_have_no_table():
    pattern = observed_pattern([4.0, 1, 3, 2])
    fit = fit_scale_and_background(pattern, pattern.intensity[None]).fit(0, Profile(), 0)
    assert reflection_table(pattern, Candidate(rocksalt(5.64), "toy", fit=fit), ToySimulator()) is None
    assert reflection_table(pattern, Candidate(rocksalt(5.64), "toy"), ThreePeaks()) is None
