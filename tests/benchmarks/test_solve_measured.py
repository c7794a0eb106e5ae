from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from case_runs import RunFolder, solve_case
from measured_page import result_page
from solution_run import SolutionRun
from solve_measured import (
    Sample,
    geometry,
    known_structure,
    lattice_like,
    lattice_record,
    misses,
    oxygen_x,
    read_samples,
    sample_row,
    space_group,
    usual_library,
)
from structure_ranks import count_ranks
from toys import caesium_chloride_type, rocksalt
from xtal_core.errors import InputError

TOYS = Path(__file__).resolve().parents[1] / "toys" / "distribution"

INDEX = "pattern,structure,formula\nxred/NaCl.csv,xred/NaCl.cif,NaCl\nnano/IrO2.xy,,IrO2\n"


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "index.csv"
    path.write_text(INDEX)
    return path


def test_a_set_is_its_rows_of_the_index(index, tmp_path):
    (salt,) = read_samples(index, "xred")
    assert (salt.name, salt.formula) == ("NaCl", "NaCl")
    assert salt.pattern == tmp_path / "xred" / "NaCl.csv"
    assert salt.structure == tmp_path / "xred" / "NaCl.cif"
    assert read_samples(index, "nano")[0].structure is None


def test_a_set_that_is_not_listed_is_refused(index):
    with pytest.raises(InputError, match="lists no pattern of rruff"):
        read_samples(index, "rruff")


def test_a_lattice_is_compared_in_the_published_setting():
    published = rocksalt(5.64).lattice
    found = lattice_like(published, rocksalt(5.65).get_primitive_structure().lattice)
    assert found.parameters == pytest.approx([5.65] * 3 + [90.0] * 3)
    assert lattice_like(published, caesium_chloride_type(3.5).lattice) is None


def test_the_lattice_is_that_of_the_candidate_that_matches(tmp_path):
    rocksalt(5.7).to(str(tmp_path / "01.cif"))
    record = lattice_record(rocksalt(5.64), [tmp_path / "01.cif"], 1)
    assert record["deviation"] == pytest.approx(5.7 / 5.64 - 1, rel=1e-4)
    assert lattice_record(rocksalt(5.64), [tmp_path / "01.cif"], None) is None


def rutile(x):
    return Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.5, 3.15), ["Ir", "O"], [[0, 0, 0], [x, x, 0]])


@pytest.mark.parametrize("x", [0.142, 0.31])
def test_the_place_of_oxygen_is_read_off_in_whatever_cell(x):
    shifted = rutile(x)
    shifted.translate_sites(range(6), [0.1, 0.2, 0.3])
    assert oxygen_x(shifted) == pytest.approx(x, abs=1e-6)
    assert oxygen_x(rocksalt(4.2, "Ni", "O")) is None


def test_the_shortest_contact_names_its_elements():
    found = geometry(rutile(0.142))
    assert (found["elements"], found["contact"]) == ("Ir–O", pytest.approx(0.142 * 4.5 * 2**0.5))
    assert geometry(None) is None


def test_every_set_has_its_usual_library():
    assert usual_library("xred", new=False) == "train"
    others = [("rruff", False), ("nano", False), ("xred", True), ("rruff", True), ("nano", True)]
    assert {usual_library(name, new=new) for name, new in others} == {"known"}


@pytest.fixture
def solved_salt(tmp_path, toy_plan, toy_tools, salt_case):
    """Return the run of rock salt by the toys, and its sample, with a published structure of a cell edge in Å."""

    def make(truth, **settings):
        truth.to(str(tmp_path / "truth.cif"))
        case = salt_case("salt")
        sample = Sample("salt", "NaCl", case.pattern, tmp_path / "truth.cif")
        folder = RunFolder(tmp_path / "run")
        folder.open({})
        outcome = solve_case(case, toy_tools(**settings), folder)
        run = SolutionRun("solve_xred", folder, {"salt": outcome}, toy_plan(**settings), {}, {})
        return sample, case, run

    return make


def test_a_structure_that_is_first_is_no_miss(solved_salt):
    sample, case, run = solved_salt(rocksalt(5.64))
    row = sample_row(sample, run)
    assert row["ranks"] == {"match": 1, "strict": 1}
    assert misses([sample], [case], [row], run, 1) == {}


def test_a_structure_that_is_listed_is_put_beside_the_first(solved_salt):
    sample, case, run = solved_salt(caesium_chloride_type(3.5))
    found = misses([sample], [case], [sample_row(sample, run)], run, 1)
    first, second = run.outcomes["salt"].candidates
    assert found == {
        "salt": {
            "rank": 2,
            "r2wp": second["r2wp"],
            "merit": second["merit"],
            "first_r2wp": first["r2wp"],
            "first_merit": first["merit"],
        }
    }


def test_a_structure_that_is_not_listed_is_looked_for_among_the_proposals(solved_salt, monkeypatch):
    sample, case, run = solved_salt(rocksalt(5.64, "Na", "F"))
    monkeypatch.syspath_prepend(str(TOYS))  # inherited by the worker, who sees the toys installed
    found = misses([sample], [case], [sample_row(sample, run)], run, 1)
    first = run.outcomes["salt"].candidates[0]
    assert found["salt"] == {
        "rank": None,
        "proposals": 3,
        "place": None,
        "r2wp": None,
        "merit": None,
        "first_r2wp": first["r2wp"],
        "first_merit": first["merit"],
        "error": None,
    }


def test_nanoparticles_without_a_published_structure_are_compared_with_their_type(tmp_path):
    iridium_dioxide = known_structure(Sample("IrO2", "IrO2", tmp_path / "IrO2.xy", None))
    assert space_group(iridium_dioxide)["number"] == 136
    assert known_structure(Sample("other", "NaCl", tmp_path / "other.xy", None)) is None


def test_the_space_group_of_a_published_structure_is_found():
    assert space_group(rocksalt(5.64)) == {"symbol": "Fm-3m", "number": 225}


@pytest.fixture
def record(making, times):
    salt = {
        "name": "NaCl",
        "formula": "NaCl",
        "points": 700,
        "space_group": {"symbol": "Fm-3m", "number": 225},
        "first": {
            "space_group": {"symbol": "Pm-3m", "number": 221},
            "formula": "NaCl",
            "z": 1,
            "r2wp": 0.123456,
            "rwp": 0.0789,
            "size": 312.4,
            "size_uncertainty": 9.6,
            "origin": "CsCl type",
        },
        "geometry": {"contact": 0.9, "elements": "Ir–O", "oxygen_x": 0.142},
        "verdict": {"word": "ambiguous", "probability": 0.634, "rivals": [2]},
        "lattice": {"published": [5.64] * 3 + [90.0] * 3, "refined": [5.65] * 3 + [90.0] * 3, "deviation": 0.00177},
        "candidates": 2,
        "ranks": {"match": 2, "strict": None},
        "seconds": 1.25,
    }
    unknown = salt | {"name": "IrO2", "points": None, "space_group": None, "first": None, "ranks": None}
    unknown |= {"verdict": None, "lattice": None, "geometry": None}
    totals = {"match": count_ranks([2]), "strict": count_ranks([None])}
    return {
        "set": "xred",
        "new": False,
        "totals": totals,
        "times": times,
        "making": making,
        "failures": {"IrO2": "no candidate was found"},
        "misses": {},
        "rows": [salt, unknown],
    }


def test_the_page_has_a_row_a_material(record):
    page = "".join(result_page(record))
    assert "| ambiguous | 1 | 0.63 | 0 |" in page
    assert "| all | 1 | 0.63 | 0 |" in page
    assert "| NaCl | NaCl | 700 | Fm-3m (225) | Pm-3m (221) | 1 NaCl | 0.1235 | 7.9% | 312 | " in page
    assert "| ambiguous | 0.63 | 2 | – | 1.2 |" in page
    assert "| IrO2 | NaCl |  |  |  |  |  |  |  |  |  |  |  | 1.2 |" in page


def test_the_page_has_totals_and_failures(record):
    page = "".join(result_page(record))
    assert "| match | 1 | 0 | 1 | 1 |" in page
    assert "| strict | 1 | 0 | 0 | 0 |" in page
    assert "- IrO2: no candidate was found\n" in page


def test_a_set_without_published_structures_has_no_totals(record):
    record["totals"] = {"match": count_ranks([]), "strict": count_ranks([])}
    assert "True structure found" not in "".join(result_page(record | {"set": "nano"}))


def test_lattice_parameters_are_shown_where_published_ones_are_measured(record):
    assert "| NaCl | 5.64 5.64 5.64 90 90 90 | 5.6500 5.6500 5.6500" in "".join(result_page(record))
    assert "Lattice parameters" not in "".join(result_page(record | {"set": "rruff"}))


def test_the_aim_for_lattice_parameters_is_met_or_not(record):
    zirconium, alumina, sulfate = ({**record["rows"][0], "name": name} for name in ("Zr", "Al2O3", "PbSO4"))
    alumina["lattice"] = alumina["lattice"] | {"deviation": 0.01}
    sulfate["lattice"] = None
    page = "".join(result_page(record | {"rows": [zirconium, alumina, sulfate]}))
    assert "| 0.177% | 0.2%: met |" in page
    assert "| 1.000% | 0.2%: not met |" in page
    assert "No candidate matches PbSO4: the aim is not met there." in page


def test_the_page_says_how_far_each_missed_structure_came(record):
    known = {"r2wp": 0.031, "merit": -4.5, "first_r2wp": 0.012, "first_merit": -6.25}
    unknown = known | {"r2wp": None, "merit": None, "rank": None, "proposals": 187, "error": None}
    origin = {"place": 12, "origin": "zincblende", "r2wp": 0.5, "merit": -1.0}
    misses = {
        "ranked": known | {"rank": 5},
        "lost": unknown | origin | {"still": True},
        "moved": unknown | origin | {"still": False},
        "absent": unknown | {"place": None},
        "broken": {"r2wp": None, "merit": None, "first_r2wp": None, "first_merit": None, "error": "ValueError: no"},
    }
    page = "".join(result_page(record | {"misses": misses}))
    assert "| ranked | rank 5 | 0.0310 | -4.50 | 0.0120 | -6.25 |" in page
    assert "| lost | proposed (12 of 187: zincblende), not among those listed | 0.5000 | -1.00 | 0.0120 |" in page
    assert "| moved | proposed (12 of 187: zincblende), not among those listed; refined by itself it became" in page
    assert "| absent | not proposed (among 187 proposals) |  |  | 0.0120 | -6.25 |" in page
    assert "| broken | not followed: ValueError: no |" in page
    assert "Where it fails" not in "".join(result_page(record))


def test_nanoparticles_are_shown_with_what_makes_them_sound_crystals(record):
    page = "".join(result_page(record | {"set": "nano"}))
    assert "| NaCl | 0.90 Ir–O | 0.142 | 312 ± 10 |  |" in page
    assert "x of oxygen" not in "".join(result_page(record))


def test_a_run_as_if_compounds_were_new_says_so(record):
    page = "".join(result_page(record | {"new": True}))
    assert page.startswith("# xred: measured patterns, compounds as if new, ")
    assert "The aim is at least 8 first (match): 0 of 1, **not met**." in page
    assert "No structure of the formula itself is used" in page
    assert "sketch" not in page
