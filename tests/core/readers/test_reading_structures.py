"""Structures from CIF, POSCAR and JSON: kept as they are, or refused where something would have to be guessed."""

import json
import re
import warnings

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.errors import StructureError
from xtal_core.readers import read_structure, read_structures

CELL = """_cell_length_a 4.2
_cell_length_b 4.2
_cell_length_c 4.2
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90"""
CUBIC = "_symmetry_space_group_name_H-M 'F m -3 m'"
P1 = "_symmetry_space_group_name_H-M 'P 1'"
LOOP = """loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy"""
ROCK_SALT = "\n".join(["data_salt", CELL, CUBIC, LOOP, "Mg1 Mg2+ 0 0 0 1.0", "O1 O2- 0.5 0.5 0.5 1.0"])


def cif(*atoms, cell=CELL, symmetry=P1, name="sample"):
    return "\n".join([f"data_{name}", cell, symmetry, LOOP, *atoms])


def labels_only(text):
    return re.sub(r"^(\w+) [A-Z][a-z]?(?= \d)", r"\1", text.replace("_atom_site_type_symbol\n", ""), flags=re.MULTILINE)


def write(folder, text, name="sample.cif"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def no_warning_reaches_the_user():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_cif_gives_the_cell_of_the_file_with_all_its_atoms(tmp_path):
    structure = read_structure(write(tmp_path, ROCK_SALT))
    assert structure.composition.reduced_formula == "MgO"
    assert len(structure) == 8
    assert structure.lattice.abc == pytest.approx((4.2, 4.2, 4.2))


@pytest.mark.parametrize("name", ["a.cif", "a.vasp", "POSCAR", "POSCAR_final", "CONTCAR", "a.json"])
def test_structures_survive_a_round_trip_through_every_format(tmp_path, name):
    original = Structure(Lattice.from_parameters(3.1, 4.2, 5.3, 80, 95, 110), ["Sr", "Ti", "O"],
                         [[0, 0, 0], [0.51, 0.52, 0.53], [0.1, 0.4, 0.6]])  # fmt: skip
    fmt = {"cif": "cif", "json": "json"}.get(name.split(".")[-1], "poscar")
    structure = read_structure(write(tmp_path, original.to(fmt=fmt), name))
    assert structure.composition == original.composition
    assert structure.lattice.parameters == pytest.approx(original.lattice.parameters, abs=1e-6)
    expected = {site.specie.symbol: site.frac_coords for site in original}
    for site in structure:
        np.testing.assert_allclose(site.frac_coords, expected[site.specie.symbol], atol=1e-6)


def test_partial_occupancies_are_kept(tmp_path):
    atoms = ("Fe1 Fe 0 0 0 0.25", "Co1 Co 0 0 0 0.5", "O1 O 0.5 0.5 0.5 0.9")
    structure = read_structure(write(tmp_path, cif(*atoms)))
    assert [dict(site.species.as_dict()) for site in structure] == [{"Fe": 0.25, "Co": 0.5}, {"O": 0.9}]


def test_occupancies_above_one_by_rounding_are_those_of_a_full_site(tmp_path):
    atoms = ("Fe1 Fe 0 0 0 0.334", "Co1 Co 0 0 0 0.333", "Ni1 Ni 0 0 0 0.334")
    (site,) = read_structure(write(tmp_path, cif(*atoms)))
    assert site.species.num_atoms == pytest.approx(1)


def test_split_sites_that_share_one_atom_may_be_close(tmp_path):
    atoms = ("Cu1 Cu 0 0 0 0.5", "Cu2 Cu 0 0 0.05 0.5")
    assert len(read_structure(write(tmp_path, cif(*atoms)))) == 2


def test_every_data_block_with_atoms_is_a_structure(tmp_path):
    text = "\n".join(["data_publ", "_journal_year 2020", ROCK_SALT, cif("W1 W 0 0 0 1", name="tungsten")])
    path = write(tmp_path, text)
    assert [s.composition.reduced_formula for s in read_structures(path)] == ["MgO", "W"]
    with pytest.raises(StructureError, match=r"sample\.cif: holds 2 structures \(MgO, W\); keep one of them"):
        read_structure(path)


def test_a_json_list_is_several_structures(tmp_path):
    tungsten = Structure(Lattice.cubic(3.16), ["W"], [[0, 0, 0]])
    path = write(tmp_path, json.dumps([tungsten.as_dict(), tungsten.as_dict()]), "two.json")
    assert read_structures(path) == [tungsten, tungsten]


TUNGSTEN = Structure(Lattice.cubic(3.16), ["W"], [[0, 0, 0]])
POSCAR = TUNGSTEN.to(fmt="poscar")
OVERLAPPING = Structure(Lattice.cubic(3), ["W", "W"], [[0, 0, 0], [0, 0, 0.01]])
UNNAMED_POSCAR = "a cell\n1.0\n3 0 0\n0 3 0\n0 0 3\n1\ndirect\n0 0 0\n"

#: name, text, words of the problem and of the remedy
REFUSED = {
    "overlap": (
        "a.cif",
        cif("Fe1 Fe 0 0 0 1", "O1 O 0 0 0.05 1"),
        "Fe1 (site 1) and O1 (site 2) are 0.21 Å apart; remove one",
    ),
    "overlap through the cell's wall": ("a.cif", cif("Fe1 Fe 0 0 0.99 1", "O1 O 0 0 0.03 1"), "are 0.17 Å apart"),
    "overlap in a POSCAR": (
        "POSCAR",
        OVERLAPPING.to(fmt="poscar"),
        "(site 1) and W (site 2) are 0.03 Å apart",
    ),
    "one atom written twice": (
        "a.cif",
        cif("Fe1 Fe 0 0 0 1", "Fe2 Fe 0 0 0 1"),
        "occupancies of a site add up to 2; correct them",
    ),
    "too high an occupancy": ("a.cif", cif("Fe1 Fe 0 0 0 0.8", "Co1 Co 0 0 0 0.4"), "add up to 1.2; correct them"),
    "an occupancy above one": ("a.cif", cif("Fe1 Fe 0 0 0 1.2"), "add up to 1.2"),
    "a negative occupancy": ("a.cif", cif("Fe1 Fe 0 0 0 -0.2"), "atom Fe1 has the occupancy '-0.2'; give a number"),
    "an unknown occupancy": ("a.cif", cif("Fe1 Fe 0 0 0 ?"), "atom Fe1 has the occupancy '?'; give a number"),
    "an unknown coordinate": (
        "a.cif",
        cif("Fe1 Fe 0 0 0 1", "H1 H ? ? ? 1"),
        "atom H1 is at '? ? ?'; give its fractional",
    ),
    "a coordinate in words": ("a.cif", cif("Fe1 Fe 0 zero 0 1"), "atom Fe1 is at '0 zero 0'"),
    "an unknown element": (
        "a.cif",
        cif("Fe1 Fe 0 0 0 1", "J1 J 0.5 0.5 0.5 1"),
        "atom J1 is 'J', not an element; correct _atom_site",
    ),
    "a vacancy": ("a.cif", cif("Fe1 Fe 0 0 0 1", "Vac1 Vac 0.5 0.5 0.5 1"), "atom Vac1 is 'Vac', not an element"),
    "water as one atom": ("a.cif", labels_only(cif("Fe1 Fe 0 0 0 1", "Wat1 O 0.5 0.5 0.5 1")), "give O and H as atoms"),
    "a label that is no element": ("a.cif", labels_only(cif("Fe1 Fe 0 0 0 1", "Q1 O 0.5 0.5 0.5 1")), "holds Q"),
    "only an unknown element": ("a.cif", cif("J1 J 0.5 0.5 0.5 1"), "correct _atom_site_type_symbol"),
    "no symmetry": (
        "a.cif",
        cif("Fe1 Fe 0 0 0 1", symmetry=""),
        "no space group and no symmetry operations; add the symmetry",
    ),
    "unknown symmetry": ("a.cif", cif("Fe1 Fe 0 0 0 1", symmetry="_space_group_IT_number ?"), "no space group and no"),
    "no cell": ("a.cif", cif("Fe1 Fe 0 0 0 1", cell=""), "_cell_length_a is missing; give the cell in Å and degrees"),
    "half a cell": (
        "a.cif",
        cif("Fe1 Fe 0 0 0 1", cell=CELL.replace("90\n_cell_angle_beta", "?\n_cell_angle_beta")),
        "_cell_angle_alpha is ?",
    ),
    "an impossible cell": (
        "a.cif",
        cif("Fe1 Fe 0 0 0 1", cell=CELL.replace("90", "150")),
        "no cell has these angles; correct the cell angles",
    ),
    "no atoms": ("a.cif", f"data_a\n{CELL}\n{CUBIC}", "holds no atoms; give a CIF with _atom_site_ items"),
    "a powder pattern": (
        "a.cif",
        "data_a\nloop_\n_pd_meas_2theta_scan\n1\n2",
        "holds a powder pattern but no atoms; give a CIF",
    ),
    "no data block": ("a.cif", "# nothing\n", "start its contents with data_name"),
    "broken syntax": ("a.cif", f"{ROCK_SALT}\n0", "is not a valid CIF (Wrong number of values in loop"),
    "not CIF": ("a.cif", "10 20\n", "line 1: is not a valid CIF"),
    "POSCAR without elements": ("POSCAR", UNNAMED_POSCAR, "name the elements in the line above their numbers"),
    "a cell in pm": (
        "POSCAR",
        POSCAR.replace("3.16", "3160.0").replace("0000 ", "0 "),
        "give the lattice vectors in Å",
    ),
    "a flat cell": ("POSCAR", POSCAR.replace("3.16", "0.0016"), "give the lattice vectors in Å"),
    "truncated POSCAR": ("a.vasp", "\n".join(POSCAR.split("\n")[:4]), "is not a valid POSCAR"),
    "POSCAR of words": ("POSCAR", "to be\nor not\nto be", "is not a valid POSCAR"),
    "broken JSON": ("a.json", '{"lattice": ', "line 1: is not valid JSON"),
    "other JSON": ("a.json", "[1, 2]", "holds no structure as pymatgen writes it; write it with structure.to"),
    "empty JSON list": ("a.json", "[]", "holds no structure"),
    "incomplete JSON": ("a.json", '{"lattice": {}, "sites": [{}]}', "holds no valid structure"),
    "JSON without atoms": ("a.json", json.dumps(Structure(Lattice.cubic(3), [], []).as_dict()), "holds no atoms; give"),
    "JSON of dummy atoms": (
        "a.json",
        json.dumps(Structure(Lattice.cubic(3), ["X"], [[0, 0, 0]]).as_dict()),
        "not an element; replace it",
    ),
    "another kind of file": ("a.pdb", "ATOM 1", "give a crystal structure as CIF, POSCAR or pymatgen JSON"),
    "empty": ("a.cif", " \n", "is empty; give a crystal structure"),
    "binary": ("a.cif", "data_\0", "is a binary file; decompress it"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_structures_are_refused_naming_file_and_remedy(tmp_path, case):
    name, text, words = REFUSED[case]
    path = write(tmp_path, text, name)
    with pytest.raises(StructureError) as caught:
        read_structure(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["missing.cif", ""])
def test_files_that_are_not_there_are_refused(tmp_path, name):
    with pytest.raises(StructureError, match=r"no such file|is a folder"):
        read_structure(tmp_path / name)


def test_a_bad_block_among_good_ones_is_named(tmp_path):
    text = "\n".join([ROCK_SALT, cif("Fe1 Fe 0 0 0 2", name="iron")])
    with pytest.raises(StructureError, match="block 'iron'"):
        read_structures(write(tmp_path, text))
