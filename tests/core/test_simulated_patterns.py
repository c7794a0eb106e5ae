import numpy as np
import pytest
from pymatgen.core import DummySpecies, Lattice, Structure

from toys import ToySimulator, pattern_of, rocksalt
from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Radiation
from xtal_core.simulated_patterns import conditions_of, simulate_patterns, standard_conditions


def simulate(conditions, *structures):
    named = {key: (f"structure {key}", structure) for key, structure in enumerate(structures)}
    return simulate_patterns(named, ToySimulator(), "toy-simulator", conditions)


def test_standard_conditions_are_those_they_say():
    conditions = standard_conditions()
    assert conditions.description == "2θ 10° to 90°, CuKa1, crystallites of 100 Å"
    assert conditions.radiation == Radiation.from_line("CuKa1")
    assert conditions.radiation.two_theta_from_q(conditions.q[[0, -1]]) == pytest.approx([10, 90])
    assert conditions.profile == Profile(crystallite_size=100.0)
    other = standard_conditions(Radiation.from_line("MoKa"), 30.0)
    assert other.description == "2θ 10° to 90°, MoKa, crystallites of 30 Å"
    assert other.profile == Profile(crystallite_size=30.0)


def test_conditions_of_a_pattern_are_its_axis_radiation_and_peak_width():
    pattern = pattern_of(rocksalt(5.64), sigma=0.03)
    conditions = conditions_of(pattern, "salt.xy")
    np.testing.assert_array_equal(conditions.q, pattern.q)
    assert conditions.radiation == pattern.radiation
    assert conditions.profile.gaussian_sigma == pytest.approx(0.03, rel=0.15)
    assert conditions.description.startswith("on the axis of salt.xy, CuKa1, Gaussian peaks of σ = 0.03")
    assert "crystallites of 50 Å" in conditions_of(pattern, "salt.xy", 50.0).description


def test_patterns_are_what_the_simulator_makes_at_their_points():
    pattern = pattern_of(rocksalt(5.64))
    conditions = conditions_of(pattern, "salt.xy")
    patterns, refusals = simulate(conditions, rocksalt(5.64), rocksalt(5.9))
    assert refusals == {}
    assert [p.source for p in patterns.values()] == ["structure 0", "structure 1"]
    fine = np.linspace(pattern.q[0], pattern.q[-1], 20001)
    cells = CellBatch.from_structures([rocksalt(5.64), rocksalt(5.9)])
    exact = ToySimulator().simulate(cells, Measurement(fine, pattern.radiation), [conditions.profile])
    for row, simulated in zip(exact, patterns.values(), strict=True):
        expected = np.interp(pattern.q, fine, row)
        np.testing.assert_allclose(simulated.intensity, expected, rtol=0, atol=2e-4 * expected.max())
        assert (simulated.intensity >= 0).all()


def test_a_structure_that_cannot_be_simulated_is_refused_and_the_others_are_not():
    dummy = Structure(Lattice.cubic(4), [DummySpecies("X"), "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    patterns, refusals = simulate(standard_conditions(), rocksalt(5.64), dummy, rocksalt(5.9))
    assert set(patterns) == {0, 2}
    assert set(refusals) == {1}
    assert "not an element" in refusals[1]


def test_nothing_to_simulate_is_nothing():
    assert simulate(standard_conditions()) == ({}, {})
