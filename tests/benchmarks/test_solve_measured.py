import pytest

from solve_measured import count_ranks, ranks_of, read_samples, result_page, space_group
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
            "origin": "CsCl type",
        },
        "candidates": 2,
        "ranks": {"match": 2, "strict": None},
        "seconds": 1.25,
    }
    unknown = salt | {"name": "IrO2", "points": None, "space_group": None, "first": None, "ranks": None}
    totals = {"match": count_ranks([2]), "strict": count_ranks([None])}
    return {
        "set": "xred",
        "totals": totals,
        "times": times,
        "making": making,
        "failures": {"IrO2": "no candidate was found"},
        "rows": [salt, unknown],
    }


def test_the_page_has_a_row_a_material(record):
    page = "".join(result_page(record))
    assert "| NaCl | NaCl | 700 | Fm-3m (225) | Pm-3m (221) | 1 NaCl | 0.1235 | 2 | – | 1.2 |" in page
    assert "| IrO2 | NaCl |  |  |  |  |  |  |  | 1.2 |" in page


def test_the_page_has_totals_and_failures(record):
    page = "".join(result_page(record))
    assert "| match | 1 | 0 | 1 | 1 |" in page
    assert "| strict | 1 | 0 | 0 | 0 |" in page
    assert "- IrO2: no candidate was found\n" in page


def test_a_set_without_published_structures_has_no_totals(record):
    record["totals"] = {"match": count_ranks([]), "strict": count_ranks([])}
    assert "True structure found" not in "".join(result_page(record | {"set": "nano"}))
