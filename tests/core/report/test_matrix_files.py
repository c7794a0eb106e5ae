import csv
import json
import math

import numpy as np
import pytest

from xtal_core.clustering import merge_tree
from xtal_core.comparison import MetricMatrix
from xtal_core.errors import OptionError
from xtal_core.item import LeftOut
from xtal_core.report.matrix_files import MatrixFiles, check_threshold
from xtal_core.report.output_file import whole_file
from xtal_core.similarity_matrix import SimilarityMatrix


def result_of(values, refused=(), failures=(), better="lower"):
    values = np.array(values, float)
    taken = np.array([i not in refused for i in range(len(values))], dtype=bool)
    matrix = SimilarityMatrix(values, dict.fromkeys(failures, "a reason"), taken, taken)
    names = tuple("abcdefghijklm"[: len(values)])
    left_out = tuple(LeftOut(names[i], "refused") for i in refused)
    return MetricMatrix("metric", "Å", better, 0.5, names, matrix, left_out)


NAN = math.nan
RESULT = result_of(
    [[0, 0.1, NAN, NAN], [1 / 3, 0, 2, NAN], [NAN, NAN, 0, NAN], [NAN, NAN, NAN, NAN]], refused=[3], failures=[(2, 1)]
)


def files(folder, **kinds):
    return MatrixFiles(*(kinds.get(kind) and folder / kinds[kind] for kind in ("matrix", "clusters", "plot")))


def test_values_are_written_to_the_last_digit(tmp_path):
    files(tmp_path, matrix="m.csv").write(RESULT, None, only=True)
    rows = list(csv.reader((tmp_path / "m.csv").open(encoding="utf-8")))
    assert rows == [
        ["name", "a", "b", "c", "d"],
        ["a", "0.0", "0.1", "nan", ""],
        ["b", repr(1 / 3), "0.0", "2.0", ""],
        ["c", "nan", "", "0.0", ""],
        ["d", "", "", "", ""],
    ]


def test_the_record_holds_everything_as_json(tmp_path):
    written = files(tmp_path, clusters="c.json").write(RESULT, None, only=True)
    assert json.loads(json.dumps(written.record, allow_nan=False)) == {
        "metric": "metric",
        "unit": "Å",
        "better": "lower",
        "threshold": 0.5,
        "values": [[0, 0.1, None, None], [1 / 3, 0, 2, None], [None, None, 0, None], [None] * 4],
        "left_out": [{"name": "d", "reason": "refused"}],
        "not_compared": [{"first": "c", "second": "b", "reason": "a reason"}],
        "clusters": [["a", "b"], ["c"]],
    }
    assert json.loads((tmp_path / "c.json").read_text()) == {"threshold": 0.5, "clusters": [["a", "b"], ["c"]]}
    assert written.written == (tmp_path / "c.json",)


@pytest.mark.parametrize(
    "result",
    [
        RESULT,
        result_of([[1, 0.9], [0.9, 1]], better="higher"),
        result_of(np.full((13, 13), NAN)),
        result_of([[0.0]]),
        result_of(1e-16 * np.ones((3, 3))),
    ],
    ids=["mixed", "higher is better", "no match at all", "one item", "rounding"],
)
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
@pytest.mark.filterwarnings("error")
def test_any_matrix_becomes_a_picture(tmp_path, result, ending):
    files(tmp_path, plot=f"p.{ending}").write(result, None, only=True)
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert (tmp_path / f"p.{ending}").read_bytes().startswith(start)


def test_a_picture_tells_no_match_and_not_compared_from_values(tmp_path):
    def words(result):
        files(tmp_path, plot="p.svg").write(result, None, only=True)
        comments = [line for line in (tmp_path / "p.svg").read_text().splitlines() if line.strip().startswith("<!--")]
        return {line.strip(" <!->") for line in comments}

    assert {"no match", "not compared", "a", "b", "c"} <= words(RESULT)
    assert not {"no match", "not compared"} & words(result_of([[0, 1], [1, 0]]))


def test_the_picture_draws_only_merges_that_are_some(tmp_path):
    tree = merge_tree(RESULT)
    assert (tree.merges[:, 2] < tree.never).tolist() == [True, False]


def test_nothing_is_written_about_nothing(tmp_path):
    nothing = result_of([[NAN]], refused=[0])
    written = files(tmp_path, matrix="m.csv", clusters="c.csv", plot="p.png").write(nothing, None, only=True)
    assert written.written == ()
    assert list(tmp_path.iterdir()) == []


def test_several_metrics_have_files_of_their_own_that_are_checked(tmp_path):
    wanted = files(tmp_path, matrix="m.csv")
    wanted.check(["one", "other"])
    assert wanted.write(RESULT, None, only=False).written == (tmp_path / "m-metric.csv",)
    with pytest.raises(OptionError, match=r"m-metric\.csv exists"):
        wanted.check(["metric", "other"])
    wanted.check(["metric"])


def test_one_threshold_serves_one_metric():
    check_threshold(0.1, ["one"])
    check_threshold(None, ["one", "other"])
    with pytest.raises(OptionError, match=r"--threshold 0\.1 would be that of one, other"):
        check_threshold(0.1, ["one", "other"])


def test_a_file_that_fails_halfway_leaves_the_old_one(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def fail():
        with whole_file(path) as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "old"
