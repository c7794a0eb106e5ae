import json

import pytest

import result_pages
from result_pages import markdown_table, summarise_times, time_text, write_result


def test_columns_of_numbers_are_aligned_to_the_right():
    table = markdown_table(("name", "n", "R²wp"), [("a|b", 12, "0.1 ± 0.2"), ("c", None, "–")])
    assert table.splitlines() == [
        "| name | n | R²wp |",
        "| --- | ---: | ---: |",
        "| a\\|b | 12 | 0.1 ± 0.2 |",
        "| c |  | – |",
    ]


def test_times_are_those_of_the_cases_and_of_the_sittings():
    sessions = [{"cases": 10, "seconds": 30.0}, {"cases": 11, "seconds": 33.0}]
    times = summarise_times([float(n) for n in range(21)], [1.0] * 21, sessions, 2)
    assert times["seconds_mean"] == times["seconds_median"] == 10
    assert times["seconds_95th_percentile"] == 19
    assert times["cpu_seconds_mean"] == 1
    assert (times["run_seconds"], times["run_structures"]) == (63, 21)


def test_throughput_is_wall_clock_time_over_what_was_solved_in_it(times):
    text = time_text(times)
    assert "12 s of wall-clock time for 4 structures, **3.0 s a structure**" in text
    assert text.startswith("2 worker processes of one thread each")


def test_a_throughput_that_was_not_measured_is_not_given(times):
    text = time_text(times | {"run_structures": 0, "run_seconds": 0})
    assert "the wall-clock time of the run was lost. One structure took 2.0 s" in text


def test_a_result_is_a_page_and_its_numbers(tmp_path):
    record = {"set": "x", "rows": [{"a": 1.5}, {"a": None}], "times": {"n": 2}, "none": []}
    write_result(tmp_path, "solve_x", "# X\n", record)
    assert (tmp_path / "solve_x.md").read_text() == "# X\n"
    assert json.loads((tmp_path / "solve_x.json").read_text()) == record
    assert sorted(path.name for path in tmp_path.iterdir()) == ["solve_x.json", "solve_x.md"]


def test_published_pages_are_listed_by_their_headings(tmp_path, monkeypatch):
    monkeypatch.setattr(result_pages, "RESULTS", tmp_path)
    write_result(tmp_path, "solve_x", "# Solving X\n\ntext\n", {})
    write_result(tmp_path, "another", "# Another\n", {})
    index = (tmp_path / "README.md").read_text()
    assert index.endswith("\n- [Another](another.md)\n- [Solving X](solve_x.md)\n")


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_are_counted_in_words(times, workers):
    text = time_text(times | {"workers": workers})
    assert text.startswith("1 worker process of" if workers == 1 else "3 worker processes of")
