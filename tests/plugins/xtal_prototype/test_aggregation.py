import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xtal_prototype.aggregation import aggregate, as_reference, symmetrise_coordinates, symmetrise_lattice
from xtal_prototype.alignment import Tolerance, align
from xtal_prototype.atomic_volumes import expected_volume
from xtal_prototype.standard_cell import standardise

WIDE = Tolerance(length=0.2, angle=5.0, rms=0.2)


def rutile_type(metal, anion, a, c, x):
    return Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(a, c), [metal, anion], [[0, 0, 0], [x, x, 0]])


MEMBERS = [
    rutile_type("Ti", "O", 4.594, 2.959, 0.3053),
    rutile_type("Sn", "O", 4.737, 3.186, 0.3070),
    rutile_type("Mg", "F", 4.621, 3.052, 0.3029),
    rutile_type("Zn", "F", 4.703, 3.134, 0.3030),
    rutile_type("Pb", "O", 4.955, 3.383, 0.3090),
]


def standard(structure):
    return standardise(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)


def entry_of(members):
    reference = standard(members[0])
    alignments = [align(reference, standard(member), WIDE) for member in members]
    return aggregate(reference, alignments, [member.reduced_formula for member in members], "AB2_tP6_136_a_f")


def free_coordinate(entry):
    """x of the anion; its sites are (x, x, 0), (1/2 - x, 1/2 + x, 1/2) and so on."""
    anions = entry.fractional[np.bincount(entry.species)[entry.species] == 4]
    return 0.5 - np.min(anions[:, 0])


def test_the_middle_of_the_members_is_taken():
    entry = entry_of(MEMBERS)
    lengths = np.linalg.norm(entry.lattice, axis=1)
    # Interquartile mean of five: the three in the middle.
    assert lengths.min() / lengths.max() == pytest.approx(np.mean([0.6664, 0.6605, 0.6726]), abs=2e-3)
    assert free_coordinate(entry) == pytest.approx(np.mean([0.3053, 0.3070, 0.3030]), abs=1e-6)
    assert abs(np.linalg.det(entry.lattice)) == pytest.approx(1)


def test_one_member_far_away_does_not_pull():
    outlier = rutile_type("Ge", "O", 4.4, 2.9, 0.33)
    assert abs(free_coordinate(entry_of([*MEMBERS, outlier])) - free_coordinate(entry_of(MEMBERS))) < 1.5e-3


def test_several_entries_of_one_compound_have_one_vote():
    repeated = [*MEMBERS[:3], *[rutile_type("Ti", "O", 4.594, 2.959, 0.3053)] * 4]
    assert free_coordinate(entry_of(repeated)) == pytest.approx(free_coordinate(entry_of(MEMBERS[:3])), abs=1e-9)
    assert entry_of(repeated).n_members == 7
    assert entry_of(repeated).n_formulas == 3


def test_no_member_is_reproduced():
    entry = entry_of(MEMBERS[:3])
    assert min(abs(free_coordinate(entry) - x) for x in (0.3053, 0.3070, 0.3029)) > 1e-4


def test_elements_are_counted_where_they_sit():
    entry = entry_of(MEMBERS)
    by_count = {int(np.sum(entry.species == s)): dict(counts) for s, counts in enumerate(entry.site_species)}
    assert by_count == {2: {22: 1, 50: 1, 12: 1, 30: 1, 82: 1}, 4: {8: 3, 9: 2}}


def test_the_volume_is_relative_to_the_atomic_volumes():
    entry = entry_of(MEMBERS)
    ratios = [
        member.volume / expected_volume({z: member.atomic_numbers.count(z) for z in set(member.atomic_numbers)})
        for member in MEMBERS
    ]
    assert min(ratios) < entry.volume_ratio < max(ratios)


def test_the_entry_is_exactly_symmetric_and_matches_its_members():
    entry = entry_of(MEMBERS)
    structure = Structure(entry.lattice * 60 ** (1 / 3), entry.typical_numbers, entry.fractional)
    assert SpacegroupAnalyzer(structure, symprec=1e-6).get_space_group_number() == 136
    assert all(StructureMatcher().fit_anonymous(structure, member) for member in MEMBERS)


@pytest.mark.parametrize("kind", ["rock_salt", "perovskite", "rutile", "spinel", "corundum"])
def test_symmetrising_undoes_small_random_displacements(kind, request):
    reference = standard(request.getfixturevalue(kind))
    random = np.random.default_rng(1)
    shaken = reference.fractional + random.normal(0, 0.003, reference.fractional.shape)
    moved = symmetrise_coordinates(shaken, reference)
    strained = symmetrise_lattice(reference.lattice @ (np.eye(3) + random.normal(0, 0.01, (3, 3))), reference)
    structure = Structure(strained, reference.numbers, moved)
    assert SpacegroupAnalyzer(structure, symprec=1e-6).get_space_group_number() == reference.space_group
    assert np.abs(moved - reference.fractional).max() < 0.01


def test_an_entry_can_be_the_next_reference():
    extreme_first = MEMBERS[::-1]
    reference = standard(extreme_first[0])
    entry = entry_of(extreme_first)
    around_entry = [align(as_reference(entry, reference), standard(member), WIDE) for member in MEMBERS]
    around_member = [align(reference, standard(member), WIDE) for member in MEMBERS]
    assert sum(a.rms for a in around_entry) < sum(a.rms for a in around_member)
