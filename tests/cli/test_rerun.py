"""A report's run file repeats the run."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from toys import rocksalt

TOYS = ("--simulator", "toy-simulator", "--refiner", "toy-refiner", "--generator", "toy", "--metric", "toy-metric")


def result_of(folder):
    """Return the record of a report without what is different every time."""
    record = json.loads((folder / "result.json").read_text())
    for name in ("date", "seconds", "command_line"):
        del record["provenance"][name]
    return record


@pytest.fixture
def solved(xtal, salt_pattern, tmp_path):
    """Solve with options of all kinds, from files named by relative paths."""
    rocksalt(5.64).to_file(str(tmp_path / "truth.cif"))
    q = np.linspace(0.9, 6, 900)
    np.savetxt(tmp_path / "empty.xy", np.column_stack([q, 50 * np.exp(-((q - 2.4) ** 2) / 0.05)]), header="Q intensity")
    arguments = ["solve", salt_pattern.name, "--formula", "Na4Cl4", "--wavelength", "CuKa1", *TOYS, "--generator"]
    arguments += [
        "toy-twin",
        "--set",
        "toy.edge=5.62",
        "--exclude",
        "30:32",
        "--exclude",
        "50:51",
        "--blank",
        "empty.xy",
    ]
    arguments += [
        "--background-terms",
        3,
        "--robust",
        "--reference",
        "truth.cif",
        "--seed",
        7,
        "--jobs",
        1,
        "--out",
        "out",
    ]
    outcome = xtal(*arguments)
    assert outcome.code == 0, outcome.err
    return tmp_path / "out"


def test_the_result_is_the_same_from_any_folder(xtal, solved, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outcome = xtal("rerun", solved / "run.toml", "--out", "again")
    assert (outcome.code, outcome.err) == (0, "")
    first, second = result_of(solved), result_of(tmp_path / "elsewhere" / "again")
    # The files are named by their whole paths now.
    second["problem"]["pattern"]["source"] = first["problem"]["pattern"]["source"]
    second["problem"]["pattern"]["blank"] = first["problem"]["pattern"]["blank"]
    second["provenance"]["input"] = first["provenance"]["input"]
    second["notes"] = [note.replace(f"{tmp_path}/", "") for note in second["notes"]]
    assert second == first
    for name in ("01.cif", "02.cif", "candidates.csv", "pattern.csv", "pattern.cif", "run.toml"):
        assert (tmp_path / "elsewhere" / "again" / name).read_bytes() == (solved / name).read_bytes(), name


def test_the_run_file_holds_every_option_defaults_included(solved):
    run = tomllib.loads((solved / "run.toml").read_text())
    assert (run["command"], run["arguments"]) == ("solve", [str(solved.parent / "salt.xy")])
    assert run["options"] == {
        "formula": "Na4Cl4", "generator": ["toy", "toy-twin"], "refiner": "toy-refiner", "simulator": "toy-simulator",
        "metric": "toy-metric", "wavelength": "CuKa1", "axis": "auto", "exclude": ["30:32", "50:51"],
        "blank": str(solved.parent / "empty.xy"), "background-terms": 3, "robust": True, "candidates": 10,
        "reference": str(solved.parent / "truth.cif"), "seed": 7, "jobs": 1,
    }  # fmt: skip
    assert run["plugins"]["toy"] == {"edge": 5.62, "fail": False, "empty": False}
    assert run["plugins"]["toy-refiner"] == {"interrupt_after": 0}
    assert {file["path"].rsplit("/", 1)[1] for file in run["files"]} == {"salt.xy", "empty.xy", "truth.cif"}


@pytest.mark.parametrize("name", ["salt.xy", "empty.xy", "truth.cif"])
def test_a_changed_input_is_an_error(xtal, solved, tmp_path, name):
    with (tmp_path / name).open("a") as file:
        file.write("\n")
    outcome = xtal("rerun", "out/run.toml")
    assert outcome.code == 2
    assert f"{name} is no longer the file that the run read" in outcome.err
    assert not (tmp_path / "out-rerun").exists()


def test_a_file_that_moved_can_be_named_anew(xtal, solved, tmp_path):
    (tmp_path / "salt.xy").rename(tmp_path / "moved.xy")
    assert "salt.xy, which the run read, is not there" in xtal("rerun", "out/run.toml").err
    text = (solved / "run.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("salt.xy", "moved.xy"))
    assert xtal("rerun", "mine.toml", "--out", "again", "--quiet").code == 0
    assert result_of(tmp_path / "again")["candidates"] == result_of(solved)["candidates"]


def test_a_run_of_another_version_is_pointed_out(xtal, solved, tmp_path):
    text = (solved / "run.toml").read_text()
    (tmp_path / "old.toml").write_text(text.replace('xtal = "', 'xtal = "0.0.'))
    outcome = xtal("rerun", "old.toml", "--out", "again")
    assert outcome.code == 0
    assert "old.toml was written by xtal 0.0." in outcome.err


def test_refinements_are_repeated_too(xtal, solved, salt_pattern, tmp_path):
    tools = ("--simulator", "toy-simulator", "--refiner", "toy-refiner")
    xtal("refine", salt_pattern, "truth.cif", "--wavelength", "CuKa1", *tools, "--out", "refined")
    assert xtal("rerun", "refined/run.toml").code == 0
    assert result_of(tmp_path / "refined-rerun")["candidates"] == result_of(tmp_path / "refined")["candidates"]


def test_libraries_are_among_the_files_and_found_from_anywhere(xtal, salt_pattern, tmp_path, monkeypatch):
    rocksalt(5.64).to_file(str(tmp_path / "salt.cif"))
    assert xtal("library", "add", "salt.cif", "--jobs", 1, "--library", "mine.sqlite").code == 0
    tools = ("--generator", "prototype", "--simulator", "powder", "--refiner", "none", "--jobs", 1)
    settings = ("--set", "prototype.table=no", "--set", "prototype.aflow=no")
    sample = (salt_pattern, "--formula", "NaCl", "--wavelength", "CuKa1")
    outcome = xtal("solve", *sample, "--library", "mine.sqlite", *tools, *settings, "--out", "out")
    assert outcome.code == 0, outcome.err
    run = tomllib.loads((tmp_path / "out" / "run.toml").read_text())
    assert run["plugins"]["prototype"]["library"] == str(tmp_path / "mine.sqlite")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outcome = xtal("rerun", tmp_path / "out" / "run.toml", "--out", "again")
    assert outcome.code == 0, outcome.err
    again = result_of(tmp_path / "elsewhere" / "again")
    assert again["candidates"] == result_of(tmp_path / "out")["candidates"]
