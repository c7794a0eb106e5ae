import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xtal_core.errors import StructureError
from xtal_prototype.alignment import space_group_operations
from xtal_prototype.standard_cell import standardise

KINDS = ["rock_salt", "perovskite", "rutile", "spinel", "corundum"]


def standard(structure):
    return standardise(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)


@pytest.mark.parametrize("kind", KINDS)
def test_the_standard_cell_is_the_same_crystal(kind, request):
    structure = request.getfixturevalue(kind)
    cell = standard(structure)
    primitive = structure.get_primitive_structure()
    assert len(cell.numbers) == len(primitive)
    assert abs(np.linalg.det(cell.lattice)) == pytest.approx(primitive.volume)
    matcher = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1, scale=False)
    assert matcher.fit(structure, Structure(cell.lattice, cell.numbers, cell.fractional))


@pytest.mark.parametrize("kind", KINDS)
def test_setting_origin_and_size_of_the_cell_given_do_not_matter(kind, request):
    structure = request.getfixturevalue(kind)
    other = structure.copy()
    other.make_supercell([[0, 1, 0], [1, 0, 1], [1, 0, -1]])
    other.translate_sites(range(len(other)), [0.13, 0.29, -0.41])
    first, second = standard(structure), standard(other)
    assert first.lattice @ first.lattice.T == pytest.approx(second.lattice @ second.lattice.T, abs=1e-6)
    assert (first.space_group, first.centring) == (second.space_group, second.centring)
    assert np.bincount(first.orbits).tolist() == np.bincount(second.orbits).tolist()


def test_every_centring_keeps_its_space_group_operations():
    seen = set()
    for symbol in ("Pnma", "Cmcm", "Amm2", "Fddd", "I4/mmm", "R-3m:H", "C2/c", "F-43m", "Ia-3"):
        general_positions = [[0.11, 0.23, 0.37], [0.17, 0.05, 0.81]]
        cell = standard(Structure.from_spacegroup(symbol, _lattice_for(symbol), ["Si", "O"], general_positions))
        seen.add(cell.centring)
        rotations, translations = space_group_operations(cell.hall_number, cell.centring)
        for rotation, translation in zip(rotations, translations, strict=True):
            moved = cell.fractional @ rotation.T + translation
            difference = moved[:, None] - cell.fractional[None]
            difference -= np.round(difference)
            assert np.abs(difference).max(axis=-1).min(axis=1).max() < 1e-6
    assert seen == {"P", "A", "C", "F", "I", "R"}


def _lattice_for(symbol):
    from pymatgen.core import Lattice

    if symbol.startswith("R"):
        return Lattice.hexagonal(6.1, 14.3)
    if symbol in ("F-43m", "Ia-3"):
        return Lattice.cubic(9.0)
    if symbol == "I4/mmm":
        return Lattice.tetragonal(7.0, 11.0)
    return Lattice.monoclinic(9.0, 6.0, 8.0, 103.0) if symbol == "C2/c" else Lattice.orthorhombic(7.0, 8.1, 9.3)


@pytest.mark.parametrize("kind", KINDS)
def test_orbits_are_those_pymatgen_finds(kind, request):
    structure = request.getfixturevalue(kind)
    cell = standard(structure)
    again = Structure(cell.lattice, cell.numbers, cell.fractional)
    groups = SpacegroupAnalyzer(again).get_symmetrized_structure().equivalent_indices
    ours = {frozenset(np.flatnonzero(cell.orbits == orbit).tolist()) for orbit in set(cell.orbits.tolist())}
    assert ours == {frozenset(group) for group in groups}


def test_formula_units_are_counted_in_both_cells(rock_salt, spinel):
    assert (standard(rock_salt).z_primitive, standard(rock_salt).z_conventional) == (1, 4)
    assert (standard(spinel).z_primitive, standard(spinel).z_conventional) == (2, 8)


def test_coinciding_atoms_are_refused():
    with pytest.raises(StructureError, match="coinciding"):
        standardise(4 * np.eye(3), np.zeros((2, 3)), [6, 6])
