import numpy as np
import pytest

from xtal_core.errors import StructureError
from xtal_prototype.atomic_volumes import element_volumes
from xtal_prototype.chemistry import substitution_score, substitution_scores
from xtal_prototype.substitution_fit import fit_substitutions, write_substitutions

OXYGEN, NA, CL, K, BR, TI, ZR, FE = 8, 11, 17, 19, 35, 22, 40, 26


@pytest.mark.parametrize(
    ("on_template", "better", "worse"),
    [(CL, BR, NA), (NA, K, CL), (TI, ZR, OXYGEN), (57, 58, 8), (FE, 27, 55), (9, 17, 26)],
)
def test_chemically_similar_elements_replace_each_other(on_template, better, worse):
    assert substitution_score(on_template, better) > 0.5
    assert substitution_score(on_template, worse) < -0.5


def test_scores_are_symmetric_and_keeping_the_element_is_best():
    scores = substitution_scores()
    known = np.flatnonzero(~np.isnan(scores.diagonal()))
    table = scores[np.ix_(known, known)]
    assert np.array_equal(table, table.T)
    assert np.array_equal(table.diagonal(), table.max(axis=1))


def test_an_unknown_element_is_an_error():
    with pytest.raises(StructureError, match="118"):
        substitution_score(NA, 118)


def test_pairs_seen_together_score_above_chance_and_pairs_never_seen_below():
    slots = [{NA: 10, K: 10}, {CL: 10, BR: 10}] * 30
    numbers, scores = fit_substitutions(slots, {z: element_volumes()[z] for z in (NA, CL, K, BR, TI)})
    at = {number: index for index, number in enumerate(numbers)}
    assert scores[at[NA], at[K]] > 0.5 > 0 > scores[at[NA], at[CL]]
    assert scores[at[CL], at[BR]] > 0.5


def test_a_written_table_is_what_was_fitted(tmp_path):
    numbers, scores = fit_substitutions(
        [{NA: 3, K: 2}, {CL: 4, BR: 1}], {z: element_volumes()[z] for z in (NA, CL, K, BR)}
    )
    write_substitutions(tmp_path / "table.npz", numbers, scores)
    with np.load(tmp_path / "table.npz") as table:
        assert table["numbers"].tolist() == numbers
        assert table["scores"] == pytest.approx(scores, abs=2e-3)
