"""Structures to diffpy.structure and back, with diffpy's own reading of displacements as the judge."""

import numpy as np
import pytest
from diffpy.structure import Atom
from diffpy.structure import Lattice as DiffpyLattice
from diffpy.structure import Structure as DiffpyStructure
from pymatgen.core import Lattice, Structure

from xtal_core.errors import StructureError
from xtal_pair_distribution.calculation import pair_distributions
from xtal_pair_distribution.conditions import Conditions
from xtal_pair_distribution.crystal import Crystal
from xtal_pair_distribution.diffpy_boundary import from_diffpy, to_diffpy

LATTICE = Lattice.from_parameters(4, 5, 6.5, 80, 95, 110)
RICH = Structure(
    LATTICE,
    ["Ti4+", {"O2-": 0.7, "F-": 0.2}, "D"],
    [[0.1, 0.2, 0.3], [0.6, 0.55, 0.9], [0.4, 0.9, 1.6]],
    labels=["Ti1", "M1", None],
    site_properties={
        "U11_cif": [0.010, 0.020, None],
        "U22_cif": [0.004, 0.010, None],
        "U33_cif": [0.020, 0.006, None],
        "U23_cif": [0.001, 0.003, None],
        "U13_cif": [-0.002, 0.0, None],
        "U12_cif": [0.0015, 0.0, None],
        "u_iso": [None, None, 0.009],
    },
)


def test_a_structure_comes_back_as_it_was():
    back = from_diffpy(to_diffpy(RICH))
    assert back == RICH
    assert back.labels == RICH.labels
    assert back.site_properties == RICH.site_properties
    assert back.lattice.matrix == pytest.approx(LATTICE.matrix, abs=1e-12)
    assert back[2].species.elements[0].name == "D"


def test_each_species_of_a_site_is_an_atom():
    atoms = to_diffpy(RICH)
    assert [(atom.element, atom.label, atom.occupancy) for atom in atoms] == [
        ("Ti4+", "Ti1", 1.0),
        ("O2-", "M1", 0.7),
        ("F1-", "M1", 0.2),
        ("D", "H", 1.0),
    ]


def test_atoms_with_labels_of_their_own_stay_apart():
    structure = DiffpyStructure(lattice=DiffpyLattice(4, 4, 4, 90, 90, 90))
    for element, label, occupancy in (("Mg", "Mg1", 0.6), ("Fe2+", "Fe1", 0.3), ("O", "O1", 1.0)):
        xyz = [0.5, 0.5, 0.5] if element == "O" else [0, 0, 0]
        structure.append(Atom(element, xyz, label, occupancy, Uisoequiv=0.004))
    back = to_diffpy(from_diffpy(structure))
    for atom, original in zip(back, structure, strict=True):
        assert (atom.element, atom.label, atom.occupancy) == (original.element, original.label, original.occupancy)
        assert (atom.xyz == original.xyz).all()
        assert atom.anisotropy == original.anisotropy
        assert pytest.approx(original.U, abs=1e-15) == atom.U


def test_displacements_along_any_direction_are_those_diffpy_finds():
    crystal = Crystal.from_structure(RICH, 0.005)
    for atom, tensor in zip(to_diffpy(RICH), crystal.displacements, strict=True):
        for direction in np.random.default_rng(0).normal(size=(5, 3)):
            direction /= np.linalg.norm(direction)
            assert direction @ tensor @ direction == pytest.approx(atom.msdCart(direction), rel=1e-9)


def test_diffpy_structures_have_the_same_g():
    conditions = Conditions(r_max=8.0, q_max=20.0)
    first, second = pair_distributions([RICH, to_diffpy(RICH)], conditions)
    assert first == pytest.approx(second, abs=1e-12)


def test_without_displacements_there_are_none_on_the_other_side():
    plain = Structure(LATTICE, ["Fe"], [[0, 0, 0]])
    atoms = to_diffpy(plain)
    assert atoms[0].Uisoequiv == 0
    assert not from_diffpy(atoms).site_properties


def test_a_left_handed_cell_is_refused():
    with pytest.raises(StructureError, match="right-handed"):
        to_diffpy(Structure(Lattice(-3 * np.eye(3)), ["Fe"], [[0, 0, 0]]))


@pytest.mark.parametrize(
    ("element", "occupancy", "message"),
    [("Qq", 1.0, "'Qq', not an element"), ("", 1.0, "not an element"), ("Fe", 0.0, "occupancy 0"), ("Fe", 1.2, "1.2")],
)
def test_atoms_that_cannot_be_are_refused(element, occupancy, message):
    structure = DiffpyStructure([Atom(element, [0, 0, 0], "A1", occupancy)], DiffpyLattice(3, 3, 3, 90, 90, 90))
    with pytest.raises(StructureError, match=message):
        from_diffpy(structure)


def test_a_dummy_species_is_refused():
    with pytest.raises(StructureError, match="site 1"):
        to_diffpy(Structure(LATTICE, ["X"], [[0, 0, 0]]))
