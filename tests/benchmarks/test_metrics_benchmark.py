import csv
import gzip
import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

import metrics
from distance_figures import K, brute_force, measure_transports, measure_values, random_cell, sheared
from matcher_figures import make_pairs, measure_matrix, measure_verdicts
from metrics import main, read_polymorphs, shown


class FakePeer:
    """A peer that is wrong about the last cell, and takes a second for everything."""

    def __init__(self, *arguments):
        self._cells = []

    def __enter__(self):
        return self

    def __exit__(self, *arguments):
        pass

    def call(self, function, *arguments):
        if function == "take":
            self._cells = arguments[0]
            return None, 1.0
        if function == "processor_times":
            return [1.0] * len(self._cells), 1.0
        structures = [
            Structure(matrix, ["H"] * len(xyz), xyz, coords_are_cartesian=True) for xyz, matrix in self._cells
        ]
        averages = [brute_force(structure.get_reduced_structure("LLL")).mean(axis=0) for structure in structures]
        averages[-1] += 0.5
        return averages, 1.0

    def versions(self, distributions):
        return dict.fromkeys(distributions, "1.2.3")


def rutile(edge=4.594):
    lattice = Lattice.tetragonal(edge, 2.959)
    return Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]])


def anatase():
    lattice = Lattice.tetragonal(3.784, 9.515)
    return Structure.from_spacegroup("I4_1/amd", lattice, ["Ti", "O"], [[0, 0, 0], [0, 0, 0.208]])


def salt():
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Tables in the form of MP-20 with these structures."""
    folder = tmp_path / "data" / "mp20"
    folder.mkdir(parents=True)
    for name in ("val", "train"):
        with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["material_id", "pretty_formula", "cif"])
            for number, structure in enumerate((rutile(), salt(), anatase(), rutile(4.7))):
                formula = structure.composition.reduced_formula
                writer.writerow([f"mp-{number}", formula, structure.to(fmt="cif")])
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))
    return folder


def test_brute_force_knows_the_shells_of_a_cubic_lattice():
    (row,) = brute_force(Structure(Lattice.cubic(3), ["Po"], [[0.3, 0.1, 0.9]]))
    np.testing.assert_allclose(row[:32], 3 * np.sqrt(np.repeat([1, 2, 3, 4], [6, 12, 8, 6])), rtol=1e-12)
    assert len(row) == K


def test_a_sheared_cell_holds_the_same_crystal_with_its_atoms_in_the_same_order():
    random = np.random.default_rng(5)
    structure = random_cell(random)
    skewed = sheared(structure, random)
    assert max(skewed.lattice.abc) > max(structure.lattice.abc)
    np.testing.assert_allclose(
        brute_force(skewed.get_reduced_structure("LLL")), brute_force(structure), rtol=0, atol=1e-9
    )


def test_values_deviate_from_brute_force_by_rounding_only_and_the_peer_by_what_it_does():
    figures = measure_values([rutile(), salt()], 6, FakePeer())
    assert max(figures["pdd_largest"], figures["amd_largest"]) < 1e-9
    assert figures["peer_amd_largest"] == pytest.approx(0.5)
    assert (figures["cells"], figures["sheared"], figures["peer_amd_above_1e-9"]) == (6, 2, 1)


def test_transports_are_those_of_pots_public_function():
    figures = measure_transports([rutile(), anatase(), salt()], 12, 1)
    assert figures["largest"] < 1e-12
    assert figures["ratio"] > 0


#: RMS displacements of identical crystals are square roots of rounding errors, in pymatgen as here.
ROUNDING = 1e-5


def test_verdicts_are_pymatgens_on_every_kind_of_pair():
    structures, polymorphs = [rutile(), salt()], [rutile(), anatase(), rutile(4.7)]
    kinds = make_pairs(structures, polymorphs, 12)
    assert [len(pairs) for pairs in kinds.values()] == [3, 3, 3]  # of three polymorphs there are no more pairs
    rows = measure_verdicts(structures, polymorphs, 12)
    assert sum(row["number"] for row in rows) == 9
    assert {row["other_verdicts"] for row in rows} == {0}
    assert max(row["largest"] for row in rows) < ROUNDING
    assert 0 < sum(row["matches"] for row in rows) < 9


def test_a_matrix_of_the_matcher_is_pymatgens():
    figures = measure_matrix([rutile(), anatase(), rutile(4.7)], "oxides")
    assert (figures["number"], figures["formulas"]) == (3, 1)
    assert figures["largest"] < ROUNDING
    assert figures["ratio"] == pytest.approx(figures["pymatgen_seconds"] / figures["seconds"])


def test_polymorphs_are_those_of_the_commonest_formula(tables):
    chosen = read_polymorphs(tables / "train.csv.gz", 3)
    assert {structure.composition.reduced_formula for structure in chosen} == {"TiO2"}


def test_the_page_has_the_figures_that_are_in_the_record(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "Peer", FakePeer)
    small = ["--structures", "4", "--cells", "6", "--pairs", "8", "--matrix", "4", "--matched", "3", "--repeats", "1"]
    assert main([*small, "--out", str(tmp_path), "--peers-python", "elsewhere/python"]) == 0
    record = json.loads((tmp_path / "metrics.json").read_text())
    page = (tmp_path / "metrics.md").read_text()
    assert "elsewhere" not in page
    for row in (*record["featurising"], record["transport"]):
        assert f"| {row['peer']} | {row['microseconds']:.0f} |" in page
        assert f"| {row['ratio']:.2f} |" in page
    for row in record["matcher"]:
        assert f"| {row['structures']} | {row['number']} |" in page
    assert "average-minimum-distance 1.2.3" in page


def test_the_place_of_the_peers_is_not_shown():
    assert shown(["--repeats", "2", "--peers-python", "there", "--pairs", "3"]) == ["--repeats", "2", "--pairs", "3"]
    assert shown(["--peers-python=there"]) == []


def test_missing_data_are_an_error_with_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XTAL_DATA", str(tmp_path))
    assert main([]) == 2
    assert "set XTAL_DATA" in capsys.readouterr().err
