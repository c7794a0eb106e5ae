from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from toys import rocksalt
from xtal_core import workers

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


@pytest.fixture
def folder(tmp_path):
    """A folder of four structures of two kinds, one that metrics of distances refuse, and one that nobody can read."""
    inside = tmp_path / "structures"
    (inside / "more").mkdir(parents=True)
    for edge in (5.64, 5.65, 6.60):
        write(rocksalt(edge), inside / f"salt{edge:.2f}.cif")
    write(rocksalt(5.655).get_primitive_structure(), inside / "more" / "primitive.cif")
    write(Structure(Lattice.cubic(4), [{"Na": 0.9}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]), inside / "vacancies.cif")
    (inside / "empty.cif").write_text("data_nothing\n")
    (inside / "notes.pdf").write_bytes(b"\0")
    return inside


def matrix_in(path):
    header, *rows = csv.reader(path.open(encoding="utf-8"))
    return header[1:], {row[0]: row[1:] for row in rows}


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
    assert header.split()[:7] == ["metric", "value", "unit", "more", "alike", "same", "structure"]
    table = {row.split()[0]: row.split()[1:] for row in rows if row.split()[0] in OWN}
    assert set(table) == OWN
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
        "details": {},
        "notes": [],
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
    assert found["pdd"]["error"].startswith(f"{vacancies}: ")
    assert "has occupancy 0.9, pdd needs full sites" in found["pdd"]["error"]
    table = xtal("compare", salt, vacancies).out
    assert "failed" in table
    assert "has occupancy 0.9" in table


def test_a_metric_that_fails_alone_gives_its_reason_once_with_a_remedy(xtal, salt, tmp_path):
    r = np.arange(1, 400) * 0.01
    np.savetxt(tmp_path / "salt.gr", np.column_stack([r, np.sin(r)]))
    outcome = xtal("compare", "salt.gr", salt, "--metric", "pdd")
    message = one_line_error(outcome, 2)
    assert "salt.gr is a .gr file, pdd compares structures; give structures, or another metric" in message
    assert outcome.out == ""


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


def test_two_patterns_are_compared_by_the_metrics_of_patterns(xtal, salt_pattern):
    arguments = ("compare", salt_pattern, salt_pattern, "--wavelength", "CuKa1", "--json")
    outcome = xtal(*arguments)
    found = records(outcome)
    assert set(found) == {"pattern-cosine", "pattern-l1", "pattern-r2wp", "pattern-rwp"}
    assert all(record["value"] == pytest.approx(0, abs=1e-12) and record["same"] for record in found.values())
    assert found["pattern-r2wp"]["details"]["points"] == 700


def test_a_pattern_needs_its_wavelength(xtal, salt_pattern):
    outcome = xtal("compare", salt_pattern, salt_pattern)
    assert "no wavelength in the file; give --wavelength" in one_line_error(outcome, 2)


def test_a_structure_is_simulated_as_the_pattern_was_measured_and_that_is_said(xtal, salt, large_salt, tmp_path):
    xtal("simulate", salt, "--wavelength", "CuKa1", "--gaussian", "0.02", "--out", "salt.xy")
    right, wrong = (records(xtal("compare", "salt.xy", other, "--json")) for other in (salt, large_salt))
    assert right["pattern-r2wp"]["value"] < 0.01 < 0.5 < wrong["pattern-r2wp"]["value"]
    (note,) = [note for note in right["pattern-r2wp"]["notes"] if note.startswith("structures were simulated")]
    assert "on the axis of salt.xy, CuKa1, Gaussian peaks of σ = 0.02 Å⁻¹" in note
    assert f"note: {note}" in " ".join(xtal("compare", "salt.xy", salt).out.split())


def test_two_structures_are_simulated_under_stated_conditions_when_a_metric_of_patterns_is_named(
    xtal, salt, large_salt
):
    pair = ("compare", salt, large_salt, "--json")
    (standard,) = json.loads(xtal(*pair, "--metric", "pattern-r2wp").out)
    assert standard["notes"] == ["structures were simulated: 2θ 10° to 90°, CuKa1, crystallites of 100 Å"]
    (broad,) = json.loads(xtal(*pair, "--metric", "pattern-r2wp", "--wavelength", "MoKa1", "--size", "20").out)
    assert broad["notes"] == ["structures were simulated: 2θ 10° to 90°, MoKa1, crystallites of 20 Å"]
    assert broad["value"] < standard["value"]


def test_naming_a_simulator_adds_the_metrics_of_patterns(xtal, salt, large_salt):
    plain = records(xtal("compare", salt, large_salt, "--json"))
    with_patterns = records(xtal("compare", salt, large_salt, "--simulator", "toy-simulator", "--json"))
    assert set(with_patterns) - set(plain) >= {"pattern-cosine", "pattern-l1", "pattern-r2wp", "pattern-rwp"}


def test_a_metric_that_cannot_take_an_item_says_so(xtal, salt, salt_pattern):
    outcome = xtal("compare", salt_pattern, salt, "--wavelength", "CuKa1", "--metric", "amd")
    assert f"{salt_pattern} is a powder pattern, amd compares structures" in one_line_error(outcome, 2)


def test_many_are_compared_with_a_reference_the_most_alike_first(xtal, salt, folder):
    outcome = xtal("compare", salt, folder, "--metric", "amd", "--metric", "structure-matcher", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    result = json.loads(outcome.out)
    assert result["reference"] == str(salt)
    assert [item["name"] for item in result["items"]] == [
        "salt5.64.cif",
        "salt5.65.cif",
        "more/primitive.cif",
        "salt6.60.cif",
        "vacancies.cif",
    ]
    values = [[comparison["value"] for comparison in item["comparisons"]] for item in result["items"]]
    # The hundredth neighbour is three half edges away.
    assert values[1][0] == pytest.approx(0.01 * 1.5, abs=1e-6)
    assert values[3] == [pytest.approx(0.96 * 1.5, abs=1e-6), pytest.approx(0, abs=1e-6)]
    assert "has occupancy 0.9" in result["items"][4]["comparisons"][0]["error"]
    assert [left["name"] for left in result["left_out"]] == ["empty.cif"]
    table = xtal("compare", salt, folder, "--metric", "amd").out
    assert table.splitlines()[0].split() == ["item", "amd", "(Å)"]
    assert table.splitlines()[1].split() == ["salt5.64.cif", "0.0000*"]
    assert "left out: " in table
    assert "empty.cif: holds no atoms" in table


def test_several_files_are_compared_with_the_first(xtal, salt, large_salt, rutile):
    result = json.loads(xtal("compare", salt, rutile, large_salt, "--metric", "pdd", "--json").out)
    assert [item["name"] for item in result["items"]] == [str(large_salt), str(rutile)]


def test_a_folder_is_compared_with_itself(xtal, folder):
    outcome = xtal("compare", folder, "--metric", "amd", "--matrix", "out.csv", "--clusters", "clusters.csv", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    names, rows = matrix_in(folder.parent / "out.csv")
    assert (
        names == list(rows) == ["more/primitive.cif", "salt5.64.cif", "salt5.65.cif", "salt6.60.cif", "vacancies.cif"]
    )
    assert rows["vacancies.cif"] == [""] * 5
    result = json.loads(outcome.out)
    (amd,) = result["metrics"]
    values = [[None if cell == "" else float(cell) for cell in row] for row in rows.values()]
    assert amd["values"] == values
    assert np.array(values)[:4, :4].astype(float) == pytest.approx(np.array(values)[:4, :4].astype(float).T, abs=1e-12)
    assert amd["clusters"] == [["more/primitive.cif", "salt5.64.cif", "salt5.65.cif"], ["salt6.60.cif"]]
    assert amd["left_out"][0]["name"] == "vacancies.cif"
    assert [left["name"] for left in result["left_out"]] == ["empty.cif"]
    clusters = list(csv.reader((folder.parent / "clusters.csv").open(encoding="utf-8")))
    assert clusters[0] == ["name", "cluster", "size"]
    assert clusters[1:] == [
        ["more/primitive.cif", "1", "3"],
        ["salt5.64.cif", "1", "3"],
        ["salt5.65.cif", "1", "3"],
        ["salt6.60.cif", "2", "1"],
    ]


def test_a_matrix_on_the_terminal_says_what_was_compared_and_what_was_not(xtal, folder):
    text = " ".join(xtal("compare", folder, "--metric", "amd", "--metric", "structure-matcher").out.split())
    assert "empty.cif: holds no atoms" in text
    assert "amd: 4 items, 12 ordered pairs; 2 clusters in which any two members are ≤ 0.1 Å" in text
    assert "3 items: more/primitive.cif, salt5.64.cif, salt5.65.cif" in text
    assert (
        "structure-matcher: 5 items, 20 ordered pairs, 8 without a match; 2 clusters in which any two members match"
        in text
    )
    assert "has occupancy 0.9" in text


def test_no_match_and_not_compared_are_told_apart_in_the_file(xtal, folder):
    xtal("compare", folder, "--metric", "structure-matcher", "--matrix", "out.csv")
    _, rows = matrix_in(folder.parent / "out.csv")
    assert rows["vacancies.cif"][:4] == ["nan"] * 4
    assert float(rows["salt5.64.cif"][2]) == pytest.approx(0, abs=1e-6)


def test_files_of_several_metrics_are_named_after_them(xtal, folder, tmp_path):
    metrics = ("--metric", "amd", "--metric", "pdd")
    outcome = xtal("compare", folder, *metrics, "--matrix", "m.csv", "--clusters", "c.json", "--plot", "p.png")
    assert outcome.code == 0
    written = {
        f"{stem}-{metric}{end}"
        for stem, end in (("m", ".csv"), ("c", ".json"), ("p", ".png"))
        for metric in metrics[1::2]
    }
    assert {path.name for path in tmp_path.iterdir()} == {"structures", *written}
    assert json.loads((tmp_path / "c-amd.json").read_text())["threshold"] == 0.1
    assert (tmp_path / "p-pdd.png").read_bytes().startswith(b"\x89PNG")


def test_the_threshold_of_the_clusters_can_be_chosen(xtal, folder):
    outcome = xtal("compare", folder, "--metric", "amd", "--threshold", "0.018", "--json")
    assert json.loads(outcome.out)["metrics"][0]["clusters"] == [
        ["more/primitive.cif", "salt5.65.cif"],
        ["salt5.64.cif"],
        ["salt6.60.cif"],
    ]
    several = xtal("compare", folder, "--metric", "amd", "--metric", "pdd", "--threshold", "0.018")
    assert "--threshold 0.018 would be that of amd, pdd; give one --metric" in one_line_error(several, 2)


def test_a_table_of_structures_is_read_like_a_folder(xtal, tmp_path, rutile):
    with gzip.open(tmp_path / "table.csv.gz", "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["material_id", "cif"])
        for edge in (5.6, 5.7):
            writer.writerow([f"salt-{edge}", rocksalt(edge).to(fmt="cif")])
        writer.writerows([["salt-5.6", rutile.read_text()], ["broken", "data_x"]])
    result = json.loads(xtal("compare", "table.csv.gz", "--metric", "amd", "--json").out)
    assert [item["name"] for item in result["items"]] == ["salt-5.6", "salt-5.7"]
    assert [left["name"] for left in result["left_out"]] == ["salt-5.6", "broken"]
    assert "the name occurs before" in result["left_out"][0]["reason"]


def test_nothing_that_can_be_compared_is_an_error(xtal, vacancies, tmp_path):
    (tmp_path / "copy.cif").write_text(vacancies.read_text())
    outcome = xtal("compare", vacancies, "copy.cif", "--metric", "amd", "--matrix", "out.csv")
    assert "no metric can compare any two of these" in one_line_error(outcome, 2)
    assert not (tmp_path / "out.csv").exists()
    outcome = xtal("compare", vacancies, "copy.cif", tmp_path / "copy.cif", "--metric", "amd")
    assert "no metric can compare" in one_line_error(outcome, 2)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("salt.cif",), "there is nothing to compare salt.cif with"),
        (("salt.cif", "--matrix", "out.csv"), "1 of 1 items can be read; give at least two items"),
        (("structures", "--matrix", "out.txt"), "--matrix out.txt has no known ending; end it in .csv"),
        (("structures", "--plot", "taken.png"), "taken.png exists; choose another --plot, or --force to replace it"),
        (("structures", "--plot", "nowhere/out.png"), "there is no folder nowhere"),
        (("structures", "nowhere"), "nowhere: there is no such file or folder"),
        (("salt.cif", "salt.cif", "--size", "-3"), "the crystallite size is -3 Å"),
        (("salt.cif", "salt.cif", "--simulator", "pwder"), "there is no simulator 'pwder'; did you mean 'powder'?"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(xtal, salt, folder, tmp_path, arguments, reason):
    (tmp_path / "taken.png").write_text("mine")
    outcome = xtal("compare", *arguments, "--metric", "amd")
    assert reason in one_line_error(outcome, 2)
    assert outcome.out == ""
    assert (tmp_path / "taken.png").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"salt.cif", "structures", "taken.png"}


def test_files_are_replaced_only_by_force(xtal, folder, tmp_path):
    (tmp_path / "out.csv").write_text("old")
    assert xtal("compare", folder, "--metric", "amd", "--matrix", "out.csv", "--force").code == 0
    assert matrix_in(tmp_path / "out.csv")[0]


def test_an_interrupted_matrix_leaves_the_finished_metric_and_nothing_half_written(xtal, folder, tmp_path, monkeypatch):
    from xtal_pointwise_distance.pdd import PDDMetric

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PDDMetric, "compare", interrupted)
    outcome = xtal("compare", folder, "--metric", "amd", "--metric", "pdd", "--matrix", "out.csv")
    assert outcome.code == 130
    assert {path.name for path in tmp_path.iterdir()} == {"structures", "out-amd.csv"}


def test_several_processes_write_the_same_file_as_one(xtal, folder, tmp_path, monkeypatch):
    arguments = ("compare", folder, "--metric", "pdd", "--matrix")
    xtal(*arguments, "one.csv", "--jobs", "1")
    monkeypatch.setattr(workers, "TRIAL", -1.0)
    monkeypatch.setattr(workers, "WORTHWHILE", -1.0)
    xtal(*arguments, "two.csv", "--jobs", "2")
    assert (tmp_path / "two.csv").read_text() == (tmp_path / "one.csv").read_text()


def test_comparing_never_imports_torch(salt, large_salt):
    code = (
        "import sys; from xtal_core.cli.app import main; code = main(sys.argv[1:]);"
        "print(code, 'torch' in sys.modules, 'ot' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "compare", str(salt), str(large_salt)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert process.stderr.split() == ["0", "False", "True"]


def tetragonal(displacements, loops=""):
    """Return the CIF of a crystal whose atoms are displaced as a column and loops say."""
    cell = [f"_cell_length_{name} {value}" for name, value in zip("abc", (4.1, 4.1, 5.9), strict=True)]
    angles = [f"_cell_angle_{name} 90" for name in ("alpha", "beta", "gamma")]
    items = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", "U_iso_or_equiv"]
    atoms = [f"Sr1 Sr 0.1 0.2 0 {displacements}", f"O1 O 0.45 0.4 0.4 {displacements}"]
    head = ["data_a", *cell, *angles, "_symmetry_space_group_name_H-M 'P 4'"]
    return "\n".join([*head, "loop_", *(f"_atom_site_{item}" for item in items), *atoms, loops, ""])


def test_displacements_of_a_cif_count_for_pair_distribution_functions_only(xtal, tmp_path):
    components = [f"_atom_site_aniso_U_{place}" for place in ("11", "22", "33", "12", "13", "23")]
    tensors = ["Sr1 0.03 0.003 0.005 0 0 0", "O1 0.003 0.03 0.005 0 0 0"]
    (tmp_path / "iso.cif").write_text(tetragonal(0.005))
    (tmp_path / "none.cif").write_text(tetragonal("?"))
    (tmp_path / "aniso.cif").write_text(
        tetragonal(0.0127, "\n".join(["loop_", "_atom_site_aniso_label", *components, *tensors]))
    )
    values = {}
    for file in ("iso.cif", "aniso.cif"):
        outcome = xtal("compare", "none.cif", file, "--json")
        assert outcome.code == 0, outcome.err
        values[file] = {row["metric"]: row["value"] for row in json.loads(outcome.out)}
    assert values["iso.cif"]["pdf-rw"] < 1e-6  # 0.005 Å² is what atoms get that bring none
    assert values["aniso.cif"]["pdf-rw"] > 0.02
    for metric in values["iso.cif"].keys() - {"pdf-rw", "pdf-pcc"}:
        assert values["aniso.cif"][metric] == values["iso.cif"][metric], metric
