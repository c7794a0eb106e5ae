import sqlite3
import time
from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Structure

from xtal_core.errors import InputError
from xtal_prototype.library import Refusal, StructureLibrary, library_path
from xtal_prototype.reading import read_entry
from xtal_prototype.sources import RawStructure


def entry(structure, source):
    return read_entry(RawStructure(source, structure.to(fmt="cif")))


@pytest.fixture
def path(tmp_path, rock_salt, perovskite, rutile, spinel):
    path = tmp_path / "library.sqlite"
    with StructureLibrary.open_for_adding(path) as library:
        named = {"halite": rock_salt, "tausonite": perovskite, "rutile": rutile, "spinel": spinel}
        library.add([entry(structure, name) for name, structure in named.items()], [Refusal("junk", b"0", "no atoms")])
    return path


def test_a_template_comes_back_as_the_crystal_that_went_in(path, rutile):
    with StructureLibrary.open(path) as library:
        (template,) = library.templates("A1B2")
    assert template.label == "AB2_tP6_136_a_f"
    assert template.source == "library rutile"
    assert template.volume == pytest.approx(rutile.volume)
    assert sorted(template.numbers.tolist()) == [8, 8, 8, 8, 22, 22]
    assert template.amounts == {22: 1, 8: 2}
    assert template.n_orbits == 2
    distances = np.sort(rutile.distance_matrix, axis=None)
    again = Structure(template.lattice, template.numbers, template.fractional).distance_matrix
    assert np.sort(again, axis=None) == pytest.approx(distances, abs=1e-3)


@pytest.mark.parametrize(("z", "found"), [(1, 1), (4, 1), (2, 0), (None, 1)])
def test_formula_units_may_be_those_of_either_cell(path, z, found):
    with StructureLibrary.open(path) as library:
        assert len(library.templates("A1B1", z)) == found


def test_weights_are_the_shares_of_the_types(tmp_path, rutile, rock_salt, perovskite):
    fluorite = rock_salt.copy()
    fluorite.replace_species({"Na": "K", "Cl": "Br"})
    with StructureLibrary.open_for_adding(tmp_path / "library.sqlite") as library:
        library.add([entry(rock_salt, "a"), entry(fluorite, "b"), entry(perovskite, "c")])
        caesium_chloride = perovskite.copy()
        caesium_chloride.remove_species(["O"])
        library.add([entry(caesium_chloride, "d")])
        templates = library.templates("A1B1")
    assert [(t.label, t.n_members) for t in templates] == [
        ("AB_cF8_225_a_b", 2),
        ("AB_cF8_225_a_b", 2),
        ("AB_cP2_221_a_b", 1),
    ]
    assert [t.weight for t in templates] == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_counts_and_listing(path):
    with StructureLibrary.open(path) as library:
        counts = library.counts()
        assert (counts.structures, counts.types, counts.compositions, counts.refused) == (4, 4, 4, 1)
        assert library.listing("O2Ti") == [("rutile", "AB2_tP6_136_a_f", 136, 2)]
        assert [refusal.reason for refusal in library.refusals()] == ["no atoms"]
        assert library.formula_units("A1B1") == [4]


def test_templates_can_be_chosen_by_the_size_of_their_cell(path):
    with StructureLibrary.open(path) as library:
        assert [t.label for t in library.templates_of_size(6)] == ["AB2_tP6_136_a_f"]
        assert library.templates_of_size(7) == []


def test_thousands_of_templates_are_read_faster_than_hundreds_are_made(tmp_path, spinel):
    original = entry(spinel, "0")
    with StructureLibrary.open_for_adding(tmp_path / "library.sqlite") as library:
        library.add([replace(original, source=str(number)) for number in range(4000)])
    start = time.process_time()
    for number in range(40):
        entry(spinel, str(number))
    making = (time.process_time() - start) / 40
    with StructureLibrary.open(tmp_path / "library.sqlite") as library:
        start = time.process_time()
        assert len(library.templates("A1B2C4", 8)) == 4000
        assert time.process_time() - start < 200 * making


def test_a_search_cannot_change_the_library(path):
    with StructureLibrary.open(path) as library, pytest.raises(sqlite3.OperationalError, match="readonly"):
        library.add([], [Refusal("late", b"1", "never")])


def test_a_missing_library_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="xtal library add"):
        StructureLibrary.open(tmp_path / "none.sqlite")


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 40, b""])
def test_another_file_is_not_taken_for_a_library(tmp_path, content):
    other = tmp_path / "notes.txt"
    other.write_bytes(content)
    with pytest.raises(InputError, match="not a structure library"):
        StructureLibrary.open(other)


def test_another_schema_version_is_refused(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="version 99, this program reads version 1"):
        StructureLibrary.open(path)


def test_the_library_is_the_option_then_the_variable_then_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XTAL_LIBRARY", str(tmp_path / "variable.sqlite"))
    assert library_path(tmp_path / "option.sqlite") == tmp_path / "option.sqlite"
    assert library_path(None) == tmp_path / "variable.sqlite"
    monkeypatch.delenv("XTAL_LIBRARY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert library_path(None).name == "library.sqlite"
    assert library_path(None).is_relative_to(tmp_path)
