from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from xtal_prototype.assignment import decorations, orbit_scores, redistributions
from xtal_prototype.chemistry import substitution_score, substitution_scores
from xtal_prototype.template import Template, anonymous_key_of_atoms

OX, NA, MG, AL, CL, K, CA, TI, SR, ZR, BA = 8, 11, 12, 13, 17, 19, 20, 22, 38, 40, 56


def template(numbers, orbits, site_species=None):
    """Return a template in which only elements and orbits matter."""
    numbers = np.array(numbers)
    return Template(
        label="test",
        source="test",
        anonymous=anonymous_key_of_atoms(numbers),
        lattice=5 * np.eye(3),
        fractional=np.linspace(0, 0.9, 3 * len(numbers)).reshape(-1, 3),
        numbers=numbers,
        orbits=np.array(orbits),
        space_group=1,
        z_primitive=int(np.gcd.reduce(np.unique(numbers, return_counts=True)[1])),
        z_conventional=1,
        n_members=1,
        weight=1.0,
        site_species=site_species,
    )


PEROVSKITE = template([SR, TI, OX, OX, OX], [0, 1, 2, 2, 2])


def test_elements_go_where_similar_ones_were():
    best, second = decorations(PEROVSKITE, {CA: 1, ZR: 1, OX: 3}, 5)
    assert best.numbers.tolist() == [CA, ZR, OX, OX, OX]
    assert second.numbers.tolist() == [ZR, CA, OX, OX, OX]
    assert best.likeness > second.likeness


def test_likeness_is_the_mean_score_of_the_atoms():
    (best, _) = decorations(PEROVSKITE, {BA: 1, ZR: 1, OX: 3}, 2)
    pairs = [(SR, BA), (TI, ZR), (OX, OX), (OX, OX), (OX, OX)]
    assert best.likeness == pytest.approx(np.mean([substitution_score(old, new) for old, new in pairs]))


def test_all_assignments_are_considered_and_the_best_are_returned_in_order():
    spread = template([NA, MG, AL, CL], [0, 1, 2, 3])
    amounts = dict.fromkeys((K, CA, TI, OX), 1)
    by_hand = {
        choice: np.mean([substitution_score(old, new) for old, new in zip((NA, MG, AL, CL), choice, strict=True)])
        for choice in permutations(amounts)
    }
    found = decorations(spread, amounts, 24)
    assert {tuple(d.numbers.tolist()): pytest.approx(d.likeness) for d in found} == by_hand
    assert [d.likeness for d in found] == sorted(by_hand.values(), reverse=True)
    assert [d.numbers.tolist() for d in decorations(spread, amounts, 3)] == [d.numbers.tolist() for d in found[:3]]


def test_only_elements_of_the_same_amount_change_places():
    for decoration in decorations(PEROVSKITE, {OX: 1, NA: 1, CL: 3}, 10):
        assert decoration.numbers[2:].tolist() == [CL] * 3


def test_what_many_members_have_on_a_site_counts_more_than_what_few_have():
    table = template([NA, CL], [0, 1], ({NA: 1, CA: 100}, {CL: 9}))
    scores = orbit_scores(table)
    known = np.nan_to_num(substitution_scores(), nan=-5.0)
    np.testing.assert_allclose(scores[0], (known[NA] + 10 * known[CA]) / 11)
    np.testing.assert_allclose(scores[1], known[CL])


def test_redistributions_are_the_best_of_all_that_have_the_right_content():
    # Orbits of 1, 1, 2, 2 and 4 atoms in another composition than the one wanted.
    parent = template([MG, MG, AL, AL, TI, TI, OX, OX, OX, OX], [0, 1, 2, 2, 3, 3, 4, 4, 4, 4])
    content = {CA: 2, ZR: 4, OX: 4}
    sizes = [1, 1, 2, 2, 4]
    scores = orbit_scores(parent)
    by_hand = {}
    for choice in product(content, repeat=5):
        if all(sum(s for s, c in zip(sizes, choice, strict=True) if c == n) == content[n] for n in content):
            likeness = sum(
                size * scores[orbit, new] for orbit, (size, new) in enumerate(zip(sizes, choice, strict=True))
            )
            by_hand[choice] = likeness / 10
    best = sorted(by_hand.values(), reverse=True)
    found = redistributions(parent, content, 4)
    assert [d.likeness for d in found] == pytest.approx(best[:4])
    for decoration in found:
        assert dict(zip(*np.unique(decoration.numbers, return_counts=True), strict=True)) == content
        assert by_hand[tuple(decoration.numbers[[0, 1, 2, 4, 6]].tolist())] == pytest.approx(decoration.likeness)


def test_orbits_that_cannot_hold_the_content_have_no_redistribution():
    assert redistributions(template([NA, NA, CL, CL], [0, 0, 1, 1]), {NA: 1, CL: 3}, 5) == []
