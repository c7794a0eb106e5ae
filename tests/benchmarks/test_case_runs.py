from pathlib import Path

import pytest
from pymatgen.core import Structure

import case_runs
from case_runs import Case, RunFolder, solve_case, solve_cases
from xtal_core.errors import InputError
from xtal_core.progress import SilentProgress

TOYS = Path(__file__).resolve().parents[1] / "toys" / "distribution"


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.open({"sources": "a"})
    return folder


def test_a_solved_case_is_kept_as_ranked_cifs_and_found_again(run, toy_tools, salt_case):
    outcome = solve_case(salt_case(), toy_tools(), run)
    files = sorted(path.name for path in (run.solutions / "salt").iterdir())
    assert files == ["01.cif", "02.cif", "outcome.json"]
    assert Structure.from_file(run.solutions / "salt" / "01.cif").composition.reduced_formula == "NaCl"
    assert [candidate["space_group"]["number"] for candidate in outcome.candidates] == [225, 221]
    assert outcome.failure is None
    assert outcome.cpu_seconds > 0
    assert outcome.seconds > 0
    assert run.outcome("salt") == outcome


def test_the_solver_is_told_what_the_case_says(run, toy_tools, salt_case):
    problem = solve_case(salt_case(), toy_tools(), run).result["problem"]
    assert (problem["formula"], problem["z"], problem["crystallite_size"]) == ("NaCl", 4, None)
    assert problem["pattern"]["radiation"]["name"] == "CuKa1"


def test_a_case_that_fails_gives_its_reason_and_is_tried_again(run, toy_tools, salt_case):
    outcome = solve_case(salt_case(), toy_tools(fail=True), run)
    assert outcome.failure == "PluginError: plugin toy: RuntimeError: the toy is broken"
    assert run.outcome("salt") is None
    assert [path.name for path in (run.solutions / "salt").iterdir()] == ["outcome.json"]


def test_a_file_that_cannot_be_read_is_the_failure_of_its_case_alone(run, toy_tools, tmp_path):
    outcome = solve_case(Case("gone", tmp_path / "gone.xy", "CuKa", "NaCl"), toy_tools(), run)
    assert "gone.xy: there is no such file" in outcome.failure


def test_a_case_without_candidates_is_finished_but_a_failure(run, toy_tools, salt_case):
    assert solve_case(salt_case(), toy_tools(empty=True), run).failure == "no candidate was found"
    assert run.outcome("salt") is not None


def test_a_second_solution_replaces_the_first_completely(run, toy_tools, salt_case):
    solve_case(salt_case(), toy_tools(), run)
    solve_case(salt_case(), toy_tools(empty=True), run)
    assert [path.name for path in (run.solutions / "salt").iterdir()] == ["outcome.json"]


def test_finished_cases_are_not_solved_again(run, toy_tools, toy_plan, salt_case, monkeypatch):
    kept = solve_case(salt_case(), toy_tools(), run)
    monkeypatch.setattr(case_runs, "ProcessPoolExecutor", None)  # starting workers would fail
    assert solve_cases([salt_case()], toy_plan(), run, 2, SilentProgress()) == {"salt": kept}
    assert run.sessions == []


def test_worker_processes_solve_what_is_missing_and_their_time_is_kept(
    run, toy_tools, toy_plan, salt_case, monkeypatch
):
    monkeypatch.syspath_prepend(str(TOYS))  # inherited by the workers, who see the toys installed
    for name in case_runs.ONE_THREAD:
        monkeypatch.setenv(name, "1")
    alone = solve_case(salt_case("first"), toy_tools(), run)
    outcomes = solve_cases([salt_case("first"), salt_case("second")], toy_plan(), run, 2, SilentProgress())
    assert outcomes["first"] == alone
    assert outcomes["second"].candidates == alone.candidates
    (session,) = run.sessions
    assert session["cases"] == 1
    assert session["seconds"] > outcomes["second"].seconds


def test_an_interrupted_session_counts_what_it_finished(run):
    def two_cases():
        with run.session() as finished:
            finished()
            finished()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        two_cases()
    assert [session["cases"] for session in run.sessions] == [2]


def test_a_run_continues_with_the_same_program_only(run, toy_tools, salt_case):
    solve_case(salt_case(), toy_tools(), run)
    run.open({"sources": "a"})
    assert run.outcome("salt") is not None
    with pytest.raises(InputError, match="made with other seed, sources; add --fresh"):
        run.open({"sources": "b", "seed": 1})


def test_a_fresh_run_forgets_the_earlier_one(run, toy_tools, salt_case):
    solve_case(salt_case(), toy_tools(), run)
    run.open({"sources": "b"}, fresh=True)
    assert run.outcome("salt") is None
    run.open({"sources": "b"})
