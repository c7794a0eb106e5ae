from structure_ranks import count_ranks, first_match, ranks_of
from toys import caesium_chloride_type, rocksalt


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


def test_what_is_no_structure_keeps_its_place():
    assert first_match(rocksalt(5.64), [None, caesium_chloride_type(3.5), rocksalt(5.7)]) == 3
    assert first_match(rocksalt(5.64), []) is None
