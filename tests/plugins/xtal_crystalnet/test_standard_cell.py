"""One cell, origin and choice of axes for every description of a crystal."""

import numpy as np
import pytest
import spglib
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtal_crystalnet.standard_cell import standard_cell


def in_standard_cell(structure):
    return standard_cell(structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers))


def listed(cell):
    """Return the atoms in an order of their own, rounded."""
    rows = np.column_stack([cell.numbers, np.round(cell.fractional * 500).astype(int) % 500])
    return sorted(map(tuple, rows.tolist()))


@pytest.fixture(scope="module")
def perovskite():
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], sites)


@pytest.fixture(params=["salt", "quartz", "perovskite"])
def crystal(request):
    return request.getfixturevalue(request.param)


def test_every_description_of_a_crystal_gives_the_same_cell(crystal):
    random = np.random.default_rng(0)
    first = in_standard_cell(crystal)
    for change in (
        [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [[2, 0, 0], [0, 1, 0], [1, 0, 1]],
    ):
        other = crystal.make_supercell(change, in_place=False)
        other.translate_sites(range(len(other)), random.random(3))
        found = in_standard_cell(other)
        assert listed(found) == listed(first)
        assert found.lattice == pytest.approx(first.lattice, abs=1e-4)


def test_the_lattice_is_that_of_spglibs_primitive_standard_cell(crystal):
    expected = spglib.standardize_cell(
        (crystal.lattice.matrix, crystal.frac_coords, crystal.atomic_numbers), to_primitive=True
    )[0]
    assert in_standard_cell(crystal).lattice == pytest.approx(expected, abs=1e-5)


def test_the_crystal_stays_the_same_up_to_its_mirror_image(crystal):
    cell = in_standard_cell(crystal)
    matcher = StructureMatcher(0.01, 0.01, 0.1)
    found = Structure(cell.lattice, cell.numbers, cell.fractional)
    mirrored = Structure(cell.lattice, cell.numbers, -cell.fractional)
    assert matcher.fit(found, crystal) or matcher.fit(mirrored, crystal)
    assert cell.space_group in (crystal.get_space_group_info()[1], 152)


def test_the_origin_is_in_an_atom_of_the_rarest_element_of_several_the_heaviest(salt, perovskite):
    for crystal, heaviest in ((salt, 17), (perovskite, 38)):
        cell = in_standard_cell(crystal)
        (atom,) = np.flatnonzero(np.abs(cell.fractional).max(axis=1) < 1e-9)
        assert cell.numbers[atom] == heaviest
