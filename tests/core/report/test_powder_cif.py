"""What is written as powder CIF is read again, by xtal's own reader and by gemmi."""

from __future__ import annotations

from dataclasses import replace

import gemmi
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from toys import salt_problem
from xtal_core.candidate import Candidate, RankedCandidate
from xtal_core.pattern import Pattern, Radiation
from xtal_core.pipeline import solve
from xtal_core.preparation import prepare
from xtal_core.ranking import space_group
from xtal_core.readers import read_pattern, read_structure
from xtal_core.reflection_table import ReflectionTable
from xtal_core.report import crystal_files
from xtal_core.report.powder_cif import powder_cif
from xtal_core.report.reflection_families import families


@pytest.fixture(scope="module")
def make(request):
    """Return a function that solves rock salt with a changed pattern, and writes it."""
    tools = request.getfixturevalue("toy_tools")()

    def written(**changes):
        problem = salt_problem()
        pattern = replace(problem.pattern, **changes)
        solution = solve(replace(problem, pattern=pattern), tools)
        return solution, powder_cif(solution, crystal_files(solution.ranked))

    return written


def read_again(text, tmp_path):
    path = tmp_path / "pattern.cif"
    path.write_text(text, encoding="ascii")
    return read_pattern(path), read_structure(path)


@pytest.mark.parametrize("kind", ["plain", "counts", "with uncertainties", "doublet"])
def test_our_own_reader_gets_the_pattern_and_the_structure_back(make, tmp_path, kind):
    made = salt_problem().pattern
    changes = {
        "plain": {},
        "counts": {"intensity": np.random.default_rng(1).poisson(made.intensity).astype(float)},
        "with uncertainties": {"uncertainty": np.sqrt(made.intensity)},
        "doublet": {"radiation": Radiation.from_line("CuKa")},
    }[kind]
    solution, text = make(**changes)
    pattern, structure = read_again(text, tmp_path)
    original, first = solution.problem.pattern, solution.ranked[0].candidate
    np.testing.assert_allclose(pattern.q, original.q, rtol=1e-7)
    np.testing.assert_allclose(pattern.intensity, original.intensity, rtol=1e-7)
    np.testing.assert_allclose(pattern.background, first.fit.background, rtol=1e-6)
    assert pattern.radiation == original.radiation
    assert structure.matches(first.structure, scale=False)
    if original.uncertainty is None:
        assert pattern.uncertainty is None
    else:
        np.testing.assert_allclose(pattern.uncertainty, original.uncertainty, rtol=1e-7)
    counts = kind == "counts"
    assert ("_pd_meas_counts_total" in text, "_pd_meas_intensity_total" in text) == (counts, not counts)


def test_gemmi_gets_the_fit_the_weights_and_the_factors(make):
    made = salt_problem().pattern
    excluded = prepare(made, [(30.0, 35.0)]).excluded
    solution, text = make(excluded=excluded, uncertainty=np.sqrt(made.intensity))
    block = gemmi.cif.read_string(text).sole_block()
    fit, factors = solution.ranked[0].candidate.fit, solution.ranked[0].agreement

    def column(name):
        return np.array([gemmi.cif.as_number(value) for value in block.find_values(name)])

    np.testing.assert_allclose(column("_pd_calc_intensity_total"), fit.calculated, rtol=1e-6)
    np.testing.assert_allclose(column("_pd_proc_ls_weight"), ~excluded / made.intensity, rtol=1e-6)
    assert float(block.find_value("_pd_proc_ls_prof_wR_factor")) == pytest.approx(factors.rwp, abs=1e-5)
    assert float(block.find_value("_pd_proc_ls_prof_R_factor")) == pytest.approx(factors.rp, abs=1e-5)
    assert float(block.find_value("_pd_proc_ls_prof_wR_expected")) == pytest.approx(factors.rexp, abs=1e-5)
    assert "2theta 30.0" in gemmi.cif.as_string(block.find_value("_pd_proc_info_excluded_regions"))
    crystal = gemmi.make_small_structure_from_block(block)
    assert (crystal.spacegroup_hm, len(crystal.sites)) == ("Fm-3m", 2)


def test_a_blank_is_told_of(make):
    made = salt_problem().pattern
    hump = 100 * np.exp(-((made.q - 2.4) ** 2) / 0.05)
    solution, text = make(blank=hump, intensity=made.intensity + 0.5 * hump)
    scale = solution.ranked[0].candidate.fit.blank_scale
    assert scale == pytest.approx(0.5, abs=0.05)
    assert f"a measured blank times {scale:.6g}" in text


def test_without_a_fitted_candidate_there_is_no_file(make):
    solution, _ = make()
    assert powder_cif(replace(solution, ranked=()), []) is None


def test_equivalent_reflections_are_one_line_in_the_setting_of_the_file(make):
    """Of rhombohedral corundum, written in the hexagonal cell."""
    sites = [[0, 0, 0.352], [0.306, 0, 0.25]]
    hexagonal = Structure.from_spacegroup(167, Lattice.hexagonal(4.76, 12.99), ["Al", "O"], sites)
    primitive = hexagonal.get_primitive_structure()
    table = full_table(primitive, 3.0)
    solution, _ = make()
    ranked = RankedCandidate(
        1, Candidate(primitive, "toy", fit=solution.ranked[0].candidate.fit), 0.0, space_group(primitive)
    )
    files = crystal_files([ranked])
    found = families(table, files[0].setting)
    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(files[0].text).sole_block())
    np.testing.assert_allclose(crystal.cell.calculate_d_array(found.hkl), found.d, rtol=1e-6)
    crystal.change_occupancies_to_crystallographic()
    calculator = gemmi.StructureFactorCalculatorX(crystal.cell)
    group = gemmi.find_spacegroup_by_name("R -3 c:H")
    for hkl, multiplicity, squared in zip(
        found.hkl.tolist(), found.multiplicity, found.squared_structure_factor, strict=True
    ):
        # What pymatgen's form factors give is within a few per cent of gemmi's.
        assert abs(calculator.calculate_sf_from_small_structure(crystal, hkl)) ** 2 == pytest.approx(
            squared, rel=0.1, abs=20
        )
        assert not group.operations().is_systematically_absent(hkl)
        orbit = {tuple(op.apply_to_hkl(hkl)) for op in group.operations().sym_ops}
        assert multiplicity == len(orbit | {tuple(-i for i in image) for image in orbit})
    assert len({tuple(hkl) for hkl in found.hkl.tolist()}) == len(found.hkl)
    there = table.squared_structure_factor > 1e-6 * table.squared_structure_factor.max()
    assert found.multiplicity.sum() == 2 * there.sum()
    assert found.calculated.sum() == pytest.approx(table.calculated[there].sum())


def full_table(structure, q_max):
    """Return all reflections of `structure` up to `q_max` Å⁻¹, one of each pair, with intensities of 1."""
    from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS

    indices = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), -1).reshape(-1, 3)
    indices = indices[[tuple(hkl) > (0, 0, 0) for hkl in indices.tolist()]]
    q = 2 * np.pi * np.linalg.norm(indices @ np.linalg.inv(structure.lattice.matrix).T, axis=1)
    indices, q = indices[q < q_max], q[q < q_max]
    phases = np.exp(2j * np.pi * indices @ structure.frac_coords.T)
    s2 = (q / (4 * np.pi)) ** 2
    total = 0
    for site, phase in zip(structure, phases.T, strict=True):
        a, b = np.array(ATOMIC_SCATTERING_PARAMS[site.specie.symbol]).T
        factor = site.specie.Z - 41.78214 * s2 * np.sum(a * np.exp(-b * s2[:, None]), axis=1)
        total = total + factor * phase
    ones = np.ones(len(q))
    return ReflectionTable(indices, 2 * np.pi / q, ones, np.abs(total) ** 2, ones, ones)


def test_patterns_over_q_are_written_over_the_angle_of_their_radiation(make, tmp_path):
    q = np.linspace(1.2, 5.0, 700)
    made = salt_problem().pattern
    moved = Pattern(q, np.interp(q, made.q, made.intensity), Radiation.monochromatic(1.2))
    solution, text = make(q=moved.q, intensity=moved.intensity, radiation=moved.radiation)
    pattern, _ = read_again(text, tmp_path)
    np.testing.assert_allclose(pattern.q, q, rtol=1e-7)
    assert pattern.radiation.wavelengths == solution.problem.pattern.radiation.wavelengths
