"""Structures are found in files, folders, tables and predictions; what cannot be used is named with its reason."""

from __future__ import annotations

import gzip

import pytest

from xtal_core.errors import InputError
from xtal_core.progress import SilentProgress
from xtal_study.sources import find_candidates, find_entries, read_entries


def read(*paths):
    return read_entries(find_entries(paths), 1, SilentProgress())


def test_a_table_gives_the_structures_of_its_rows_under_their_names(table, dozen):
    known, refusals = read(table)
    assert [one.name for one in known] == [one.name for one in dozen]
    assert [one.type for one in known] == [one.type for one in dozen]
    assert refusals == []


def test_a_compressed_table_is_read_too(table):
    packed = table.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(table.read_bytes()))
    assert find_entries([packed])[0].cif == find_entries([table])[0].cif


def test_folders_are_searched_at_any_depth(tmp_path, titania):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    titania.to(str(tmp_path / "deep" / "deeper" / "a.cif"))
    titania.to(str(tmp_path / "b.vasp"), fmt="poscar")
    known, _ = read(tmp_path)
    assert sorted(one.name for one in known) == ["b.vasp", "deep/deeper/a.cif"]


def test_partly_occupied_sites_are_refused_with_the_reason(tmp_path, titania):
    half = titania.copy()
    half.replace_species({"Ti": {"Ti": 0.5}})
    half.to(str(tmp_path / "half.cif"))
    titania.to(str(tmp_path / "whole.cif"))
    known, refusals = read(tmp_path)
    assert [one.name for one in known] == ["whole.cif"]
    assert refusals[0].name == "half.cif"
    assert "partly occupied" in refusals[0].reason


def test_a_row_that_is_no_structure_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("material_id,cif\nx,nonsense\n")
    known, refusals = read(path)
    assert known == []
    assert refusals[0].name == "x"
    assert "CIF" in refusals[0].reason


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "material_id,text\nx,y\n", "column 'cif' is missing"),
        ("a.csv", "material_id,cif\nx,\n", "line 2: the row has no cif"),
        ("a.csv", "material_id,cif\nx,data_\nx,data_\n", "x is there twice"),
        ("a.png", "", "neither a structure file nor a table"),
    ],
)
def test_what_cannot_be_read_at_all_says_why(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        find_entries([path])


def test_a_missing_path_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        find_entries([tmp_path / "nothing.cif"])
    with pytest.raises(InputError, match="no structure file"):
        find_entries([tmp_path])


def test_candidates_belong_to_the_structure_their_folder_is_named_after(tmp_path, table, titania):
    folder = tmp_path / "predictions" / "rutile Ti"
    folder.mkdir(parents=True)
    titania.to(str(folder / "01.cif"))
    (folder / "outcome.json").write_text("{}")
    (candidate,) = find_candidates(tmp_path / "predictions", find_entries([table]))
    assert (candidate.name, candidate.reference) == ("rutile Ti/01.cif", "rutile Ti")


def test_a_file_is_the_reference_of_the_folder_with_its_name_without_suffix(tmp_path, titania):
    titania.to(str(tmp_path / "rutile.cif"))
    folder = tmp_path / "predictions" / "rutile"
    folder.mkdir(parents=True)
    titania.to(str(folder / "01.cif"))
    (candidate,) = find_candidates(tmp_path / "predictions", find_entries([tmp_path / "rutile.cif"]))
    assert candidate.reference == "rutile.cif"


def test_candidates_of_an_unknown_structure_are_an_error(tmp_path, table):
    (tmp_path / "predictions" / "somebody else").mkdir(parents=True)
    with pytest.raises(InputError, match="somebody else"):
        find_candidates(tmp_path / "predictions", find_entries([table]))
