import argparse
import sys

import pytest

import case_runs
from data_sets import Material, write_materials
from solution_run import (
    add_run_options,
    command_line,
    describe_making,
    making_text,
    run_benchmark,
    run_cases,
    searched,
    solver_sources,
)
from structure_library import NOT_SEARCHED, Library, digest_of_files, find_library
from toys import rocksalt
from xtal_core.errors import InputError


def test_a_page_says_how_it_was_made(making):
    text = making_text(making)
    assert "`python benchmarks/solve_simulated.py`" in text
    assert "library mp20/train (SHA-256 0123456789ab…)" in text
    assert "fit (keep 24); bare (no options)" in text
    assert text.endswith("- Seed: 7\n")


def test_a_run_without_a_library_says_so(making):
    assert searched(making | {"library": {"name": "none", "sha256": None}}) == "no structure library"


def test_a_run_that_searched_no_known_types_says_so(making):
    making |= {"library": {"name": NOT_SEARCHED.name, "sha256": None}}
    assert searched(making) == "no search of known types"
    assert "- Searched: no search of known types\n" in making_text(making)


def test_the_option_that_names_the_library_file_is_left_out(tmp_path):
    tool = {"name": "prototype", "options": {"library": str(tmp_path), "candidates": 100}}
    provenance = {"xtal": "1", "python": "3.11", "packages": {"numpy": "2"}, "plugins": [tool], "seed": 0}
    making = describe_making("command", Library("none", None), "abc", provenance)
    assert making["plugins"] == [{"name": "prototype", "options": {"candidates": 100}}]
    assert making["packages"] == {"python": "3.11", "numpy": "2"}


def test_files_in_the_command_are_shown_by_their_names(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "solve_simulated.py")])
    shown = command_line([str(tmp_path / "my table.csv"), "--size", "10"])
    assert shown == "python benchmarks/solve_simulated.py 'my table.csv' --size 10"


def test_a_library_is_searched_alone_or_not_at_all(tmp_path):
    assert find_library("table", tmp_path, 1).settings == {"prototype": {"use_library": False}}
    file = tmp_path / "own.sqlite"
    file.write_bytes(b"library")
    library = find_library(str(file), tmp_path, 1)
    assert library.settings == {"prototype": {"library": str(file)}}
    assert library.name == "own.sqlite"
    with pytest.raises(InputError, match="there is no such library"):
        find_library(str(tmp_path / "absent.sqlite"), tmp_path, 1)


@pytest.mark.parametrize(
    ("choice", "name", "n"), [("train", "mp20/train", 1), ("known", "mp20/train and mp52_extra/train", 2)]
)
def test_the_library_of_the_training_sets_is_made_once(choice, name, n, tmp_path, monkeypatch, capsys):
    for number, folder in enumerate(("mp20", "mp52_extra")):
        table = tmp_path / "data" / folder / "train.csv.gz"
        table.parent.mkdir(parents=True)
        write_materials(table, [Material(f"mp-{number}", rocksalt(5.64 + 0.3 * number).to(fmt="cif"), None)])
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))
    library = find_library(choice, tmp_path / "work", 1)
    assert f"{n} structures in all" in capsys.readouterr().out
    assert library.name == name
    assert library.settings == {"prototype": {"library": str(library.path)}}
    assert find_library(choice, tmp_path / "work", 1).path == library.path
    assert capsys.readouterr().out == ""
    assert [path.name for path in library.path.parent.iterdir()] == [library.path.name]


def test_a_digest_changes_with_names_and_contents(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    file = folder / "a.py"
    digests = []
    for change in (lambda: file.write_text("1"), lambda: file.write_text("22"), lambda: file.rename(folder / "b.py")):
        change()
        digests.append(digest_of_files([folder]))
    assert len(set(digests)) == 3
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "b.pyc").touch()
    (folder / "notes.txt").touch()
    assert digest_of_files([folder], "*.py") == digests[-1]
    assert digest_of_files([folder], leave_out=("notes.txt",)) == digests[-1] != digest_of_files([folder])


def test_the_calibration_of_the_verdict_is_no_part_of_the_solver(tmp_path, monkeypatch):
    data = tmp_path / "core" / "data"
    data.mkdir(parents=True)
    (tmp_path / "plugins").mkdir()
    (data / "ranking.py").write_text("1")
    monkeypatch.setattr("solution_run.ROOT", tmp_path)
    before = solver_sources()
    (data / "verdict_calibration.json").write_text("{}")
    (data / "VERDICT_NANOCRYSTALS.md").write_text("card")
    (data / "VERDICT_LABORATORY.md").write_text("card")
    assert solver_sources() == before
    (data / "ranking.py").write_text("2")
    assert solver_sources() != before


@pytest.fixture
def toy_run(tmp_path, toy_tools, monkeypatch):
    """Return a function that runs a case with the options of a command line and a usual library."""
    monkeypatch.setattr("solution_run.find_library", lambda choice, *_: Library(choice, None))

    def solved(cases, plan, folder, workers, progress):
        return {case.name: case_runs.solve_case(case, toy_tools(), folder) for case in cases}

    monkeypatch.setattr("solution_run.solve_cases", solved)

    def run(case, *arguments, **usual):
        parser = argparse.ArgumentParser()
        add_run_options(parser)
        chosen = parser.parse_args(["--work", str(tmp_path / "work"), *arguments])
        return run_cases("solve_set", [case], {}, chosen, arguments, **usual)

    return run


def test_only_a_library_that_is_not_the_usual_one_is_in_the_name_of_the_page(toy_run, salt_case):
    runs = [
        toy_run(salt_case()),
        toy_run(salt_case(), "--library", "known"),
        toy_run(salt_case(), usual_library="known"),
        toy_run(salt_case(), "--library", "train", usual_library="known"),
        toy_run(salt_case(), "--library", "known", "--fresh", usual_library="known"),
    ]
    assert [(run.name, run.making["library"]["name"]) for run in runs] == [
        ("solve_set", "train"),
        ("solve_set_known", "known"),
        ("solve_set", "known"),
        ("solve_set_train", "train"),
        ("solve_set", "known"),
    ]


def test_other_generators_are_in_the_name_of_the_page_and_search_no_library(toy_run, salt_case):
    alone = toy_run(salt_case(), generators=["pxrdnet"])
    both = toy_run(salt_case(), generators=["prototype", "pxrdnet"])
    assert (alone.name, alone.making["library"]["name"]) == ("solve_set_pxrdnet", "not searched")
    assert (alone.plan.generators, alone.plan.settings) == (("pxrdnet",), {})
    assert (both.name, both.making["library"]["name"]) == ("solve_set_prototype-pxrdnet", "train")
    assert both.plan.settings == {"prototype": {"use_library": False}}


def test_errors_are_one_line_and_an_exit_code(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmark"])

    def refuse(arguments):
        raise InputError("this is wrong", "mend it")

    def interrupt(arguments):
        raise KeyboardInterrupt

    assert run_benchmark(refuse) == 2
    assert run_benchmark(interrupt) == 130
    assert run_benchmark(lambda arguments: None) == 0
    assert capsys.readouterr().err.splitlines()[0] == "error: this is wrong; mend it"
