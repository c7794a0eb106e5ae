"""Modifications do what they say: no more, no less."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from xtal_core.errors import StructureError
from xtal_core.registry import installed_registry
from xtal_study import modifications as modify
from xtal_study.structure_symmetry import (
    DATABASE_TOLERANCE,
    idealise,
    most_symmetric_site,
    structure_type,
    symmetry,
)

SAME_CRYSTAL = {
    "repeated": lambda s: modify.repeat(s, (2, 1, 1)),
    "shifted": lambda s: modify.shift_origin(s, [0.1, -0.3, 0.77]),
    "on other axes": lambda s: modify.change_axes(s, modify.random_axes(np.random.default_rng(3))),
    "reordered": lambda s: modify.reorder(s, np.random.default_rng(3)),
    "rotated": lambda s: modify.rotate(s, np.random.default_rng(3)),
    "mirrored": modify.mirror,
}


def distance(first, second, metric="pdd"):
    pdd = installed_registry().create("metric", metric)
    return float(pdd.compare(*([one] for one in pdd.featurise([first, second])))[0, 0])


@pytest.mark.parametrize("change", SAME_CRYSTAL.values(), ids=SAME_CRYSTAL)
def test_another_description_leaves_the_distances_between_atoms(change, titania):
    assert distance(titania, change(titania)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("change", SAME_CRYSTAL.values(), ids=SAME_CRYSTAL)
def test_another_description_leaves_the_space_group(change, chiral):
    number = symmetry(chiral, 1e-3).number
    # The mirror image of a chiral crystal has the other group of the pair P3_121, P3_221.
    expected = {152, 154} - {number} if change is modify.mirror else {number}
    assert symmetry(change(chiral), 1e-3).number in expected


def test_random_axes_span_the_same_lattice_and_differ_from_the_old_ones():
    for seed in range(20):
        transformation = modify.random_axes(np.random.default_rng(seed))
        assert np.linalg.det(transformation) == pytest.approx(1)
        assert (transformation == np.rint(transformation)).all()
        assert not np.array_equal(transformation, np.eye(3))


def test_axes_of_another_lattice_are_refused(titania):
    with pytest.raises(StructureError, match="determinant"):
        modify.change_axes(titania, np.diag([2.0, 1.0, 1.0]))


def test_expansion_changes_the_volume_by_the_fraction_and_keeps_the_space_group(titania):
    expanded = modify.expand(titania, 0.02)
    assert expanded.volume == pytest.approx(1.02 * titania.volume)
    assert symmetry(expanded).number == symmetry(titania).number == 136


def test_expansion_along_z_lowers_a_cubic_crystal_but_not_a_tetragonal_one(titania, salt):
    assert modify.expand_along_z(titania, 0.02).volume == pytest.approx(1.02 * titania.volume)
    assert symmetry(modify.expand_along_z(titania, 0.02)).number == 136
    assert symmetry(modify.expand_along_z(idealise(salt), 0.02)).number == 139


def test_strain_has_the_norm_asked_for_and_no_rotation(titania):
    strained = modify.strain(titania, 0.03, np.random.default_rng(1))
    tensor = np.linalg.solve(titania.lattice.matrix, strained.lattice.matrix) - np.eye(3)
    assert np.linalg.norm(tensor) == pytest.approx(0.03)
    assert tensor == pytest.approx(tensor.T)
    assert strained.frac_coords == pytest.approx(titania.frac_coords)


def test_noise_has_the_length_asked_for_and_does_not_shift_the_crystal(titania):
    noisy = modify.displace_atoms(titania, 0.05, np.random.default_rng(1))
    moves = noisy.cart_coords - titania.cart_coords
    assert np.sqrt((moves**2).sum(axis=1).mean()) == pytest.approx(0.05)
    assert moves.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)


def test_one_displaced_atom_breaks_the_symmetry_however_small_the_displacement(titania):
    site = most_symmetric_site(titania)
    displaced = modify.displace_one_atom(titania, site, 0.001, np.random.default_rng(1))
    assert displaced.distance_matrix.shape == titania.distance_matrix.shape
    assert np.linalg.norm(displaced.cart_coords - titania.cart_coords, axis=1) == pytest.approx(
        [0.001 if index == site else 0 for index in range(len(titania))]
    )
    assert symmetry(displaced).number < symmetry(titania).number
    assert symmetry(displaced, DATABASE_TOLERANCE).number == 136


def test_displacing_the_only_atom_of_a_cell_is_refused(salt):
    alone = salt.copy()
    alone.remove_sites([1])
    with pytest.raises(StructureError, match="origin"):
        modify.displace_one_atom(alone, 0, 0.1, np.random.default_rng(0))
    with pytest.raises(StructureError, match="one atom"):
        modify.displace_atoms(alone, 0.1, np.random.default_rng(0))


def test_exchanged_elements_take_each_others_places(titania):
    exchanged = modify.exchange_elements(titania)
    assert exchanged.composition.reduced_formula == "Ti2O"
    assert pdist(exchanged.cart_coords) == pytest.approx(pdist(titania.cart_coords))


def test_an_elemental_crystal_has_nothing_to_exchange(salt):
    with pytest.raises(StructureError, match="one element"):
        modify.exchange_elements(salt.replace_species({"Cl": "Na"}, in_place=False))


def test_the_most_frequent_element_becomes_its_neighbour_in_the_group(titania, salt):
    assert modify.substitute(titania).composition.reduced_formula == "TiS2"
    # K is taken: Cl makes way instead of Na, and of the equally frequent ones the lighter comes first.
    assert modify.substitute(salt).composition.reduced_formula == "KCl"


def test_an_element_of_the_f_block_is_not_replaced(salt):
    erbium = salt.replace_species({"Na": "Er", "Cl": "Er"}, in_place=False)
    with pytest.raises(StructureError, match="neighbour"):
        modify.substitute(erbium)


def test_only_a_crystal_without_mirrors_and_inversion_is_chiral(chiral, titania):
    assert symmetry(chiral, 1e-3).chiral
    assert not symmetry(titania).chiral


def test_isostructural_crystals_have_one_type_whatever_their_elements_and_cell(dozen):
    types = {known.name.partition(" ")[0]: set() for known in dozen}
    for known in dozen:
        types[known.name.partition(" ")[0]].add(known.type)
        assert structure_type(modify.repeat(known.structure, (1, 2, 1))) == known.type
    assert all(len(labels) == 1 for labels in types.values())
    assert len(set.union(*types.values())) == len(types)


def test_idealising_puts_atoms_where_symmetry_wants_them(titania):
    rough = modify.displace_atoms(titania, 0.001, np.random.default_rng(0))
    assert symmetry(rough).number == 1
    assert symmetry(idealise(rough)).number == 136
