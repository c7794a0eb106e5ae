"""What the RMS displacement promises for any crystal; the triangle inequality is not part of it."""

import numpy as np
import pytest
from hypothesis import given

from random_crystals import DESCRIPTIONS, crystal, displaced, name_of, quick, seeds
from xtal_structure_matcher.metric import StructureMatcherMetric
from xtal_structure_matcher.plugin import StructureMatcherOptions

METRIC = StructureMatcherMetric(StructureMatcherOptions())

#: pymatgen is content with the first match that is below this.
FOUND = 1e-5


def value(first, second):
    return METRIC.compare(METRIC.featurise([first]), METRIC.featurise([second]))[0, 0]


def salt(seed):
    return crystal(seed, ("Na", "Cl"), 4)


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=name_of)
@quick
@given(seeds)
def test_a_crystal_matches_its_other_descriptions(description, seed):
    same = description(salt(seed), np.random.default_rng(seed))
    assert value(salt(seed), same) < FOUND
    assert value(same, salt(seed)) < FOUND


@quick
@given(seeds, seeds)
def test_swapping_the_structures_changes_nothing_well_inside_the_tolerances(a, b):
    one, other = salt(a), displaced(salt(a), 0.05, b)
    assert value(one, other) == pytest.approx(value(other, one), abs=1e-4)


@quick
@given(seeds, seeds)
def test_a_match_is_no_farther_than_the_atoms_were_moved(a, b):
    """Nearer, since the matcher shifts the whole crystal to fit best and may pair other sites."""
    structure = salt(a)
    length = (structure.volume / len(structure)) ** (1 / 3)
    assert value(structure, displaced(structure, 0.05, b)) <= 0.05 / length + 1e-6
