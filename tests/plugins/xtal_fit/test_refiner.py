from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from toys import ToySimulator
from xtal_core.agreement import resample
from xtal_core.candidate import GIVEN, Candidate
from xtal_core.cells import CellBatch
from xtal_core.errors import OptionError
from xtal_core.interfaces import Workbench
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.problem import Formula, Problem
from xtal_core.testing import RefinerConformance
from xtal_fit.plugin import FitOptions
from xtal_fit.refiner import FEW_CANDIDATES, FitRefiner
from xtal_fit.stages import Stages

CALCULATED, MEASURED = Radiation.from_line("CuKa1"), Radiation.from_line("CuKa")
QUICK = FitOptions(keep=6, steps=20, moved=3, released=1, rounds=1)


class TestFitConformance(RefinerConformance):
    def create_refiner(self):
        return FitRefiner(QUICK)


@pytest.fixture(scope="module")
def problem_of(simulator):
    """Return a function that makes the problem of a structure, calculated or as if it had been measured."""

    def make(structure, profile, *, counts=0.0, known_size=None, space_group=None):
        radiation = MEASURED if counts else CALCULATED
        q = radiation.q_from_two_theta(np.linspace(15, 85, 1401))
        axis = Measurement(np.linspace(q[0], q[-1], 2801), radiation)
        intensity = simulator.simulate(CellBatch.from_structures([structure]), axis, [profile])[0]
        intensity = resample(intensity / intensity.max(), axis, q)
        if counts:
            expected = counts * (intensity + 0.15 - 0.02 * q + 0.1 * np.exp(-((q - 2) ** 2)))
            intensity = np.random.default_rng(8).poisson(expected).astype(float)
        formula = Formula.parse(structure.composition.reduced_formula)[0]
        return Problem(Pattern(q, intensity, radiation), formula, None, None, space_group, known_size)

    return make


@pytest.fixture
def candidates():
    """Wrong structures of TiO₂ and, last, rutile 2 % too large with its oxygen 0.1 Å out of place."""
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.8), ["Ti", "O"], [[0, 0, 0], [0.25] * 3])
    anatase = Structure.from_spacegroup(
        "I4_1/amd", Lattice.tetragonal(3.78, 9.51), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.208]]
    )
    cadmium_iodide = Structure.from_spacegroup(
        "P-3m1", Lattice.hexagonal(3.0, 4.9), ["Ti", "O"], [[0, 0, 0], [1 / 3, 2 / 3, 0.25]]
    )
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.68, 3.02), ["Ti", "O"], [[0, 0, 0], [0.32, 0.32, 0]]
    )
    named = {"fluorite": fluorite, "anatase": anatase, "CdI2": cadmium_iodide, "rutile": rutile}
    return [Candidate(structure, "test", name) for name, structure in named.items()]


def refine(problem, candidates, simulator, options=QUICK, seed=0):
    return FitRefiner(options).refine(problem, candidates, Workbench(simulator, seed))


def test_the_right_one_among_wrong_ones_comes_first_refined(simulator, problem_of, candidates, rutile):
    best = refine(problem_of(rutile, Profile(crystallite_size=100.0), known_size=100.0), candidates, simulator)[0]
    assert best.origin == "rutile"
    assert best.fit.residual < 1e-4
    assert best.structure.lattice.abc == pytest.approx(rutile.lattice.abc, rel=5e-4)
    assert StructureMatcher(ltol=0.01, stol=0.02, scale=False).fit(best.structure, rutile)
    assert best.details["reflections_beyond_pattern"] in (True, False)


@pytest.mark.parametrize("beyond", [True, False])
def test_a_calculated_pattern_is_described_exactly_with_or_without_reflections_beyond_it(
    simulator, candidates, rutile, beyond
):
    q = CALCULATED.q_from_two_theta(np.linspace(15, 85, 2001))
    axis = Measurement(np.linspace(q[0], q[-1], 8001), CALCULATED, None if beyond else float(q[-1]))
    profile = Profile(crystallite_size=100.0, gaussian_sigma=0.08)
    intensity = resample(simulator.simulate(CellBatch.from_structures([rutile]), axis, [profile])[0], axis, q)
    problem = Problem(Pattern(q, intensity, CALCULATED), Formula.parse("TiO2")[0], crystallite_size=100.0)
    best = refine(problem, candidates[-1:], simulator)[0]
    assert best.details["reflections_beyond_pattern"] is beyond
    assert best.fit.residual < 1e-9
    assert best.fit.profile.gaussian_sigma == pytest.approx(0.08, rel=1e-4)
    assert best.structure.lattice.abc == pytest.approx(rutile.lattice.abc, rel=1e-5)
    assert best.structure.frac_coords == pytest.approx(rutile.frac_coords, abs=1e-4)


def test_noise_background_and_a_shifted_zero_do_not_mislead(simulator, problem_of, candidates, rutile):
    profile = Profile(gaussian_sigma=0.02, lorentzian_hwhm=0.01, b_iso=0.5, zero_shift=0.08)
    best = refine(problem_of(rutile, profile, counts=3000), candidates, simulator)[0]
    assert best.origin == "rutile"
    assert best.fit.residual < 0.03
    assert best.fit.profile.zero_shift == pytest.approx(0.08, abs=0.03)
    assert best.structure.lattice.abc == pytest.approx(rutile.lattice.abc, rel=2e-3)


def test_a_crystallite_size_that_is_not_known_is_found(simulator, problem_of, candidates, rutile):
    best = refine(problem_of(rutile, Profile(crystallite_size=40.0)), candidates, simulator)[0]
    assert best.origin == "rutile"
    assert best.fit.profile.crystallite_size == pytest.approx(40, rel=0.1)


def test_the_space_group_of_a_candidate_is_kept_while_it_describes_the_pattern(
    simulator, problem_of, candidates, rutile
):
    best = refine(problem_of(rutile, Profile(crystallite_size=100.0), known_size=100.0), candidates, simulator)[0]
    assert SpacegroupAnalyzer(best.structure, 1e-3).get_space_group_number() == 136


def test_elements_on_the_wrong_sites_are_exchanged(simulator, problem_of):
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    right, wrong = (
        Structure(Lattice.cubic(3.905), [*cations, "O", "O", "O"], sites) for cations in (("Ba", "Ti"), ("Ti", "Ba"))
    )
    problem = problem_of(right, Profile(gaussian_sigma=0.03))
    best = refine(problem, [Candidate(wrong, "test", "exchanged")], simulator)[0]
    assert StructureMatcher(ltol=0.01, stol=0.02, scale=False).fit(best.structure, right)
    without = refine(problem, [Candidate(wrong, "test")], simulator, FitOptions(rounds=0))[0]
    assert best.fit.residual < 1e-3 * without.fit.residual


def test_elements_of_a_structure_that_the_user_gave_stay_where_they_are(simulator, problem_of):
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    right, wrong = (
        Structure(Lattice.cubic(3.905), [*cations, "O", "O", "O"], sites) for cations in (("Ba", "Ti"), ("Ti", "Ba"))
    )
    problem = problem_of(right, Profile(gaussian_sigma=0.03), space_group=221)
    for candidate in refine(problem, [Candidate(wrong, GIVEN, "mine.cif")], simulator):
        assert [site.specie.symbol for site in candidate.structure] == [site.specie.symbol for site in wrong]
        assert candidate.fit.remarks == ()
    found = refine(problem, [Candidate(wrong, "test", "found")], simulator)[0]
    assert found.fit.remarks == ("Ba and Ti were exchanged",)


def test_a_few_candidates_without_noise_are_also_refined_from_where_they_are(simulator, problem_of, monkeypatch):
    """Where the smoothed stages lead all trials astray, the start is still there."""
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    close = salt.copy()
    close.apply_strain(0.002)

    def led_astray(stages, trials):
        return [replace(trial, lattice=trial.lattice * 1.4, residual=0.9) for trial in trials]

    monkeypatch.setattr(Stages, "coarse", led_astray)
    problem = problem_of(salt, Profile(crystallite_size=100.0), known_size=100.0)
    options = FitOptions(rounds=0)
    best = refine(problem, [Candidate(close, "test")], simulator, options)[0]
    assert best.structure.lattice.a == pytest.approx(5.64, rel=1e-4)
    many = [Candidate(close, "test", str(n)) for n in range(FEW_CANDIDATES + 1)]
    assert refine(problem, many, simulator, options)[0].structure.lattice.a != pytest.approx(5.64, rel=1e-2)


def test_restarts_reach_what_the_first_fit_does_not(simulator, problem_of):
    """A coordinate on the wrong side of a barrier, with every other way out of it switched off."""
    sites = [[0, 0, 0], [0.3053, 0.3053, 0]]
    rutile, wrong = (
        Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [sites[0], [x, x, 0]])
        for x in (0.3053, 0.14)
    )
    problem = problem_of(rutile, Profile(crystallite_size=100.0), known_size=100.0, space_group=136)
    candidates = [Candidate(wrong, "test")]
    residuals = {
        n: refine(problem, candidates, simulator, FitOptions(rounds=0, restarts=n))[0].fit.residual for n in (0, 20)
    }
    assert residuals[20] < 1e-3 < 0.01 < residuals[0]


def test_a_foreign_reflection_hardly_moves_a_robust_refinement(simulator, problem_of, rutile):
    """On the flank of the reflection that tells c, and texture, which are both judged with it counting less."""
    profile = Profile(gaussian_sigma=0.006, lorentzian_hwhm=0.004, b_iso=0.5, march_axis=(0, 0, 1))
    clean = problem_of(rutile, replace(profile, march_coefficient=0.8), counts=3000, space_group=136)
    foreign = 4000 * np.exp(-((clean.pattern.two_theta - 62.3) ** 2) / (2 * 0.15**2))
    mixed = replace(clean.pattern, intensity=np.rint(clean.pattern.intensity + foreign))
    problems = (replace(clean, pattern=mixed), replace(clean, pattern=mixed, robust=True))
    plain, robust = (refine(problem, [Candidate(rutile, GIVEN)], simulator)[0] for problem in problems)
    errors = [np.abs(np.array(c.structure.lattice.abc) / rutile.lattice.abc - 1).max() for c in (plain, robust)]
    assert errors[1] < 1e-4 < 3e-4 < errors[0]
    assert robust.fit.profile.march_coefficient == pytest.approx(0.8, abs=0.01)
    assert robust.fit.profile.b_iso == pytest.approx(0.5, abs=0.08)


def test_a_stated_space_group_is_not_given_up(simulator, problem_of, candidates, rutile):
    problem = problem_of(rutile, Profile(crystallite_size=60.0), known_size=60.0, space_group=225)
    fluorite = candidates[:1]
    found = {
        SpacegroupAnalyzer(c.structure, 1e-3).get_space_group_number() for c in refine(problem, fluorite, simulator)
    }
    assert found == {225}
    free = refine(replace(problem, space_group=None), fluorite, simulator)
    assert {SpacegroupAnalyzer(c.structure, 1e-3).get_space_group_number() for c in free} > {225}


def test_disordered_candidates_come_back_as_they_were(simulator, problem_of, candidates, rutile):
    disordered = rutile.copy()
    disordered.replace_species({"Ti": {"Ti": 0.5, "Zr": 0.5}})
    other = Candidate(disordered, "test", "solid solution")
    problem = problem_of(rutile, Profile(crystallite_size=100.0), known_size=100.0)
    assert refine(problem, [other], simulator) == [other]
    assert refine(problem, [other, *candidates[-1:]], simulator, FitOptions(rounds=0))[-1] is other


def test_a_simulator_without_derivatives_is_refused(problem_of, candidates, rutile):
    problem = problem_of(rutile, Profile(gaussian_sigma=0.02))
    with pytest.raises(OptionError, match="needs a differentiable simulator; use --simulator powder"):
        refine(problem, candidates, ToySimulator())


def test_an_interrupted_refinement_hands_over_what_it_has(simulator, problem_of, candidates, rutile):
    class Interrupting:
        def track(self, items, description, total=None):
            yield next(iter(items))
            raise KeyboardInterrupt

    finished = []
    problem = problem_of(rutile, Profile(crystallite_size=100.0), known_size=100.0)
    workbench = Workbench(simulator, 0, Interrupting(), 1, finished.extend)
    with pytest.raises(KeyboardInterrupt):
        FitRefiner(QUICK).refine(problem, candidates, workbench)
    assert finished[0].origin == "rutile"
    assert finished[0].fit.residual < 0.2
