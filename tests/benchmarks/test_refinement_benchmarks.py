"""The benchmarks of the refinement, run on very small tables."""

import json

import pytest
from pymatgen.core import Lattice, Structure

import recovery
import refinement_time
import uncertainties
from case_runs import problem_of
from data_sets import Material, write_materials
from recovery import refine_moved, with_trial
from refine_candidates import candidate_name, result_page, scored
from toys import rocksalt
from uncertainties import refine_draw, suitable
from xtal_crystalnet.crystal_systems import which_system


@pytest.fixture
def rutile():
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]]
    )


@pytest.fixture
def materials(rutile):
    salt = rocksalt(5.64).get_primitive_structure()
    return [Material("salt", salt.to(fmt="cif"), None), Material("rutile", rutile.to(fmt="cif"), None)]


@pytest.fixture
def validation_set(tmp_path, monkeypatch, materials):
    folder = tmp_path / "data" / "mp20"
    folder.mkdir(parents=True)
    write_materials(folder / "val.csv.gz", materials)
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))


def arguments(tmp_path, *more):
    return ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"), "--workers", "1", *more]


def test_a_moved_structure_is_refined_back_to_where_it_was(materials):
    trial = recovery.Trial(materials[1], 1, 100.0, 0.02, 0.1, keep_symmetry=True, seed=0)
    row = with_trial(refine_moved(trial), trial)
    assert row["start"]["displacement"] > 1e-3
    assert row["recovered"]
    assert row["end"]["displacement"] < 1e-5
    assert row["end"]["strain"] < 1e-6
    assert (row["system"], row["n_free"]) == ("tetragonal", 3)


@pytest.mark.usefixtures("validation_set")
def test_the_page_about_recovery_counts_by_kind_and_by_system(tmp_path):
    recovery.main(arguments(tmp_path, "--limit", "1"))
    page = (tmp_path / "out" / "recovery.md").read_text()
    assert "| 100 Å | 2% | 0.1 Å | 1 | 1 | 1.000 | 0.95: met |" in page
    assert "| cubic | 1.0 | 1/1 | 1/1 | 1/1 | 1/1 |" in page
    assert "\nNone.\n" in page
    rows = json.loads((tmp_path / "out" / "recovery.json").read_text())["rows"]
    assert [row["material_id"] for row in rows] == ["salt"] * 4


def test_what_was_not_recovered_is_listed_with_what_is_left():
    row = {"material_id": "mp-1", "formula": "NaCl", "n_atoms": 2, "space_group": "Fm-3m", "system": "cubic"}
    row |= {"n_free": 1, "size": 10.0, "strain_up_to": 0.05, "displacement_up_to": 0.2, "cpu_seconds": 1.0}
    row |= {"r2wp": 2e-9, "end": {"strain": 3e-3, "displacement": None}, "recovered": False, "error": None}
    making = {"command": "command", "xtal": "1", "python": "3", "packages": {}, "sources": "abc", "seed": 0}
    failed = row | {"material_id": "mp-2", "recovered": False, "error": "ValueError: no pattern"}
    for known in ("n_free", "cpu_seconds", "r2wp", "end"):
        del failed[known]
    page = recovery.result_page({"materials": 2, "p1": True, "making": making | {"workers": 2}, "rows": [row, failed]})
    assert "| mp-1 | NaCl | 2 | Fm-3m | 1 | 10 | 5% | 2.0e-09 | 3.0e-03 | no match |" in page
    assert "- mp-2, 10 Å, cell up to 5%: ValueError: no pattern" in page
    assert page.startswith("# Recovery: perturbed structures refined without symmetry\n")


def test_a_refinement_that_ends_with_an_error_counts_as_not_recovered(materials):
    trials = [recovery.Trial(material, i, 100.0, 0.02, 0.1, True, 0) for i, material in enumerate(materials)]
    good = {"recovered": True, "n_free": 3, "cpu_seconds": 1.0, "error": None}
    rows = [with_trial(row, t) for row, t in zip(({"error": "ValueError: no"}, good), trials, strict=True)]
    making = {"command": "command", "xtal": "1", "python": "3", "packages": {}, "sources": "abc", "seed": 0}
    page = recovery.result_page({"materials": 2, "p1": False, "making": making | {"workers": 2}, "rows": rows})
    assert "| 100 Å | 2% | 0.1 Å | 2 | 1 | 0.500 | 0.95: not met |" in page
    assert "| cubic |  | 0/1 |" in page
    assert "| tetragonal | 3.0 | 1/1 |" in page
    assert "- salt, 100 Å, cell up to 2%: ValueError: no" in page


@pytest.mark.parametrize(
    ("number", "system"),
    [
        (2, "triclinic"),
        (15, "monoclinic"),
        (16, "orthorhombic"),
        (136, "tetragonal"),
        (143, "trigonal"),
        (194, "hexagonal"),
        (195, "cubic"),
    ],
)
def test_crystal_systems_follow_from_the_numbers_of_space_groups(number, system):
    assert which_system(number) == system


def test_uncertainties_are_tried_on_structures_with_free_positions(materials):
    assert [material.material_id for material in suitable(materials)] == ["rutile"]


def test_a_noisy_refinement_errs_by_about_as_much_as_it_says(materials):
    row = refine_draw(uncertainties.Draw(materials[1], 0, 0, 0))
    assert not row["wrong"]
    assert row["chi_squared"] == pytest.approx(1, abs=0.1)
    assert len(row["pulls"]["lattice parameters"]) == 2
    assert len(row["pulls"]["positions"]) == 1
    assert max(abs(pull) for pulls in row["pulls"].values() for pull in pulls) < 5
    assert "b_iso" in row["profile"]


@pytest.mark.usefixtures("validation_set")
def test_the_page_about_uncertainties_has_the_spread_of_the_pulls(tmp_path):
    uncertainties.main(arguments(tmp_path, "--draws", "2"))
    page = (tmp_path / "out" / "uncertainties.md").read_text()
    assert "2 refinements of 1 structures" in page
    assert "| positions | 2 |" in page
    assert "| tetragonal | 2 |" in page


def test_the_candidate_that_is_best_after_refinement_is_traced_to_where_it_came_from():
    row = {"material_id": "mp-1", "size": 10.0, "candidates": 3, "sources": [2, 3], "error": None}
    before = dict(zip((candidate_name("mp-1", n) for n in (1, 2, 3)), (0.5, 0.9, 0.7), strict=True))
    after = dict(zip((candidate_name("mp-1", n) for n in (1, 2)), (0.2, 0.1), strict=True))
    result = scored(row, {(10.0, "before"): before, (10.0, "after"): after})
    assert (result["before_of_best"], result["after_of_best"]) == (0.7, 0.1)


def test_the_page_about_candidates_has_means_beside_the_published_ones():
    row = {"material_id": "mp-1", "formula": "NaCl", "n_atoms": 8, "size": 10.0, "cpu_seconds": 2.0, "error": None}
    rows = [row | {"before": [0.5], "after": [x], "before_of_best": 0.5, "after_of_best": x} for x in (0.0, 0.5)]
    making = {"command": "command", "xtal": "1", "python": "3", "packages": {}, "sources": "abc", "seed": 0}
    page = result_page({"materials": 2, "library": "none", "making": making, "rows": rows})
    assert "| 10 | 2 | 1.0 | 0.500 | 0.2500 | 0.2500 | 0.2500 | 1 | 0.03: not met | 0.132 | 2.0 |" in page
    assert "| mp-1 | NaCl | 8 | 1 | 1 | 0.500 |" in page
    assert "exchanges\nelements" in page
    assert "## 100 Å" not in page


def test_time_is_taken_of_cells_of_one_size(materials, monkeypatch):
    monkeypatch.setattr(refinement_time, "ATOMS", 6)
    assert [material.material_id for material in refinement_time.of_size(materials, 5)] == ["rutile"]


def test_the_candidates_that_time_is_taken_of_have_one_size(toy_plan, salt_case, toy_tools, monkeypatch):
    monkeypatch.setattr(refinement_time, "gather_tools", lambda *_: toy_tools())
    for atoms, formula in ((2, "CsCl type"), (8, "rock salt")):
        monkeypatch.setattr(refinement_time, "ATOMS", atoms)
        candidates = refinement_time.ten_of_size(problem_of(salt_case()), toy_plan())
        assert [candidate.origin for candidate in candidates] == [formula]
        assert candidates[0].fit is None


def test_the_page_about_time_has_means_and_the_slowest():
    row = {"material_id": "mp-1", "formula": "NaCl", "candidates": 10, "atoms": 20, "best_r2wp": 1e-4}
    rows = [row | {"pattern": kind, "seconds": t} for kind, t in (("100 Å", 3.0), ("100 Å", 5.0), ("10 Å", 9.0))]
    making = {"command": "command", "xtal": "1", "python": "3", "packages": {}, "sources": "abc", "seed": 0}
    machine = {"processor": "a processor", "cores": 2}
    page = refinement_time.result_page(
        {"structures": 2, "cores": 2, "library": "none", "machine": machine, "making": making, "rows": rows}
    )
    assert "| mp-1 | NaCl | 10 Å | 10 | 20 | 1.0e-04 | 9.0 |" in page
    assert "at most 20 s: met." in page
    assert "Means: 100 Å 4.0 s, 10 Å 9.0 s. The slowest took 9.0 s." in page
