from __future__ import annotations

import re
from dataclasses import replace

import gemmi
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from toys import rocksalt
from xtal_core.candidate import Candidate, Fit, RankedCandidate
from xtal_core.measurement import Profile
from xtal_core.ranking import space_group
from xtal_core.report import crystal_file, crystal_files


def ranked(structure, origin="made for a test"):
    fit = Fit(np.zeros(2), np.zeros(2), Profile(), 1.0, 0.0123, 1)
    return RankedCandidate(1, Candidate(structure, "toy", origin, fit=fit), -1.9, space_group(structure))


def crystals():
    """Return crystals of all kinds: centred, trigonal, monoclinic, triclinic, disordered, without symmetry."""
    corundum = Structure.from_spacegroup(
        167, Lattice.hexagonal(4.759, 12.991), ["Al", "O"], [[0, 0, 0.3522], [0.3063, 0, 0.25]]
    )
    monoclinic = Structure.from_spacegroup(
        14, Lattice.monoclinic(5.15, 5.21, 5.32, 99.2), ["Zr", "O", "O"],
        [[0.2754, 0.0395, 0.2083], [0.07, 0.3317, 0.3447], [0.4496, 0.7569, 0.4792]],
    )  # fmt: skip
    triclinic = Structure(
        Lattice.from_parameters(4.1, 5.3, 6.2, 81, 97, 104),
        ["Ca", "C", "O", "O"],
        [[0.11, 0.23, 0.31], [0.62, 0.17, 0.83], [0.37, 0.71, 0.05], [0.83, 0.55, 0.47]],
    )
    disordered = rocksalt(5.64)
    disordered.replace_species({"Na": {"Na": 0.75, "K": 0.25}})
    primitive_corundum = corundum.get_primitive_structure()
    # Nearly rock salt: reduced to the cell of rock salt by who looks less closely.
    pseudosymmetric = Structure.from_spacegroup(
        166, Lattice.hexagonal(4.334, 42.39), ["Pb", "Pb", "Pb", "Se", "Se"],
        [[0, 0, 0], [0, 0, 0.7466], [0, 0, 0.5], [0, 0, 0.8782], [0, 0, 0.6222]],
    ).get_primitive_structure(tolerance=0.01)  # fmt: skip
    names = ("rock salt", "corundum", "primitive corundum", "zirconia", "triclinic", "disordered", "pseudosymmetric")
    structures = (rocksalt(5.64), corundum, primitive_corundum, monoclinic, triclinic, disordered, pseudosymmetric)
    return dict(zip(names, structures, strict=True))


@pytest.mark.parametrize("name", crystals())
def test_the_file_holds_the_candidate_in_its_conventional_cell(name):
    structure = crystals()[name]
    file = crystal_file(ranked(structure))
    again = Structure.from_str(file.text, fmt="cif")
    same = {"ltol": 0.001, "stol": 0.001, "angle_tol": 0.1, "scale": False}
    assert again.matches(structure, **same, primitive_cell=False, attempt_supercell=True)
    assert file.symmetric
    assert space_group(again) == space_group(structure)
    np.testing.assert_allclose(file.structure.lattice.matrix, again.lattice.matrix, atol=1e-6)
    if name == "primitive corundum":
        assert file.structure.lattice.abc == pytest.approx((4.759, 4.759, 12.991), abs=1e-3)


def test_a_structure_that_symmetry_would_change_is_written_without(monkeypatch):
    monkeypatch.setattr("xtal_core.report.cif._same", lambda *_: False)
    file = crystal_file(ranked(rocksalt(5.64)))
    assert not file.symmetric
    assert re.search(r"_symmetry_Int_Tables_number +1\n", file.text)
    assert file.structure.matches(rocksalt(5.64), scale=False)


def test_a_structure_with_operations_of_no_standard_setting_is_written_without_symmetry(monkeypatch):
    """spglib finds such in some cells that fit a symmetry only roughly."""
    write = gemmi.cif.read_string
    monkeypatch.setattr("gemmi.cif.read_string", lambda text: write(text.replace("'-x, y, z'", "'-2x+z, y, z'")))
    structure = rocksalt(5.64)
    file = crystal_file(ranked(structure))
    assert not file.symmetric
    assert file.structure.matches(structure)
    assert "-2x" not in file.text


def test_oxidation_states_are_left_out():
    charged = rocksalt(5.64)
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    text = crystal_file(ranked(charged)).text
    assert "oxidation" not in text
    assert "Na+" not in text
    assert charged[0].specie.oxi_state == 1


def test_comments_are_one_line_each_and_ascii():
    text = crystal_file(ranked(rocksalt(5.64), origin="prototype\nα-NaCl")).text
    comments = [line for line in text.splitlines() if line.startswith("# ")]
    assert comments[:4] == [
        "# rank 1: NaCl",
        "# R2wp: 0.0123 (sum w (obs - calc)^2 / sum w (obs - background)^2)",
        "# generator: toy",
        "# origin: prototype ?-NaCl",
    ]
    assert text.isascii()


def test_files_are_named_by_rank_in_as_many_digits_as_it_takes():
    first = ranked(rocksalt(5.64))
    assert [file.name for file in crystal_files([first, replace(first, rank=2)])] == ["01.cif", "02.cif"]
    assert crystal_file(replace(first, rank=7), digits=3).name == "007.cif"
