import pytest
from pymatgen.analysis.prototypes import get_protostructure_label_from_spglib
from pymatgen.core import Lattice, Structure

from xtal_prototype.prototype_label import canonical_label, label_of_cell
from xtal_prototype.standard_cell import standardise


def label(structure):
    return label_of_cell(standardise(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rock_salt", "AB_cF8_225_a_b"),
        ("perovskite", "ABC3_cP5_221_a_b_c"),
        ("rutile", "AB2_tP6_136_a_f"),
        ("spinel", "AB2C4_cF56_227_a_d_e"),
        ("corundum", "A2B3_hR30_167_c_e"),
    ],
)
def test_textbook_types_have_their_labels(kind, expected, request):
    assert label(request.getfixturevalue(kind)) == expected


@pytest.mark.parametrize("kind", ["rock_salt", "perovskite", "rutile", "spinel", "corundum"])
def test_labels_agree_with_pymatgen_up_to_the_order_of_species(kind, request):
    structure = request.getfixturevalue(kind)
    theirs = get_protostructure_label_from_spglib(structure)
    assert theirs is not None
    assert canonical_label(theirs.split(":")[0]) == label(structure)


@pytest.mark.parametrize("elements", [("Li", "Al", "Si"), ("Al", "Si", "Li"), ("Si", "Li", "Al")])
@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5])
def test_half_heusler_phases_are_one_type_whoever_sits_in_the_middle(elements, shift):
    sites = [[0, 0, 0], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]]
    structure = Structure.from_spacegroup("F-43m", Lattice.cubic(5.9), list(elements), sites)
    structure.translate_sites(range(len(structure)), [shift] * 3)
    assert label(structure) == "ABC_cF12_216_a_b_c"


def test_fluorite_and_antifluorite_are_one_type():
    assert canonical_label("AB2_cF12_225_a_c") == canonical_label("A2B_cF12_225_c_a") == "AB2_cF12_225_a_c"


@pytest.mark.parametrize("text", ["", "perovskite", "ABC3_cP5_221_a_b", "ABC3_cP5_231_a_b_c", "ABC3_cP5_a_b_c"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match=r"protostructure label|names \d species"):
        canonical_label(text)
