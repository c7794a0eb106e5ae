"""The slides' two cases and the other modifications, told apart by metrics of which one knows what they see."""

from __future__ import annotations

import numpy as np
import pytest

from xtal_core.progress import SilentProgress
from xtal_core.registry import installed_registry
from xtal_study.columns import Bench, ColumnStore, Measured
from xtal_study.sensitivity_cases import (
    CHEMISTRY,
    DESCRIPTION,
    EXPANSION,
    MIRRORED,
    MODIFICATIONS,
    NOISE,
    ONE_ATOM,
    ONE_AXIS,
    make_cases,
)
from xtal_study.sensitivity_study import find_equivalence, find_responses, measure_cases, size_of_response
from xtal_study.sources import Known
from xtal_study.views import Column


@pytest.fixture(scope="module")
def cases(dozen, chiral):
    known = [dozen[0], dozen[5], Known("quartz", "", chiral, "")]
    made, refusals = make_cases(known, 0, 1, SilentProgress())
    assert refusals == []
    return made


@pytest.fixture(scope="module")
def responses(cases):
    bench = Bench(installed_registry(), {}, None, 1, SilentProgress(), ColumnStore(None))
    measured = measure_cases([Column("pdd"), Column("structure-matcher")], cases, bench)
    return {one.name: {r.modification: r for r in find_responses(cases, one)} for one in measured}


def family(responses, name):
    return [response for response in responses.values() if response.family == name]


def test_every_structure_is_modified_in_every_way_that_has_a_meaning(cases):
    made = {name: {case.modification for case in cases if case.name == name} for name in {c.name for c in cases}}
    assert made["quartz"] == {modification.name for modification in MODIFICATIONS}
    assert made["rutile Ti"] == made["quartz"] - {"mirror image"}


def test_expansion_keeps_the_space_group_and_a_displaced_atom_breaks_it(cases):
    assert all(case.keeps_symmetry for case in cases if case.family in (EXPANSION, DESCRIPTION, CHEMISTRY))
    assert not any(case.keeps_symmetry for case in cases if case.family in (ONE_ATOM, NOISE))


def test_larger_displacements_continue_smaller_ones(cases):
    noisy = [case for case in cases if case.name == "quartz" and case.family == NOISE]
    directions = [(case.modified.cart_coords - case.original.cart_coords) / case.size for case in noisy]
    assert all(direction == pytest.approx(directions[0], abs=1e-6) for direction in directions)


def test_the_only_atom_of_a_cell_gets_a_neighbour_so_that_it_can_be_displaced(salt):
    alone = salt.copy()
    alone.remove_sites([1])
    made, _ = make_cases([Known("sodium", "", alone, "")], 0, 1, SilentProgress())
    assert {len(case.original) for case in made} == {2}
    assert {case.after.number for case in made if case.family == ONE_ATOM}.isdisjoint({225})


def test_the_same_seed_makes_the_same_cases(dozen):
    first, again, other = (make_cases([dozen[0]], seed, 1, SilentProgress())[0] for seed in (4, 4, 5))
    noisy = [next(c for c in cases if c.family == NOISE).modified.frac_coords for cases in (first, again, other)]
    assert noisy[0] == pytest.approx(noisy[1], abs=0)
    assert noisy[0] != pytest.approx(noisy[2])


def test_no_metric_sees_another_description_of_the_same_crystal(responses):
    for of_metric in responses.values():
        for response in family(of_metric, DESCRIPTION):
            assert (response.seen, response.same) == (0, response.structures)


def test_pdd_sees_expansion_more_than_a_small_displacement_and_structure_matcher_the_other_way_round(responses):
    pdd, matcher = responses["pdd"], responses["structure-matcher"]
    assert pdd["volume +2 %"].response > pdd["one atom by 0.01 Å"].response
    assert matcher["volume +2 %"].seen == 0
    assert matcher["one atom by 0.01 Å"].seen == matcher["one atom by 0.01 Å"].structures


def test_only_structure_matcher_sees_elements_and_none_of_both_the_hand(responses):
    assert family(responses["pdd"], CHEMISTRY)[0].seen == 0
    for response in family(responses["structure-matcher"], CHEMISTRY):
        assert response.no_match >= response.structures - 1  # rock salt with its elements exchanged is itself
    assert family(responses["pdd"], MIRRORED)[0].seen == 0


def test_a_uniform_expansion_moves_the_kth_neighbours_in_proportion(responses):
    pdd = responses["pdd"]
    assert pdd["volume +4 %"].median / pdd["volume +1 %"].median == pytest.approx(
        (1.04 ** (1 / 3) - 1) / (1.01 ** (1 / 3) - 1), rel=1e-3
    )


def test_responses_are_in_units_of_a_tenth_of_an_angstrom_of_noise(responses):
    assert responses["pdd"]["noise of 0.1 Å"].response == 1
    assert responses["pdd"]["unchanged"].response == 0


def test_expansion_is_equated_with_the_displacement_of_the_same_response(responses):
    pdd = list(responses["pdd"].values())
    equivalence = find_equivalence("pdd", pdd)
    target = responses["pdd"]["volume +1 %"].response
    sizes = [r.size for r in pdd if r.family == NOISE]
    heights = [r.response for r in pdd if r.family == NOISE]
    assert np.exp(np.interp(np.log(equivalence.noise), np.log(sizes), np.log(heights))) == pytest.approx(target)
    assert find_equivalence("structure-matcher", list(responses["structure-matcher"].values())).one_atom is None


def test_a_response_is_found_between_sizes_and_not_beyond_them():
    curve = [(0.01, 0.1), (0.1, 10.0)]
    assert size_of_response(curve, 1.0) == pytest.approx(np.sqrt(0.01 * 0.1))
    assert size_of_response(curve, 0.1) == pytest.approx(0.01)
    assert size_of_response(curve, 20.0) is None
    assert size_of_response([], 1.0) is None


def test_where_higher_is_more_alike_responses_still_are_distances(cases):
    values = np.array([1.0 - 0.5 * (case.size or 0) * (case.family == NOISE) for case in cases])
    similarity = Measured(Column("similarity"), "", "higher", 0.97, values, {})
    found = {response.modification: response for response in find_responses(cases, similarity)}
    assert found["noise of 0.1 Å"].response == pytest.approx(1)
    assert found["noise of 0.3 Å"].response == pytest.approx(3)
    assert found["noise of 0.1 Å"].median == pytest.approx(0.95)
    assert (found["noise of 0.1 Å"].same, found["noise of 0.03 Å"].same) == (0, 3)
    assert all(response.seen == 0 for response in family(found, ONE_AXIS))
