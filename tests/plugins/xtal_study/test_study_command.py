"""`xtal study` from the command line to the files it writes."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from contextlib import redirect_stdout

import numpy as np
import pytest
from scipy import stats

from xtal_core.cli.app import main
from xtal_study import columns

CORRELATE = ["--metric", "pdd", "--metric", "amd", "--pairs", "15", "--jobs", "1", "--resamples", "100"]
SENSE = ["--metric", "pdd", "--metric", "structure-matcher", "--jobs", "1"]


@pytest.fixture(scope="module")
def correlated(table, tmp_path_factory):
    """The folder of a study, that of its page, and what was printed."""
    folder = tmp_path_factory.mktemp("correlated")
    out, page = folder / "study", folder / "page"
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["study", "correlate", str(table), *CORRELATE, "--out", str(out), "--page", str(page)]) == 0
    return out, page, printed.getvalue()


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_correlations_in_the_table_are_those_of_the_pairs_in_the_other(correlated):
    out, _, _ = correlated
    pairs, agreements = rows(out / "pairs.csv"), rows(out / "agreements.csv")
    chosen = next(
        a
        for a in agreements
        if (a["reference"], a["column"], a["scope"]) == ("structure-matcher", "pdd", "displaced copy")
    )
    displaced = [pair for pair in pairs if pair["kind"] == "displaced copy" and pair["structure-matcher"]]
    values = np.array([[float(pair["structure-matcher"]), float(pair["pdd"])] for pair in displaced])
    assert int(chosen["matched"]) == len(values)
    assert float(chosen["pearson"]) == pytest.approx(stats.pearsonr(*values.T).statistic)
    assert float(chosen["spearman"]) == pytest.approx(stats.spearmanr(*values.T).statistic)


def test_no_match_is_an_empty_cell_never_a_number(correlated):
    out, _, _ = correlated
    unrelated = [pair for pair in rows(out / "pairs.csv") if pair["kind"] == "unrelated"]
    assert {pair["structure-matcher"] for pair in unrelated} == {""}
    assert all(float(pair["pdd"]) > 0 for pair in unrelated)


def test_the_page_is_published_with_its_figures_and_without_names_of_structures(correlated, dozen):
    _, page, _ = correlated
    files = {path.name for path in page.iterdir()}
    assert files == {
        "correlation.md",
        "correlation.json",
        "correlation-kinds.png",
        "correlation-structure-matcher.png",
        "correlation-structure-matcher-one-element.png",
    }
    text = (page / "correlation.md").read_text() + (page / "correlation.json").read_text()
    assert not any(f"{known.name}" in text for known in dozen)
    assert set(re.findall(r"\]\((\S+\.png)\)", text)) == {name for name in files if name.endswith("png")}


def test_the_page_has_the_published_figures_beside_ours(correlated):
    out, page, printed = correlated
    assert re.search(r"^\| pdd \| 0\.63 \| \d\.\d\d \[", printed, flags=re.MULTILINE)
    assert printed.partition("\n\n")[2].partition("\n\n")[0] in (page / "correlation.md").read_text()
    record = json.loads((out / "correlation.json").read_text())
    assert record["published"]["amd"] == 0.55
    assert record["pairs"]["displaced copy"] == 12
    assert record["made_from"]["metrics"]["pdd"]["options"]["k"] == 100


def test_a_second_run_takes_finished_columns_and_computes_what_is_missing(correlated, table, tmp_path, monkeypatch):
    out = shutil.copytree(correlated[0], tmp_path / "study")
    before = (out / "pairs.csv").read_text()
    (finished,) = (out / "columns").glob("amd-*")
    finished.unlink()
    computed = []
    compare = columns.compare_pairs
    monkeypatch.setattr(
        columns, "compare_pairs", lambda choice, *rest: computed.append(choice.name) or compare(choice, *rest)
    )
    assert main(["study", "correlate", str(table), *CORRELATE, "--out", str(out)]) == 0
    assert computed == ["amd"]
    assert (out / "pairs.csv").read_text() == before


def test_ctrl_c_keeps_the_columns_that_were_finished(table, tmp_path, monkeypatch):
    compare = columns.compare_pairs

    def interrupted(choice, *rest):
        if choice.name == "amd":
            raise KeyboardInterrupt
        return compare(choice, *rest)

    monkeypatch.setattr(columns, "compare_pairs", interrupted)
    assert main(["study", "correlate", str(table), *CORRELATE, "--out", str(tmp_path / "out")]) == 130
    kept = {path.name.partition("-")[0] for path in (tmp_path / "out" / "columns").iterdir()}
    assert kept == {"structure", "pdd"}


def test_candidates_are_compared_with_their_references(table, tmp_path, dozen, capsys):
    folder = tmp_path / "predictions" / "rutile Ti"
    folder.mkdir(parents=True)
    dozen[0].structure.to(str(folder / "01.cif"))
    out = tmp_path / "out"
    predictions = ["--candidates", str(tmp_path / "predictions")]
    assert main(["study", "correlate", str(table), *CORRELATE, *predictions, "--limit", "3", "--out", str(out)]) == 0
    (pair,) = [pair for pair in rows(out / "pairs.csv") if pair["kind"] == "candidate"]
    assert (pair["first"], pair["second"]) == ("rutile Ti/01.cif", "rutile Ti")
    assert float(pair["structure-matcher"]) == pytest.approx(0, abs=1e-6)
    capsys.readouterr()


def test_candidates_of_a_structure_that_cannot_be_read_are_listed(table, tmp_path, dozen):
    folder = tmp_path / "predictions" / "broken"
    folder.mkdir(parents=True)
    dozen[0].structure.to(str(folder / "01.cif"))
    bad, out = tmp_path / "bad.csv", tmp_path / "out"
    bad.write_text("material_id,cif\nbroken,nonsense\n")
    sources = [str(table), str(bad), "--candidates", str(tmp_path / "predictions")]
    assert main(["study", "correlate", *sources, *CORRELATE, "--out", str(out), "--quiet"]) == 0
    refused = {row["name"]: row["reason"] for row in rows(out / "refused.csv")}
    assert set(refused) == {"broken", "broken/01.cif"}
    assert "reference" in refused["broken/01.cif"]
    assert "candidate" not in {pair["kind"] for pair in rows(out / "pairs.csv")}


def test_sensitivity_of_one_structure_gives_values_and_verdicts(tmp_path, titania, capsys):
    file, out = tmp_path / "rutile.cif", tmp_path / "out"
    titania.to(str(file))
    assert main(["study", "sensitivity", str(file), *SENSE, "--out", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["structures"] == 1
    page = (out / "sensitivity.md").read_text()
    assert re.search(r"^\| supercell 2×2×2 \| 1 \| 100 % \| \S+ \(same\) \| \S+ \(same\) \|$", page, flags=re.MULTILINE)
    assert re.search(r"^\| element replaced \| .* \| no match \(not\) \|$", page, flags=re.MULTILINE)
    values = {row["modification"]: row for row in rows(out / "values.csv")}
    assert values["one atom by 0.001 Å"]["space_group_before"] == "136"
    assert values["one atom by 0.001 Å"]["space_group_after"] != "136"
    assert values["element replaced"]["structure-matcher"] == ""
    assert (out / "sensitivity.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["correlate", "TABLE", "--metric", "pddd"], "no metric 'pddd'"),
        (["correlate", "TABLE", "--metric", "pdd", "--set", "amd.k=5"], "takes no part"),
        (["sensitivity", "TABLE", "--metric", "pdd@nowhere"], "no view 'nowhere'"),
        (["sensitivity", "nothing.cif", "--metric", "pdd"], "no such file"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(arguments, message, table, tmp_path, capsys):
    line = [str(table) if argument == "TABLE" else argument for argument in arguments]
    assert main(["study", *line, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_with_something_else_is_left_alone(table, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("")
    assert main(["study", "correlate", str(table), "--out", str(tmp_path / "out")]) == 2
    assert "something other than a study" in capsys.readouterr().err
