"""`xtal density`, with a network that has learned nothing."""

import json
from typing import NamedTuple

import numpy as np
import pytest
from pymatgen.io.common import VolumetricData
from pymatgen.io.vasp import Chgcar

from xtal_core.cells import CellBatch
from xtal_core.cli.app import main
from xtal_core.testing.problems import problem_of
from xtal_crystalnet.density_map import electron_density
from xtal_crystalnet.density_report import true_density


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def density(salt, simulator, weights, tmp_path, monkeypatch, capsys):
    """Return a function that draws densities for the pattern of NaCl, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    pattern = problem_of(salt, simulator).pattern
    np.savetxt("salt.xy", np.column_stack([pattern.two_theta, pattern.intensity]), fmt="%.6f")

    def run(*arguments):
        options = ("--weights", weights, "--draws", 2, "--grid", 16, "--wavelength", "CuKa1", "--out", "out")
        code = main([str(argument) for argument in ("density", "salt.xy", "--formula", "NaCl", *options, *arguments)])
        return Outcome(code, *capsys.readouterr())

    return run


def test_densities_are_a_folder_with_files_that_other_programs_read(density, tmp_path):
    outcome = density("--cell", "5.64 5.64 5.64 90 90 90")
    assert (outcome.code, outcome.err) == (0, "")
    assert "written to out" in outcome.out
    folder = tmp_path / "out"
    record = json.loads((folder / "result.json").read_text())
    names = {path.name for path in folder.iterdir()}
    assert {"density-1.cube", "density-2.cube", "slices.png", "surfaces.png", "result.json"} <= names
    for number, each in enumerate(record["densities"], 1):
        data = VolumetricData.from_cube(folder / f"density-{number}.cube").data["total"]
        assert data.shape == (16, 16, 16)
        volume = abs(np.linalg.det(each["lattice"]))
        assert data.mean() / 0.529177**3 * volume == pytest.approx(each["electrons"], rel=1e-3)
        if each["atoms"] is not None:
            atoms = Chgcar.from_file(str(folder / f"CHGCAR-{number}")).structure
            assert atoms.composition.reduced_formula == "NaCl"
    residuals = [each["residual"] for each in record["densities"]]
    assert residuals == sorted(residuals)


def test_a_reference_is_compared_with_every_draw(density, salt, tmp_path):
    salt.to(filename=str(tmp_path / "salt.cif"))
    outcome = density("--reference", tmp_path / "salt.cif", "--json")
    record = json.loads(outcome.out)
    assert all(-1 <= each["ssim"] <= 1 and each["psnr"] > 0 for each in record["densities"])
    assert record["baseline"]["ssim"] > 0
    assert (tmp_path / "out" / "comparison.png").is_file()


def test_the_truth_is_in_the_setting_of_the_network_whatever_the_cell_of_the_reference(salt):
    found = true_density(salt, (16, 16, 16))
    assert found == pytest.approx(true_density(salt.get_primitive_structure(), (16, 16, 16)), abs=1e-6)
    assert found[0, 0, 0] == pytest.approx(electron_density(CellBatch.from_structures([salt])).values.max(), rel=1e-3)


def test_an_earlier_result_is_replaced_only_when_asked_for(density, tmp_path):
    assert density("--json").code == 0
    assert "--force" in density("--json").err
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert density("--json", "--force").code == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_densities_without_cores_are_neither_compared_with_the_pattern_nor_searched_for_atoms(
    density, file_weights, salt, tmp_path
):
    outcome = density("--weights", file_weights)
    assert "densities of CHGCAR files" in outcome.out
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["weights"]["densities"] == "CHGCAR files"
    assert [each["residual"] for each in record["densities"]] == [None, None]
    assert [each["atoms"] for each in record["densities"]] == [None, None]
    assert [path.name for path in (tmp_path / "out").glob("CHGCAR*")] == []
    salt.to(filename=str(tmp_path / "salt.cif"))
    refused = density("--weights", file_weights, "--reference", tmp_path / "salt.cif", "--force")
    assert (refused.code, refused.out) == (2, "")
    assert "the reference has those of independent atoms; leave out --reference" in refused.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--cell", "5.64 5.64"), "'5.64 5.64' is no cell of six numbers"),
        (("--weights", "no-such-weights"), "no-such-weights"),
    ],
)
def test_what_cannot_be_is_one_line(density, arguments, problem):
    outcome = density(*arguments)
    assert outcome.code == 2
    assert problem in outcome.err
    assert outcome.err.count("\n") == 1
