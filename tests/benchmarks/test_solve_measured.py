import numpy as np
import pytest
from scipy.special import voigt_profile

from solve_measured import (
    Sample,
    count_ranks,
    known_structure,
    lattice_like,
    lattice_record,
    ranks_of,
    read_samples,
    result_page,
    size_from_widths,
    space_group,
)
from toys import caesium_chloride_type, rocksalt
from xtal_core.errors import InputError

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


def test_the_rank_is_that_of_the_first_candidate_that_matches(tmp_path):
    for name, structure in (
        ("01", caesium_chloride_type(3.5)),
        ("02", rocksalt(5.7).get_primitive_structure()),
        ("03", rocksalt(5.64)),
    ):
        structure.to(str(tmp_path / f"{name}.cif"))
    truth = rocksalt(5.64)
    truth.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert ranks_of(truth, sorted(tmp_path.glob("*.cif"))) == {"match": 2, "strict": 2}
    assert ranks_of(caesium_chloride_type(3.5, "K"), sorted(tmp_path.glob("*.cif"))) == {"match": None, "strict": None}


def test_a_candidate_that_cannot_be_read_keeps_its_rank_and_is_no_match(tmp_path):
    (tmp_path / "01.cif").write_text("data_nothing\n")
    rocksalt(5.64).to(str(tmp_path / "02.cif"))
    assert ranks_of(rocksalt(5.64), sorted(tmp_path.glob("*.cif")))["match"] == 2


def test_ranks_are_counted_within_one_three_and_ten():
    assert count_ranks([1, 3, None, 1, 7]) == {"n": 5, "first": 2, "in three": 3, "in ten": 4}


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


@pytest.mark.parametrize(("sigma", "hwhm"), [(0.1, 0.05), (0.1, 0.0), (0.0, 0.05), (0.02, 0.3)])
def test_the_size_follows_from_the_area_of_a_peak_over_its_height(sigma, hwhm):
    profile = {"crystallite_size": None, "gaussian_sigma": sigma, "lorentzian_hwhm": hwhm}
    height = voigt_profile(0.0, sigma, hwhm)
    assert size_from_widths(profile) == pytest.approx(2 * np.pi * height, rel=1e-10)


def test_a_size_that_was_refined_is_taken_and_none_made_up():
    profile = {"crystallite_size": 30.0, "gaussian_sigma": 0.1, "lorentzian_hwhm": 0.0}
    assert size_from_widths(profile) == 30.0
    assert size_from_widths({"crystallite_size": None, "gaussian_sigma": 0.0, "lorentzian_hwhm": 0.0}) is None


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
            "origin": "CsCl type",
        },
        "verdict": {"word": "ambiguous", "probability": 0.634, "rivals": [2]},
        "lattice": {"published": [5.64] * 3 + [90.0] * 3, "refined": [5.65] * 3 + [90.0] * 3, "deviation": 0.00177},
        "candidates": 2,
        "ranks": {"match": 2, "strict": None},
        "seconds": 1.25,
    }
    unknown = salt | {"name": "IrO2", "points": None, "space_group": None, "first": None, "ranks": None}
    unknown |= {"verdict": None, "lattice": None}
    totals = {"match": count_ranks([2]), "strict": count_ranks([None])}
    return {
        "set": "xred",
        "new": False,
        "totals": totals,
        "times": times,
        "making": making,
        "failures": {"IrO2": "no candidate was found"},
        "rows": [salt, unknown],
    }


def test_the_page_has_a_row_a_material(record):
    page = "".join(result_page(record))
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


def test_a_run_as_if_compounds_were_new_says_so(record):
    page = "".join(result_page(record | {"new": True}))
    assert page.startswith("# xred: measured patterns, compounds as if new, ")
    assert "| aim |  | 8 |  |  |" in page
    assert "sketch" not in page
