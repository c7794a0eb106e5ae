"""Pairs are of the kind they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from xtal_study import pairs as kinds
from xtal_study.pairs import KINDS, draw_pairs
from xtal_study.sources import Known


@pytest.fixture(scope="module")
def pair_set(dozen):
    candidate = Known("rutile Ti/01.cif", "rutile Ti", dozen[0].structure, dozen[0].type)
    return draw_pairs([*dozen, candidate], 8, seed=0)


def both(pair_set, kind):
    return [
        (pair_set.structures[pair.first], pair_set.structures[pair.second])
        for pair in pair_set.pairs
        if pair.kind == kind
    ]


def names(pair_set, kind):
    return [(pair_set.names[pair.first], pair_set.names[pair.second]) for pair in pair_set.pairs if pair.kind == kind]


def test_there_are_pairs_of_every_kind_but_not_more_than_asked_for(pair_set):
    assert all(1 <= pair_set.count(kind) <= 8 for kind in KINDS)


def test_no_pair_is_there_twice(pair_set):
    assert len({(pair.kind, pair.first, pair.second) for pair in pair_set.pairs}) == len(pair_set.pairs)


def test_a_candidate_is_paired_with_its_reference_only(pair_set):
    assert names(pair_set, kinds.CANDIDATE) == [("rutile Ti/01.cif", "rutile Ti")]
    assert sum("01.cif" in name for pair in names(pair_set, kinds.UNRELATED) for name in pair) == 0


def test_pairs_of_one_formula_are_all_found(pair_set):
    assert names(pair_set, kinds.SAME_FORMULA) == [("rutile Ti", "rutile Ti, other")]


def test_pairs_of_one_type_differ_in_formula(pair_set):
    for first, second in names(pair_set, kinds.SAME_TYPE):
        assert first.split()[0] == second.split()[0]
    for first, second in both(pair_set, kinds.SAME_TYPE):
        assert first.composition.reduced_formula != second.composition.reduced_formula


def test_pairs_of_one_stoichiometry_differ_in_type(pair_set):
    for first, second in names(pair_set, kinds.SAME_STOICHIOMETRY):
        assert {first.split()[0], second.split()[0]} == {"salt", "chloride"}


def test_unrelated_pairs_differ_in_stoichiometry(pair_set):
    for first, second in both(pair_set, kinds.UNRELATED):
        assert first.composition.anonymized_formula != second.composition.anonymized_formula


def test_copies_differ_from_their_structure_by_the_size_that_is_recorded(pair_set):
    for pair in pair_set.pairs:
        first, second = pair_set.structures[pair.first], pair_set.structures[pair.second]
        if pair.kind == kinds.EXPANDED:
            assert second.volume / first.volume == pytest.approx(1 + pair.size)
        if pair.kind == kinds.STRAINED:
            tensor = np.linalg.solve(first.lattice.matrix, second.lattice.matrix) - np.eye(3)
            assert np.linalg.norm(tensor) == pytest.approx(pair.size)
        if pair.kind == kinds.DISPLACED:
            moves = second.cart_coords - first.cart_coords
            root_mean_square = np.sqrt((moves**2).sum(axis=1).mean())
            assert root_mean_square == pytest.approx(pair.size * (first.volume / len(first)) ** (1 / 3))


def test_the_same_seed_draws_the_same_pairs(dozen, pair_set):
    again, other = (draw_pairs(dozen, 5, seed) for seed in (1, 2))
    assert draw_pairs(dozen, 5, 1).pairs == again.pairs
    assert other.pairs != again.pairs


def test_structures_without_anything_in_common_still_have_copies(dozen):
    lonely = draw_pairs([dozen[0]], 3, 0)
    assert {pair.kind for pair in lonely.pairs} == {
        kinds.DISPLACED,
        kinds.STRAINED,
        kinds.STRAINED_AND_DISPLACED,
        kinds.EXPANDED,
    }
