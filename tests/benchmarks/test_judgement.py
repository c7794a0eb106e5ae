import pytest

from data_sets import Material
from judgement import judge, make_patterns, split_by_prototype, summarise
from xtal_core.errors import XtalError


def row(name, first, ten, r2wp=0.0):
    verdicts = {"match_first": first, "match_ten": ten, "strict_first": False, "strict_ten": first}
    return {"material_id": name, "r2wp_best": r2wp, "r2wp_first": 2 * r2wp, **verdicts}


ROWS = [row("a", True, True, 0.01), row("b", False, True, 0.03), row("c", False, False, 0.2)]


def test_rows_are_split_by_whether_their_type_is_known():
    materials = [Material("a", "", True), Material("b", "", True), Material("c", "", False)]
    groups = split_by_prototype(ROWS, materials)
    assert {name: [r["material_id"] for r in rows] for name, rows in groups.items()} == {"yes": ["a", "b"], "no": ["c"]}


def test_a_table_that_does_not_say_is_not_split():
    assert split_by_prototype(ROWS, [Material(name, "", None) for name in "abc"]) == {}


def test_a_summary_is_means_over_rows():
    summary = summarise(ROWS[:2])
    assert summary == {
        "n": 2,
        "r2wp_best_mean": pytest.approx(0.02),
        "r2wp_best_std": pytest.approx(0.01),
        "r2wp_first_mean": pytest.approx(0.04),
        "match_first": 0.5,
        "match_ten": 1.0,
        "strict_first": 0.0,
        "strict_ten": 0.5,
    }


@pytest.fixture
def scripts(monkeypatch, tmp_path):
    """Return the folder where stand-ins for the independent scripts are looked for."""
    folder = tmp_path / "bench"
    folder.mkdir()
    monkeypatch.setenv("XTAL_BENCH", str(folder))
    return folder


MAKER = """
import csv, gzip, sys
from pathlib import Path
for row in csv.DictReader(gzip.open(sys.argv[1], "rt")):
    Path(sys.argv[2], row["material_id"] + ".xy").write_text(row["cif"] + " ".join(sys.argv[4:]))
"""


def test_only_missing_patterns_are_made(scripts, tmp_path):
    (scripts / "make_patterns.py").write_text(MAKER)
    made = tmp_path / "patterns"
    make_patterns([Material("a", "old", None)], made, 10)
    files = make_patterns([Material("a", "new", None), Material("b", "new", None)], made, 10)
    assert {name: path.read_text() for name, path in files.items()} == {"a": "old10", "b": "new10"}
    assert sorted(path.name for path in made.iterdir()) == ["a.xy", "b.xy"]


def test_noise_is_asked_for_where_it_is_wanted(scripts, tmp_path):
    (scripts / "make_patterns.py").write_text(MAKER)
    (file,) = make_patterns([Material("a", "cif", None)], tmp_path / "noisy", 10, noise=True).values()
    assert file.read_text() == "cif10 --noise"


JUDGE = """
import json, sys
from pathlib import Path
rows = [{"found": sorted(path.name for path in Path(sys.argv[2]).iterdir())}]
Path(sys.argv[4]).write_text(json.dumps({"rows": rows}))
print("  all  200")
"""


def test_the_verdict_is_what_the_judge_prints_and_its_rows(scripts, tmp_path):
    (scripts / "score_solutions.py").write_text(JUDGE)
    solutions = tmp_path / "run" / "solutions"
    (solutions / "a").mkdir(parents=True)
    verdict = judge([Material("a", "x", None)], solutions, 2)
    assert verdict.table == "  all  200"
    assert verdict.rows == [{"found": ["a"]}]
    assert [path.name for path in solutions.parent.iterdir()] == ["solutions"]


def test_a_script_that_fails_is_named_with_its_last_words(scripts, tmp_path):
    (scripts / "make_patterns.py").write_text("raise ValueError('no such size')")
    with pytest.raises(XtalError, match=r"make_patterns.py failed \(ValueError: no such size\)"):
        make_patterns([Material("a", "x", None)], tmp_path / "patterns", 10)
