from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from toys import rocksalt
from xtal_core.errors import InputError
from xtal_core.item import LeftOut
from xtal_core.pattern import Pattern
from xtal_core.readers.items import ItemReader
from xtal_core.readers.structure_table import is_structure_table, iterate_structure_table

READER = ItemReader(lambda: frozenset({".gr"}), wavelength="CuKa1")


def write_structure(path, edge=5.64):
    path.parent.mkdir(parents=True, exist_ok=True)
    fmt = {".cif": "cif", ".json": "json"}.get(path.suffix.lower(), "poscar")
    path.write_text(rocksalt(edge).to(fmt=fmt))
    return path


def write_pattern(path):
    two_theta = np.linspace(20, 80, 50)
    np.savetxt(path, np.column_stack([two_theta, 100 + two_theta % 7]))
    return path


def write_table(path, rows, header=("material_id", "cif")):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


CIF = rocksalt(5.64).to(fmt="cif")


@pytest.mark.parametrize("name", ["a.cif", "A.CIF", "POSCAR", "CONTCAR_relaxed", "a.vasp", "a.json"])
def test_a_structure_file_is_a_structure(tmp_path, name):
    item = READER.read(write_structure(tmp_path / name))
    assert item.kind == "structure"
    assert item.name == str(tmp_path / name)
    assert item.content.composition.reduced_formula == "NaCl"


@pytest.mark.parametrize("name", ["a.xy", "a.dat", "a.csv", "a.unheard-of"])
def test_any_other_file_is_a_pattern(tmp_path, name):
    item = READER.read(write_pattern(tmp_path / name))
    assert item.kind == "pattern"
    assert isinstance(item.content, Pattern)


def test_a_powder_cif_is_a_pattern_unless_it_holds_atoms_too(tmp_path):
    rows = "".join(f"{angle} {100 + angle % 7}\n" for angle in range(20, 60))
    profile = f"_diffrn_radiation_wavelength 1.5406\nloop_\n_pd_meas_2theta_scan\n_pd_meas_intensity_total\n{rows}"
    (tmp_path / "powder.cif").write_text(f"data_powder\n{profile}")
    (tmp_path / "both.cif").write_text(f"{CIF}\n{profile}")
    assert READER.read(tmp_path / "powder.cif").kind == "pattern"
    assert READER.read(tmp_path / "both.cif").kind == "structure"


def test_a_file_of_a_metric_is_left_to_the_metric(tmp_path):
    (tmp_path / "a.GR").write_text("whatever")
    item = READER.read(tmp_path / "a.GR")
    assert (item.kind, item.content) == ("own", tmp_path / "a.GR")
    assert item.describe() == "a .gr file"


def test_metrics_are_not_asked_about_files_that_are_known(tmp_path):
    def ask():
        raise AssertionError

    reader = ItemReader(ask, "CuKa1")
    reader.read(write_structure(tmp_path / "a.cif"))
    reader.read(write_pattern(tmp_path / "a.xy"))
    with pytest.raises(AssertionError):
        reader.read(tmp_path / "a.gr")


@pytest.mark.parametrize("kind", ["folder", "table", "two structures"])
def test_where_one_item_is_wanted_several_are_refused(tmp_path, kind):
    path = tmp_path
    if kind == "table":
        path = write_table(tmp_path / "a.csv", [["salt", CIF]])
    if kind == "two structures":
        path = tmp_path / "a.cif"
        path.write_text(CIF + CIF.replace("data_NaCl", "data_other"))
    with pytest.raises(InputError, match=r"holds (several|2) structures"):
        READER.read(path)


def test_a_folder_gives_its_structures_and_passes_over_other_kinds(tmp_path):
    for name in ("b.cif", "deep/er/a.cif", "POSCAR", "result.json"):
        write_structure(tmp_path / name)
    write_pattern(tmp_path / "pattern.xy")
    items, left_out = READER.read_all([tmp_path])
    assert [item.name for item in items] == ["POSCAR", "b.cif", "deep/er/a.cif"]
    assert left_out == []


def test_without_structures_a_folder_gives_the_next_kind(tmp_path):
    write_pattern(tmp_path / "pattern.xy")
    assert [item.kind for item in READER.read_all([tmp_path])[0]] == ["pattern"]
    (tmp_path / "a.gr").write_text("whatever")
    assert [item.kind for item in READER.read_all([tmp_path])[0]] == ["own"]
    write_structure(tmp_path / "a.json")
    assert [item.name for item in READER.read_all([tmp_path])[0]] == ["a.json"]


def test_files_of_two_folders_may_have_one_name(tmp_path):
    folders = [write_structure(tmp_path / name / "a.cif").parent for name in ("one", "two")]
    items, _ = READER.read_all(folders)
    assert [item.name for item in items] == [str(folder / "a.cif") for folder in folders]


def test_what_cannot_be_read_and_what_was_there_before_is_listed(tmp_path):
    good = write_structure(tmp_path / "good.cif")
    (tmp_path / "bad.cif").write_text("data_nothing\n")
    items, left_out = READER.read_all([good, tmp_path / "bad.cif", good])
    assert [item.name for item in items] == [str(good)]
    assert [entry.name for entry in left_out] == [str(tmp_path / "bad.cif"), str(good)]
    assert "holds no atoms" in left_out[0].reason
    assert "the name occurs before" in left_out[1].reason


def test_structures_of_one_file_are_numbered(tmp_path):
    (tmp_path / "two.cif").write_text(CIF + CIF.replace("data_NaCl", "data_other"))
    items, _ = READER.read_all([tmp_path])
    assert [item.name for item in items] == ["two.cif#1", "two.cif#2"]


@pytest.mark.parametrize(("make", "reason"), [(False, "there is no such file or folder"), (True, "nothing to compare")])
def test_a_path_with_nothing_is_an_error(tmp_path, make, reason):
    path = tmp_path / "inside"
    if make:
        path.mkdir()
    with pytest.raises(InputError, match=reason):
        READER.read_all([path])


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_a_table_gives_a_structure_a_row_and_the_reason_where_it_does_not(tmp_path, name):
    two = CIF + CIF.replace("data_NaCl", "data_other")
    disordered = Structure(Lattice.cubic(4), [{"Na": 0.9}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(fmt="cif")
    rows = [["salt", CIF], ["none", " "], ["two", two], ["odd", "data_x"], ["vacancies", disordered]]
    path = write_table(tmp_path / name, rows)
    assert is_structure_table(path)
    items, left_out = READER.read_all([path])
    assert [item.name for item in items] == ["salt", "vacancies"]
    reasons = {entry.name: entry.reason for entry in left_out}
    lines = {row.name: row.line for row in iterate_structure_table(path)}
    assert f"line {lines['none']}: the cell of the column 'cif' is empty" in reasons["none"]
    assert f"line {lines['two']}: holds 2 structures" in reasons["two"]
    assert f"line {lines['odd']}: holds no atoms" in reasons["odd"]
    assert all(isinstance(entry, LeftOut) for entry in left_out)


def test_rows_are_placed_at_the_line_where_they_begin(tmp_path):
    path = write_table(tmp_path / "a.csv", [["x", "1\n2\n3"], ["y", "4"]])
    assert [(row.name, row.line) for row in iterate_structure_table(path)] == [("x", 2), ("y", 5)]


def test_rows_without_a_name_are_called_by_their_line(tmp_path):
    path = write_table(tmp_path / "a.csv", [[CIF], [CIF]], header=["cif"])
    names = [item.name for item in READER.read_all([path])[0]]
    assert names == ["a.csv line 2", f"a.csv line {3 + CIF.count(chr(10))}"]


def test_other_columns_are_kept(tmp_path):
    path = write_table(tmp_path / "a.csv", [["salt", "data_", "AB"]], header=["id", "cif", "protostructure"])
    (row,) = iterate_structure_table(path)
    assert (row.name, row.columns["protostructure"]) == ("salt", "AB")


def test_a_pattern_in_columns_is_no_table_of_structures(tmp_path):
    (tmp_path / "a.csv").write_text("2theta,intensity\n10,3\n")
    assert not is_structure_table(tmp_path / "a.csv")
    assert not is_structure_table(tmp_path / "absent.csv")
    assert not is_structure_table(tmp_path)
    with pytest.raises(InputError, match="the column 'cif' is missing"):
        list(iterate_structure_table(tmp_path / "a.csv"))


def test_a_table_that_breaks_off_is_an_error(tmp_path):
    path = write_table(tmp_path / "a.csv.gz", [[f"salt {i}", f"{i} {CIF}"] for i in range(200)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="the table cannot be read"):
        list(iterate_structure_table(path))
    with pytest.raises(InputError, match="there is no such file"):
        list(iterate_structure_table(Path("absent.csv")))
