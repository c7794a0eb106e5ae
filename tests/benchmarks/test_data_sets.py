import gzip

import pytest

from data_sets import Material, data_file, protocol_script, read_materials, write_materials
from xtal_core.errors import InputError

TABLE = 'material_id,cif,prototype_in_train\na,"data_a\n_x 1",True\nb,data_b,False\nc,data_c,\n'


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


def test_a_table_gives_its_materials_and_whether_their_type_is_known(table):
    first, second, third = read_materials(table)
    assert first == Material("a", "data_a\n_x 1", True)
    assert (second.prototype_in_train, third.prototype_in_train) == (False, None)


def test_a_limit_takes_the_first(table):
    assert [material.material_id for material in read_materials(table, 2)] == ["a", "b"]


def test_what_is_written_for_the_judge_is_read_back(tmp_path, table):
    materials = read_materials(table)
    write_materials(tmp_path / "again.csv.gz", materials)
    again = read_materials(tmp_path / "again.csv.gz")
    assert [(material.material_id, material.cif) for material in again] == [(m.material_id, m.cif) for m in materials]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("material_id,structure\na,b\n", "the column cif is missing"),
        ("material_id,cif\n", "the table is empty"),
        ("material_id,cif\na,x\na,y\n", "line 3: a is there twice"),
    ],
)
def test_other_tables_are_refused(table, content, complaint):
    table.write_text(content)
    with pytest.raises(InputError, match=complaint):
        read_materials(table)


def test_a_truncated_archive_is_refused(tmp_path):
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(TABLE.encode())[:-10])
    with pytest.raises(InputError, match="the table cannot be read"):
        read_materials(path)


def test_absent_data_say_which_variable_to_set(monkeypatch, tmp_path):
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("XTAL_BENCH", raising=False)
    with pytest.raises(InputError, match="there is no mp20; set XTAL_DATA"):
        data_file("mp20")
    with pytest.raises(InputError, match=r"there is no judge\.py; set XTAL_BENCH"):
        protocol_script("judge.py")


def test_the_protocol_is_looked_for_beside_the_data(monkeypatch, tmp_path):
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("XTAL_BENCH", raising=False)
    script = tmp_path / "bench" / "judge.py"
    script.parent.mkdir()
    script.touch()
    assert protocol_script("judge.py") == script
