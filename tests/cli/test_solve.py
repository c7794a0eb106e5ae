from __future__ import annotations

import csv
import json

import pytest
from pymatgen.core import Structure

from toys import caesium_chloride_type, rocksalt

TOYS = ("--simulator", "toy-simulator", "--refiner", "toy-refiner", "--generator", "toy", "--metric", "toy-metric")


@pytest.fixture
def solve(xtal, salt_pattern):
    """Return a function that solves the toy pattern of NaCl."""

    def run(*arguments, formula="NaCl", tools=TOYS):
        return xtal("solve", salt_pattern, "--formula", formula, "--wavelength", "CuKa1", *tools, *arguments)

    return run


def one_line_error(outcome, code):
    assert outcome.code == code, outcome.err
    assert outcome.err.startswith("xtal: error: ")
    assert outcome.err.count("\n") == 1
    return outcome.err


def test_a_solution_is_a_folder_with_everything_in_it(solve, tmp_path):
    outcome = solve("--out", "out")
    assert (outcome.code, outcome.err) == (0, "")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "01.cif", "02.cif", "candidates.csv", "pattern.cif", "pattern.csv", "plot.png", "result.json", "run.toml",
    }  # fmt: skip
    first = Structure.from_file(tmp_path / "out" / "01.cif")
    assert first.matches(rocksalt(5.64), scale=False)
    assert len(first) == 8
    assert "Fm-3m (225)" in outcome.out
    assert "written to out" in outcome.out


def test_the_folder_is_named_after_the_pattern_unless_told_otherwise(solve, tmp_path):
    assert solve().code == 0
    assert (tmp_path / "salt-solution" / "result.json").is_file()


def test_the_verdict_is_printed_after_the_table_and_recorded(solve, tmp_path):
    outcome = solve("--out", "out")
    verdict = json.loads((tmp_path / "out" / "result.json").read_text())["verdict"]
    assert verdict["word"] == "not assessed"
    assert verdict["features"]["gap"] > 0
    printed = "verdict: not assessed: the refiner was toy-refiner, calibrated is fit; the simulator was toy-simulator"
    assert outcome.out.index("CsCl type") < outcome.out.index(printed) < outcome.out.index("written to out")


def test_tables_agree_with_each_other_and_with_the_files(solve, tmp_path):
    solve("--out", "out")
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    rows = list(csv.DictReader((tmp_path / "out" / "candidates.csv").open()))
    for row, candidate in zip(rows, record["candidates"], strict=True):
        written = Structure.from_file(tmp_path / "out" / row["file"])
        assert float(row["r2wp"]) == pytest.approx(candidate["r2wp"], rel=1e-5)
        assert float(row["volume"]) == pytest.approx(written.volume, rel=1e-6)
        assert candidate["cell"]["a"] == pytest.approx(written.lattice.a, rel=1e-6)
    points = list(csv.DictReader((tmp_path / "out" / "pattern.csv").open()))
    assert len(points) == record["problem"]["pattern"]["points"] == 700
    for point in points[::100]:
        difference = float(point["observed"]) - float(point["calculated"])
        assert float(point["difference"]) == pytest.approx(difference, abs=1e-3)


def test_cifs_say_what_they_are_in_comments(solve, tmp_path):
    solve("--out", "out")
    text = (tmp_path / "out" / "01.cif").read_text()
    assert text.startswith("# rank 1: NaCl\n# R2wp: ")
    assert "# generator: toy\n# origin: rock salt" in text


def test_json_is_the_record_and_nothing_else(solve, tmp_path):
    outcome = solve("--out", "out", "--json", "--seed", "3")
    assert json.loads(outcome.out) == json.loads((tmp_path / "out" / "result.json").read_text())
    assert json.loads(outcome.out)["provenance"]["seed"] == 3
    assert outcome.err == ""


def test_quiet_prints_nothing(solve):
    outcome = solve("--out", "out", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_the_same_command_gives_the_same_result(solve):
    records = [json.loads(solve("--json", "--out", "out", "--force").out) for _ in range(2)]
    for record in records:
        del record["provenance"]["date"], record["provenance"]["seconds"]
    assert records[0] == records[1]


def test_the_input_is_hashed(solve, salt_pattern):
    import hashlib

    record = json.loads(solve("--json").out)
    digest = hashlib.sha256(salt_pattern.read_bytes()).hexdigest()
    assert record["provenance"]["input"] == [{"path": str(salt_pattern), "sha256": digest}]


def test_a_reference_is_scored_but_changes_no_rank(solve, tmp_path):
    caesium_chloride_type(3.5).to_file(str(tmp_path / "truth.cif"))
    plain = json.loads(solve("--json", "--out", "a").out)
    scored = json.loads(solve("--json", "--out", "b", "--reference", "truth.cif").out)
    scores = [
        {score["metric"]: score["value"] for score in candidate.pop("reference_scores")}
        for candidate in scored["candidates"]
    ]
    for candidate in plain["candidates"]:
        assert candidate.pop("reference_scores") == []
    assert scored["candidates"] == plain["candidates"]
    # The reference is the wrong structure, the second candidate; that one is nearest, and still second.
    assert scores[1]["toy-metric"] < scores[0]["toy-metric"]


def test_ranking_never_sees_the_reference(solve, tmp_path, monkeypatch):
    truth = rocksalt(5.64)
    truth.to_file(str(tmp_path / "truth.cif"))
    from xtal_core.cli import answer as command

    seen = []

    def spy(problem, tools, *_):
        seen.extend([problem, tools])
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "solve_problem", spy)
    solve("--reference", "truth.cif")
    problem, tools = seen
    fields = [getattr(problem, name) for name in problem.__dataclass_fields__]
    fields += [getattr(tools.plan, name) for name in tools.plan.__dataclass_fields__]
    assert not any(isinstance(field, Structure) or "truth" in str(field) for field in fields)


def test_a_formula_written_as_cell_content_sets_z_and_says_so(solve):
    record = json.loads(solve("--json", formula="Na4Cl4").out)
    assert record["problem"]["formula"] == "NaCl"
    assert record["problem"]["z"] == 4
    assert "Na4Cl4 was taken as the cell content: Z = 4 of NaCl" in record["notes"]


def test_a_formula_that_contradicts_z_is_refused(solve):
    error = one_line_error(solve("--z", 2, formula="Na4Cl4"), 2)
    assert "Na4Cl4 is 4 NaCl, which contradicts --z 2; write --formula NaCl --z 2" in error
    assert json.loads(solve("--z", 4, "--json", formula="Na4Cl4").out)["problem"]["z"] == 4


def test_nothing_found_is_a_failure_with_a_report(solve, tmp_path):
    outcome = solve("--out", "out", "--set", "toy.empty=true")
    assert outcome.code == 1
    assert "xtal: error: no structure was found for NaCl" in outcome.err
    assert json.loads((tmp_path / "out" / "result.json").read_text())["candidates"] == []
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "candidates.csv", "pattern.csv", "plot.png", "result.json", "run.toml",
    }  # fmt: skip


def test_interruption_leaves_what_was_finished(solve, tmp_path):
    outcome = solve("--out", "out", "--set", "toy-refiner.interrupt_after=2", "--set", "toy.edge=5.62")
    assert outcome.code == 130
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["interrupted"]
    assert record["candidates"][0]["origin"] == "rock salt"
    assert "2 of 3 candidates were finished" in outcome.out
    assert outcome.err == "interrupted: ranking what was finished\n"


def interrupt_writing(monkeypatch, times):
    """Interrupt the writing of reports so many times, in the middle of it."""
    from xtal_core.report import writer

    left = [None] * times
    write_plot = writer.write_plot

    def write(*arguments):
        if left:
            left.pop()
            raise KeyboardInterrupt
        write_plot(*arguments)

    monkeypatch.setattr(writer, "write_plot", write)


def test_interruption_of_the_report_leaves_a_whole_one(solve, tmp_path, monkeypatch):
    interrupt_writing(monkeypatch, 1)
    outcome = solve("--out", "out")
    assert (outcome.code, outcome.err) == (130, "interrupted: writing the report; once more leaves none\n")
    assert {"01.cif", "plot.png", "result.json", "run.toml"} <= {path.name for path in (tmp_path / "out").iterdir()}
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["interrupted"]
    assert record["candidates"][0]["agreement"]


def test_a_second_interruption_leaves_nothing(solve, tmp_path, monkeypatch):
    interrupt_writing(monkeypatch, 2)
    outcome = solve("--out", "out")
    assert (outcome.code, outcome.err.splitlines()[-1]) == (130, "xtal: interrupted")
    assert not (tmp_path / "out").exists()


def test_a_failing_plugin_is_named_and_leaves_nothing(solve, tmp_path):
    error = one_line_error(solve("--out", "out", "--set", "toy.fail=true"), 3)
    assert "plugin toy: RuntimeError: the toy is broken" in error
    assert [path.name for path in tmp_path.iterdir()] == ["salt.xy"]


def test_a_folder_with_something_in_it_is_not_touched(solve, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    assert "out is not empty" in one_line_error(solve("--out", "out"), 2)
    assert "something other than an earlier report" in one_line_error(solve("--out", "out", "--force"), 2)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_force_replaces_an_earlier_report_and_keeps_other_files(solve, tmp_path):
    solve("--out", "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert solve("--out", "out", "--force", "--candidates", 1).code == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "01.cif", "candidates.csv", "pattern.cif", "pattern.csv", "plot.png", "result.json", "run.toml", "notes.txt",
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"out", "salt.xy"}


def test_out_below_a_file_is_refused(solve, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in one_line_error(solve("--out", "file"), 2)
    assert "is a file" in one_line_error(solve("--out", "file/out"), 2)


def test_missing_parents_of_out_are_created(solve, tmp_path):
    assert solve("--out", "a/b/c").code == 0
    assert (tmp_path / "a" / "b" / "c" / "result.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"a", "salt.xy"}


def test_without_a_refiner_candidates_are_ranked_as_they_are(solve):
    record = json.loads(solve("--json", "--refiner", "none").out)
    assert record["candidates"][0]["cell"]["a"] == pytest.approx(5.64)
    assert {plugin["kind"] for plugin in record["provenance"]["plugins"]} == {"simulator", "generator", "metric"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--generator", "toi"), "there is no generator 'toi'; did you mean 'toy'?"),
        (("--refiner", "fitt"), "there is no refiner 'fitt'; did you mean 'fit'?"),
        (("--set", "toy.egde=5"), "did you mean 'edge'?"),
        (("--set", "nonsense"), "is not of the form plugin.option=value"),
        (("--size", "-3"), "the crystallite size is -3 Å; give a positive size in Å"),
        (("--size", "inf"), "the crystallite size is inf Å"),
        (("--space-group", "231"), "space group 231 does not exist"),
        (("--z", "0"), "z is 0"),
        (("--candidates", "0"), "ask for at least 1"),
        (("--wavelength", "CuKq"), "CuK"),
        (("--axis", "three-theta"), "--axis"),
        (("--seed", "-1"), "--seed"),
        (("--jobs", "0"), "--jobs"),
        (("--reference", "absent.cif"), "absent.cif"),
        (("--no-such-option",), "No such option: --no-such-option; see xtal solve --help"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(solve, tmp_path, arguments, message):
    assert message in one_line_error(solve("--out", "out", *arguments), 2)
    assert [path.name for path in tmp_path.iterdir()] == ["salt.xy"]


@pytest.fixture
def plans(monkeypatch):
    """Return a list that gets the plan of every run, which ends there."""
    from xtal_core.cli import answer as command

    seen = []

    def spy(problem, tools, *_):
        seen.append(tools.plan)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "solve_problem", spy)
    return seen


def test_the_library_goes_to_every_generator_that_searches_one(solve, plans):
    solve("--generator", "prototype", "--library", "mine.sqlite", "--set", "prototype.table=no")
    (plan,) = plans
    assert plan.generators == ("toy", "prototype")
    assert plan.settings == {"prototype": {"table": "no", "library": "mine.sqlite"}}


def test_a_library_named_twice_must_be_the_same(solve, plans):
    library = ("--generator", "prototype", "--library", "mine.sqlite")
    solve(*library, "--set", "prototype.library=mine.sqlite")
    assert plans[0].settings == {"prototype": {"library": "mine.sqlite"}}
    error = one_line_error(solve(*library, "--set", "prototype.library=other.sqlite"), 2)
    assert "--library mine.sqlite contradicts --set prototype.library=other.sqlite" in error


def test_a_known_cell_is_given_to_the_generators_that_use_it(solve, plans):
    solve("--generator", "crystalnet", "--cell", "4 4 4 90 90 90")
    assert plans[0].settings == {"crystalnet": {"cell": "4 4 4 90 90 90"}}


def test_a_known_cell_that_no_generator_uses_is_refused(solve):
    error = one_line_error(solve("--cell", "4 4 4 90 90 90"), 2)
    assert "none of the generators toy makes use of a known cell; leave out --cell" in error


def test_a_library_that_nobody_searches_is_refused(solve):
    error = one_line_error(solve("--library", "mine.sqlite"), 2)
    assert "none of the generators toy searches a library; leave out --library" in error


def test_a_library_that_does_not_exist_is_refused(solve, tmp_path):
    tools = ("--generator", "prototype", "--simulator", "toy-simulator", "--refiner", "none")
    error = one_line_error(solve("--library", "absent.sqlite", tools=tools), 2)
    assert "absent.sqlite" in error
    assert "xtal library add" in error
    assert [path.name for path in tmp_path.iterdir()] == ["salt.xy"]


@pytest.mark.parametrize("formula", ["", "NaXx", "Na0.5Cl", "hello!"])
def test_bad_formulas_are_one_line(solve, formula):
    one_line_error(solve(formula=formula), 2)


def test_a_missing_formula_is_one_line(xtal, salt_pattern):
    assert "--formula" in one_line_error(xtal("solve", salt_pattern), 2)


def test_a_missing_pattern_is_one_line(xtal):
    assert "absent.xy" in one_line_error(xtal("solve", "absent.xy", "--formula", "NaCl", "--wavelength", "1.54"), 2)
