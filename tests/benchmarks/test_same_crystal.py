import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from same_crystal import Deviation, described_as, deviation
from toys import caesium_chloride_type, rocksalt


@pytest.fixture
def low():
    """A structure without symmetry, whose mirror image is another one."""
    lattice = Lattice.from_parameters(4.1, 5.3, 6.2, 82, 97, 75)
    places = np.random.default_rng(3).uniform(size=(6, 3))
    return Structure(lattice, ["Na", "Na", "Cl", "Cl", "O", "O"], places)


def test_another_cell_origin_order_and_hand_are_the_same_crystal(low):
    other = low.copy()
    other.make_supercell([[1, 1, 0], [0, 1, 0], [0, -1, 1]])
    places = -other.frac_coords[::-1] + [0.1, 0.7, 0.3]
    other = Structure(other.lattice, other.species[::-1], places)
    found = deviation(low, other)
    assert found.is_same
    assert found.displacement < 1e-9
    assert found.strain < 1e-9


def test_the_strain_is_the_largest_principal_one():
    truth = rocksalt(5.64).get_primitive_structure()
    strain = np.diag([1.001, 1.0, 0.998])
    strained = Structure(truth.lattice.matrix @ strain, truth.species, truth.frac_coords)
    assert deviation(truth, strained).strain == pytest.approx(0.002, rel=1e-3)
    assert not deviation(truth, strained).is_same


def test_the_displacement_is_that_of_the_farthest_atom_after_the_best_shift(low):
    moved = low.copy()
    moved.translate_sites([0], [0.06, 0, 0], frac_coords=False)
    # The common shift takes a sixth of it off the atom that moved.
    assert deviation(low, moved).displacement == pytest.approx(0.05, rel=1e-6)


def test_displacements_are_those_of_the_structure_matcher(low):
    random = np.random.default_rng(5)
    matcher = StructureMatcher(0.1, 0.2, 3, primitive_cell=False, scale=False)
    for _ in range(3):
        moved = low.copy()
        moved.perturb(0.05)
        order = random.permutation(len(low))
        moved = Structure(moved.lattice, [moved.species[i] for i in order], moved.frac_coords[order])
        _, farthest = matcher.get_rms_dist(low, moved)
        assert deviation(low, moved).displacement == pytest.approx(farthest * (low.volume / len(low)) ** (1 / 3))


def test_of_cells_that_fit_about_as_well_the_one_with_less_strain_counts():
    truth = caesium_chloride_type(4.0)
    stretched = truth.copy()
    stretched.apply_strain([0.00005, 0.0, 0.0])
    turned = Structure(Lattice.tetragonal(4.0, 4.0002), truth.species, truth.frac_coords)
    assert deviation(turned, stretched).strain == pytest.approx(0, abs=1e-9)


def test_exchanged_elements_are_another_crystal(low):
    exchanged = Structure(low.lattice, ["Cl", "Na", "Na", "Cl", "O", "O"], low.frac_coords)
    assert not deviation(low, exchanged).is_same


def test_other_contents_and_other_cells_have_no_finite_deviation():
    salt = rocksalt(5.64).get_primitive_structure()
    assert deviation(salt, rocksalt(7.5).get_primitive_structure()) == Deviation(np.inf, np.inf)
    potassium = salt.copy()
    potassium.replace_species({"Na": "K"})
    assert deviation(salt, potassium).displacement == np.inf


def test_a_structure_is_described_in_the_cell_and_the_order_of_another(low):
    other = low.copy()
    other.make_supercell([[1, 1, 0], [0, 1, 0], [0, -1, 1]])
    other = Structure(other.lattice, other.species[::-1], other.frac_coords[::-1] + np.array([0.1, 0.7, 0.3]))
    same = described_as(low, other, 0.1)
    assert same is not None
    assert same.species == other.species
    assert np.allclose(same.lattice.abc + same.lattice.angles, other.lattice.abc + other.lattice.angles)
    apart = same.frac_coords - other.frac_coords
    assert np.abs(apart - np.rint(apart)).max() < 1e-9
    assert described_as(low, low.copy().perturb(1.0), 0.1) is None


def test_of_ways_to_describe_a_crystal_that_is_nearly_symmetric_it_is_the_one_of_least_strain():
    cell = Lattice.from_parameters(4.0, 5.0, 6.0, 90, 90.2, 90)
    truth = Structure(cell, ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    mirrored = Structure(Lattice.from_parameters(4.0, 5.0, 6.0, 90, 89.8, 90), truth.species, truth.frac_coords)
    same = described_as(truth, mirrored, 0.3)
    assert same is not None
    assert same.lattice.beta == pytest.approx(89.8)
