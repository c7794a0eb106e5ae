import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from data_sets import Material, write_materials
from simulator import main


@pytest.fixture
def validation_set(tmp_path, monkeypatch):
    """A table of two structures, one of them large enough for the Jacobians' part."""
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]]
    )
    folder = tmp_path / "data" / "mp20"
    folder.mkdir(parents=True)
    materials = [Material(str(n), (rutile * (n, 1, 1)).to(fmt="cif"), None) for n in (1, 2)]
    write_materials(folder / "val.csv.gz", materials)
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))


@pytest.mark.usefixtures("validation_set")
def test_the_page_has_the_figures_that_are_in_the_record(tmp_path):
    assert main(["--structures", "2", "--repeats", "1", "--out", str(tmp_path / "results")]) == 0
    record = json.loads((tmp_path / "results" / "simulator.json").read_text())
    page = (tmp_path / "results" / "simulator.md").read_text()
    for milliseconds in record["speed"]["milliseconds"].values():
        assert milliseconds > 0
    for ratio in record["speed"]["ratios"].values():
        assert f"| {ratio:.0f} |" in page
    assert "simulator.py --structures 2" in page


@pytest.mark.usefixtures("validation_set")
def test_both_sides_are_compared_reflection_by_reflection(tmp_path):
    main(["--structures", "2", "--repeats", "1", "--out", str(tmp_path)])
    rows = json.loads((tmp_path / "simulator.json").read_text())["agreement"]
    same_peaks = [row["largest"] for row in rows if row["pymatgen"] == "every reflection" or row["intensity_floor"] > 0]
    assert len(same_peaks) == 4
    assert np.max(same_peaks) < 1e-6


def test_missing_data_are_an_error_with_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XTAL_DATA", str(tmp_path))
    assert main([]) == 2
    assert "set XTAL_DATA" in capsys.readouterr().err
