from dataclasses import replace

import pytest

from calibration_fit import NEVER, fit_calibration
from case_runs import RunFolder
from check_verdict import Run, check, main, read_run, result_page
from data_sets import Material, write_materials
from solution_run import solver_sources
from solution_toys import cif_of, judged, keep
from toys import caesium_chloride_type, rocksalt
from verdict_sample import Nanocrystals
from xtal_core.errors import InputError
from xtal_core.provenance import sha256

SALT, OTHER = rocksalt(5.64), caesium_chloride_type(3.5)
MATERIALS = [Material(name, cif_of(SALT), True) for name in ("first", "second", "third")]
MADE_WITH = {"materials": "abc", "sources": "def"}
NOISY = Nanocrystals(10.0, noise=True)


@pytest.fixture(scope="module")
def calibration():
    return fit_calibration(judged(400), ["gap", "misfit"]).calibration


def runs_of(solutions, failed=0):
    """Return the solutions as runs of their conditions; in the first, some more have no candidate."""
    conditions = dict.fromkeys(one.condition for one in solutions)
    runs = [Run(name, "command", None, [one for one in solutions if one.condition == name]) for name in conditions]
    return [replace(runs[0], failed=failed), *runs[1:]]


def page_of(record):
    return "".join(result_page(record | {"set": "test_200", "command": "python benchmarks/check_verdict.py"}))


def test_the_check_counts_what_the_words_promise(calibration):
    record = check(runs_of(judged(400, seed=9)), calibration)
    words = record["groups"]["all"]["words"]
    assert sum(word["n"] for word in words.values()) == record["groups"]["all"]["n"] == 400
    assert words["solved"]["right"] > 0.95 > words["not solved"]["right"]
    assert record["groups"]["all"]["expected_calibration_error"] < 0.05
    assert record["groups"]["condition 0"]["n"] == 200
    wrong = [row for row in record["rows"] if row["word"] == "solved" and not row["right"]]
    page = page_of(record)
    assert page.startswith("# test_200: is the verdict right?")
    assert page.count("\n- ") == len(wrong)
    assert "Not complete" not in page


def test_solutions_without_a_candidate_count_as_not_right(calibration):
    solutions = judged(400, seed=9)
    with_all, with_failed = (check(runs_of(solutions, failed), calibration)["groups"] for failed in (0, 100))
    for name, n in (("condition 0", 300), ("all", 500)):
        assert (with_failed[name]["n"], with_failed[name]["failed"]) == (n, 100)
        assert with_failed[name]["right"] == pytest.approx(with_all[name]["right"] * (n - 100) / n)
    assert with_failed["condition 1"] == with_all["condition 1"]
    for key in ("words", "expected_calibration_error"):
        assert with_failed["all"][key] == with_all["all"][key]


def test_aims_are_met_or_not(calibration):
    record = check(runs_of(judged(400, seed=9)), calibration)
    group = record["groups"]["all"]
    good, bad = (
        page_of(record | {"groups": {"all": group | {"expected_calibration_error": error, "words": words}}})
        for error, share in ((0.05, 0.97), (0.051, 0.969))
        for words in [group["words"] | {"solved": {"n": 100, "right": share}}]
    )
    assert "| expected calibration error | at most 0.05 | 0.050 | met |" in good
    assert "| share right of those called solved | at least 0.97 | 0.970 (100 solutions) | met |" in good
    assert bad.count("| not met |") == 2


def test_a_word_that_was_never_used_has_no_share(calibration):
    record = check(runs_of(judged(40)), replace(calibration, solved_from=NEVER))
    assert record["groups"]["all"]["words"]["solved"] == {"n": 0, "right": None}
    assert "None." in page_of(record)
    assert "| never called so | not met |" in page_of(record)


def kept(work, made_with=MADE_WITH, condition="10_noise", names=("first", "second", "third")):
    """Keep a run in the folder `work`: right, wrong, without a candidate."""
    folder = RunFolder(work / f"solve_test_200_{condition}")
    folder.open({**made_with, "size": 10.0})
    for name, structures in zip(names, ([SALT, OTHER], [OTHER], []), strict=False):
        keep(folder, name, structures)


def test_a_run_is_used_when_it_is_finished_and_of_the_same_program(tmp_path):
    kept(tmp_path)
    run = read_run("test_200", NOISY, MATERIALS, MADE_WITH, tmp_path)
    assert (run.problem, run.failed, [one.right for one in run.judged]) == (None, 1, [True, False])
    assert {one.condition for one in run.judged} == {"10 Å, noise"}


def test_runs_of_another_library_are_not_taken_for_the_usual_one(tmp_path):
    kept(tmp_path, condition="10_noise_table")
    assert read_run("test_200", NOISY, MATERIALS, MADE_WITH, tmp_path).problem == "not there"


def test_a_run_that_is_not_used_is_named_with_what_makes_it(tmp_path):
    command = "python benchmarks/solve_simulated.py test_200 --size 10 --noise"
    absent = read_run("test_200", NOISY, MATERIALS, MADE_WITH, tmp_path)
    assert (absent.problem, absent.command) == ("not there", command)
    kept(tmp_path, names=("first",))
    begun = read_run("test_200", NOISY, MATERIALS, MADE_WITH, tmp_path)
    assert (begun.problem, begun.command, begun.judged) == ("2 of 3 are not solved yet", command, ())
    old = read_run("test_200", NOISY, MATERIALS, MADE_WITH | {"sources": "new"}, tmp_path)
    assert (old.problem, old.command, old.judged) == ("made with other sources", f"{command} --fresh", ())


def test_the_page_names_the_runs_that_are_missing(calibration):
    absent = Run("10 Å, clean", "python benchmarks/solve_simulated.py test_200 --size 10", "not there")
    page = page_of(check([absent, *runs_of(judged(400))], calibration))
    assert "**Not complete**: 2 of 3 runs could be used." in page
    assert "- 10 Å, clean: not there; run `python benchmarks/solve_simulated.py test_200 --size 10`" in page


@pytest.fixture
def table(tmp_path, monkeypatch):
    path = tmp_path / "data" / "mp20" / "test_200.csv.gz"
    path.parent.mkdir(parents=True)
    write_materials(path, MATERIALS)
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))
    return path


def test_the_page_stays_with_the_runs_while_one_is_missing(tmp_path, table, monkeypatch):
    work, published = tmp_path / "work", tmp_path / "docs"
    monkeypatch.setattr("check_verdict.RESULTS", published)
    made_with = {"materials": sha256(table), "sources": solver_sources()}
    kept(work, made_with)
    main(["--work", str(work)])
    assert "3 runs" not in (work / "verdict_test_200.md").read_text()
    assert "1 of 4 runs could be used" in (work / "verdict_test_200.md").read_text()
    for condition in ("10", "100", "100_noise"):
        kept(work, made_with, condition)
    main(["--work", str(work)])
    page = (published / "verdict_test_200.md").read_text()
    assert "Not complete" not in page
    assert "| all | 12 | 4 | 0.333 |" in page


@pytest.mark.usefixtures("table")
def test_a_check_without_any_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"run python benchmarks/solve_simulated\.py test_200 --size 10 first"):
        main(["--work", str(tmp_path / "work")])
