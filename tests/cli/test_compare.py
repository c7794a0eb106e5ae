from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pymatgen.core import Lattice, Structure

from toys import rocksalt

OWN = {"structure-matcher", "pdd", "amd"}


@pytest.fixture
def salt(tmp_path):
    return write(rocksalt(5.64), tmp_path / "salt.cif")


@pytest.fixture
def large_salt(tmp_path):
    return write(rocksalt(5.81).make_supercell([2, 1, 1], in_place=False), tmp_path / "large.cif")


@pytest.fixture
def rutile(tmp_path):
    return write(
        Structure.from_spacegroup(136, Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]),
        tmp_path / "rutile.cif",
    )


@pytest.fixture
def vacancies(tmp_path):
    structure = Structure(Lattice.cubic(4), [{"Na": 0.9}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return write(structure, tmp_path / "vacancies.cif")


def write(structure, path):
    structure.to(filename=str(path))
    return path


def records(outcome):
    return {record["metric"]: record for record in json.loads(outcome.out)}


def one_line_error(outcome, code):
    assert outcome.code == code
    assert outcome.err.startswith("xtal: error: ")
    assert outcome.err.count("\n") == 1
    return outcome.err


def test_all_installed_metrics_are_shown_side_by_side(xtal, salt, large_salt):
    outcome = xtal("compare", salt, large_salt)
    assert (outcome.code, outcome.err) == (0, "")
    header, *rows = outcome.out.splitlines()
    assert header.split() == ["metric", "value", "unit", "more", "alike", "same", "structure"]
    table = {row.split()[0]: row.split()[1:] for row in rows}
    assert set(table) >= OWN
    assert table["structure-matcher"] == ["0.0000", "lower", "yes"]
    assert table["pdd"][1:] == ["Å", "lower", "no"]


def test_json_is_a_list_of_objects_with_metric_and_value(xtal, salt, large_salt):
    outcome = xtal("compare", salt, large_salt, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    found = records(outcome)
    assert set(found) >= OWN
    assert found["amd"] == {
        "metric": "amd",
        "value": pytest.approx(found["pdd"]["value"]),
        "better": "lower",
        "unit": "Å",
        "same": False,
        "error": None,
    }


def test_a_structure_is_the_same_as_itself_by_every_metric(xtal, rutile):
    found = records(xtal("compare", rutile, rutile, "--json"))
    for name in OWN:
        assert found[name]["value"] == pytest.approx(0, abs=1e-7)
        assert found[name]["same"] is True


def test_no_match_is_null_and_said_in_words(xtal, salt, rutile):
    arguments = ("compare", salt, rutile, "--metric", "structure-matcher")
    (record,) = json.loads(xtal(*arguments, "--json").out)
    assert (record["value"], record["same"], record["error"]) == (None, False, None)
    assert "no match" in xtal(*arguments).out


def test_only_the_metrics_asked_for_are_used_in_that_order(xtal, salt, large_salt):
    outcome = xtal("compare", salt, large_salt, "--metric", "pdd", "--metric", "amd", "--json")
    assert [record["metric"] for record in json.loads(outcome.out)] == ["pdd", "amd"]


def test_options_reach_their_metric(xtal, salt, large_salt):
    def value(k):
        outcome = xtal("compare", salt, large_salt, "--metric", "amd", "--set", f"amd.k={k}", "--json")
        return json.loads(outcome.out)[0]["value"]

    assert value(6) == pytest.approx((5.81 - 5.64) / 2, abs=1e-5)
    assert value(18) == pytest.approx((5.81 - 5.64) / 2**0.5, abs=1e-5)


def test_a_metric_that_cannot_take_a_structure_is_listed_with_its_reason(xtal, salt, vacancies):
    outcome = xtal("compare", salt, vacancies, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    found = records(outcome)
    assert found["structure-matcher"]["error"] is None
    assert found["pdd"]["value"] is found["pdd"]["same"] is None
    assert "(structure 2) has occupancy 0.9, pdd needs full sites" in found["pdd"]["error"]
    table = xtal("compare", salt, vacancies).out
    assert "failed" in table
    assert "has occupancy 0.9" in table


def test_when_every_metric_fails_the_command_does_too(xtal, salt, vacancies):
    outcome = xtal("compare", salt, vacancies, "--metric", "pdd", "--metric", "amd")
    message = one_line_error(outcome, 2)
    assert "no metric can compare" in message
    assert "has occupancy 0.9" in message
    assert outcome.out.count("failed") == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--metric", "strcture-matcher"), "there is no metric 'strcture-matcher'; did you mean 'structure-matcher'?"),
        (("--set", "pdd.k=none"), "pdd.k is 'none'; give a value of type int"),
        (("--set", "pdd.kk=3"), "pdd has no option 'kk'; did you mean 'k'?"),
        (("--set", "ppd.k=3"), "--set names 'ppd', which takes no part; did you mean 'pdd'?"),
        (("--set", "k=3"), "--set 'k=3' is not of the form plugin.option=value"),
    ],
)
def test_bad_arguments_are_explained_in_one_line(xtal, salt, arguments, reason):
    outcome = xtal("compare", salt, salt, *arguments)
    assert reason in one_line_error(outcome, 2)
    assert outcome.out == ""


def test_a_missing_file_is_named(xtal, salt, tmp_path):
    outcome = xtal("compare", salt, tmp_path / "absent.cif")
    assert "absent.cif" in one_line_error(outcome, 2)


def test_comparing_never_imports_torch(salt, large_salt):
    code = (
        "import sys; from xtal_core.cli.app import main; code = main(sys.argv[1:]);"
        "print(code, 'torch' in sys.modules, 'ot' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "compare", str(salt), str(large_salt)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert process.stderr.split() == ["0", "False", "True"]
