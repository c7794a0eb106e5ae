import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtal_prototype.alignment import Tolerance, align, orbit_sizes
from xtal_prototype.standard_cell import standardise

WIDE = Tolerance(length=0.2, angle=5.0, rms=0.2)


def standard(structure):
    return standardise(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)


def olivine(x=0.0, elements=("Mg", "Si", "O"), a=(10.2, 6.0, 4.76)):
    sites = [
        [0, 0, 0],
        [0.278 + x, 0.25, 0.99 - x],
        [0.094, 0.25, 0.426],
        [0.092, 0.25, 0.766 + x],
        [0.447, 0.25, 0.221],
    ]
    metal, tetrahedral, anion = elements
    species = [metal, metal, tetrahedral, anion, anion]
    general = [0.163, 0.033 + x, 0.277]
    return Structure.from_spacegroup("Pnma", Lattice.orthorhombic(*a), [*species, anion], [*sites, general])


@pytest.mark.parametrize("kind", ["rock_salt", "perovskite", "rutile", "spinel", "corundum"])
def test_a_crystal_lies_on_itself_whatever_its_origin_and_setting(kind, request):
    structure = request.getfixturevalue(kind)
    other = structure.copy()
    other.translate_sites(range(len(other)), [0.5, 0.5, 0.5])
    other = Structure(other.lattice.matrix[[2, 0, 1]], other.species, other.frac_coords[:, [2, 0, 1]])
    alignment = align(standard(structure), standard(other), WIDE)
    assert alignment is not None
    assert alignment.rms == pytest.approx(0, abs=1e-6)
    assert alignment.numbers.tolist() == standard(structure).numbers.tolist()


def test_roles_of_the_species_are_exchanged_when_that_fits():
    half_heusler = Structure.from_spacegroup(
        "F-43m", Lattice.cubic(5.9), ["Li", "Al", "Si"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]]
    )
    exchanged = Structure.from_spacegroup(
        "F-43m", Lattice.cubic(6.1), ["Ni", "Sn", "Ti"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]
    )
    reference = standard(half_heusler)
    alignment = align(reference, standard(exchanged), WIDE)
    assert alignment is not None
    middle_of_reference, middle_of_other = 13, 28  # Al and Ni: the species between the two others
    assert alignment.numbers[reference.numbers == middle_of_reference].tolist() == [middle_of_other]


def test_displacements_agree_with_structure_matcher():
    first, second = olivine(), olivine(0.012, ("Fe", "Ge", "S"), (10.9, 6.4, 5.1))
    alignment = align(standard(first), standard(second), WIDE)
    rms, _ = StructureMatcher().get_rms_anonymous(first, second)
    assert alignment is not None
    assert alignment.rms == pytest.approx(rms, rel=0.05)


def test_the_aligned_member_is_still_the_same_crystal():
    member = olivine(0.012, ("Fe", "Ge", "S"), (10.9, 6.4, 5.1))
    alignment = align(standard(olivine()), standard(member), WIDE)
    assert alignment is not None
    laid_over = Structure(alignment.lattice, alignment.numbers, alignment.fractional)
    assert StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1, scale=False).fit(laid_over, member)


def test_continuous_origins_of_polar_groups_are_found():
    def wurtzite(shift, u):
        sites = [[1 / 3, 2 / 3, shift], [1 / 3, 2 / 3, shift + u]]
        return Structure.from_spacegroup("P6_3mc", Lattice.hexagonal(3.25, 5.21), ["Zn", "O"], sites)

    alignment = align(standard(wurtzite(0, 0.375)), standard(wurtzite(0.213, 0.375)), WIDE)
    assert alignment is not None
    assert alignment.rms == pytest.approx(0, abs=1e-6)


def test_crystals_beyond_the_tolerance_are_not_aligned():
    reference = standard(olivine())
    assert align(reference, standard(olivine(a=(10.2, 6.0, 7.5))), WIDE) is None
    moved = olivine(0.05)
    assert align(reference, standard(moved), Tolerance(0.2, 5.0, 0.01)) is None
    assert align(reference, standard(moved), WIDE) is not None


def test_orbit_sizes_do_not_depend_on_the_setting(spinel):
    other = spinel.copy()
    other.translate_sites(range(len(other)), [0.125] * 3)
    assert orbit_sizes(standard(spinel)) == orbit_sizes(standard(other)) == ((2,), (4,), (8,))
    assert np.sum([np.sum(sizes) for sizes in orbit_sizes(standard(spinel))]) == 14
