import json

import pytest
from pymatgen.core import Lattice, Structure

from data_sets import Material, write_materials
from overfit import main


@pytest.fixture
def training_set(tmp_path, monkeypatch):
    """A table of three structures."""
    folder = tmp_path / "data" / "mp20"
    folder.mkdir(parents=True)
    structures = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(length), [metal, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for metal, length in (("Mg", 4.21), ("Ni", 4.18), ("Ca", 4.81))
    ]
    materials = [Material(str(i), structure.to(fmt="cif"), None) for i, structure in enumerate(structures)]
    write_materials(folder / "train.csv.gz", materials)
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))


@pytest.mark.usefixtures("training_set")
def test_the_page_has_the_figures_that_are_in_the_record(tmp_path):
    out = tmp_path / "results"
    assert main(["--structures", "2", "--steps", "3", "--out", str(out)]) == 0
    record = json.loads((out / "overfit.json").read_text())
    page = (out / "overfit.md").read_text()
    assert record["data"]["structures"] == 2
    assert record["training"]["atoms_mean"] == 2
    for row in record["reconstruction"]["matches"]:
        assert 0 <= row["matched"] <= 1
        assert f"| {100 * row['matched']:.0f} |" in page
    assert [row["steps"] for row in record["losses"]] == [1, 2, 3]
    assert "overfit.py --structures 2 --steps 3" in page


def test_missing_data_are_an_error_with_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XTAL_DATA", str(tmp_path))
    assert main([]) == 2
    assert "set XTAL_DATA" in capsys.readouterr().err
