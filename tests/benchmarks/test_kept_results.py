import json

import pytest

from case_runs import RunFolder
from kept_results import keep_results


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.open({})
    return folder


def test_results_come_in_the_order_of_the_items_and_are_kept(run, capsys):
    rows = keep_results(json.loads, {"three": '{"n": 3}', "bad": "{", "one": '{"n": 1}'}, run, 2)
    assert [row.get("n") for row in rows] == [3, None, 1]
    assert rows[1]["error"].startswith("JSONDecodeError: ")
    assert "bad: JSONDecodeError" in capsys.readouterr().err
    assert run.sessions[0]["cases"] == 3
    assert keep_results(json.loads, {"three": "not read again", "one": ""}, run, 2) == [rows[0], rows[2]]


def test_what_failed_is_tried_again(run):
    keep_results(json.loads, {"number": "{"}, run, 1)
    assert keep_results(json.loads, {"number": '{"n": 1}'}, run, 1) == [{"n": 1, "error": None}]
