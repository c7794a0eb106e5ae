import csv
import sqlite3

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.cli.app import main
from xtal_prototype import table_fit
from xtal_prototype.table import read_entries

METALS = ["Mg", "Mn", "Fe", "Co", "Ni", "Zn"]


def rutile_type(metal, anion, ratio, x):
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 4.6 * ratio), [metal, anion], [[0, 0, 0], [x, x, 0]]
    )


def in_another_setting(structure, number):
    other = structure.copy()
    other.translate_sites(range(len(other)), [0.1 * number, -0.07 * number, 0.03])
    order = np.roll([0, 1, 2], number)
    return Structure(other.lattice.matrix[order], other.species, other.frac_coords[:, order])


def write_table(path, structures):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["material_id", "cif"])
        writer.writerows([f"mp-{number}", structure.to(fmt="cif")] for number, structure in enumerate(structures))
    return path


def members():
    random = np.random.default_rng(0)
    for number, metal in enumerate(METALS):
        yield in_another_setting(
            rutile_type(metal, "F", 0.66 + 0.01 * random.normal(), 0.304 + 0.002 * random.normal()), number
        )


def test_members_in_any_setting_make_one_entry(tmp_path):
    report = table_fit.fit_table(tmp_path / "table.npz", [write_table(tmp_path / "a.csv", members())])
    (entry,) = read_entries(tmp_path / "table.npz")
    assert (report.structures, report.entries, report.aggregated, report.refusals) == (6, 1, 6, [])
    assert (entry.label, entry.n_members, entry.match_rate) == ("AB2_tP6_136_a_f", 6, 1.0)
    lengths = np.sort(np.linalg.norm(entry.lattice, axis=1))
    assert lengths[0] / lengths[1] == pytest.approx(0.66, abs=0.015)
    assert entry.anonymous == "A1B2"


def test_two_groups_of_members_make_two_entries(tmp_path):
    flat = [rutile_type(metal, "Cl", 0.45, 0.32) for metal in METALS[:4]]
    table_fit.fit_table(tmp_path / "table.npz", [write_table(tmp_path / "a.csv", [*members(), *flat])])
    entries = read_entries(tmp_path / "table.npz")
    assert sorted(entry.n_members for entry in entries) == [4, 6]
    assert {number for entry in entries if entry.n_members == 4 for s in entry.site_species for number in s} == {
        *(12, 25, 26, 27),
        17,
    }


def test_three_entries_of_one_compound_are_no_type(tmp_path):
    same = [rutile_type("Ti", "O", 0.644 + 0.002 * number, 0.305) for number in range(5)]
    report = table_fit.fit_table(tmp_path / "table.npz", [write_table(tmp_path / "a.csv", [*same, *members()])])
    assert report.entries == 1
    few = table_fit.fit_family([member for family in _families(tmp_path, same) for member in family])
    assert few == []


def _families(folder, structures):
    families, _ = table_fit.read_families([write_table(folder / "few.csv", structures)])
    return families.values()


def test_an_entry_that_matches_few_members_is_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(table_fit, "match_rate", lambda entry, members: 0.4)
    (family,) = _families(tmp_path, members())
    assert table_fit.fit_family(family) == []


def test_an_interrupted_fit_goes_on_where_it_stopped(tmp_path, monkeypatch, rock_salt):
    salts = []
    for metal in ["Na", "K", "Li"]:
        salts.append(rock_salt.copy())
        salts[-1].replace_species({"Na": metal})
    source = write_table(tmp_path / "a.csv", [*members(), *salts])
    whole = tmp_path / "whole.npz"
    table_fit.fit_table(whole, [source])

    fit_family, fitted = table_fit.fit_family, []

    def fit_and_stop(family):
        if fitted:
            raise KeyboardInterrupt
        fitted.append(family)
        return fit_family(family)

    resumed = tmp_path / "resumed.npz"
    monkeypatch.setattr(table_fit, "fit_family", fit_and_stop)
    with pytest.raises(KeyboardInterrupt):
        table_fit.fit_table(resumed, [source])
    assert not resumed.exists()
    monkeypatch.setattr(table_fit, "fit_family", lambda family: fitted.append(family) or fit_family(family))
    table_fit.fit_table(resumed, [source])
    assert len(fitted) == 2
    assert resumed.read_bytes() == whole.read_bytes()
    assert [file.name for file in tmp_path.glob("*.partial")] == []


def test_a_fit_with_other_input_does_not_take_over_what_was_finished(tmp_path):
    source = write_table(tmp_path / "a.csv", members())
    with sqlite3.connect(tmp_path / "table.npz.partial") as other:
        other.execute("CREATE TABLE families (key TEXT PRIMARY KEY, digest BLOB NOT NULL, entries BLOB NOT NULL)")
        families, _ = table_fit.read_families([source])
        other.executemany("INSERT INTO families VALUES (?, ?, ?)", [(repr(key), b"other", b"") for key in families])
    other.close()
    assert table_fit.fit_table(tmp_path / "table.npz", [source]).entries == 1


def test_the_command_reports_what_it_used(tmp_path, capsys, rutile):
    table = write_table(
        tmp_path / "a.csv", [*members(), Structure(Lattice.cubic(3), ["Fe", "Fe"], [[0] * 3, [0.01] * 3])]
    )
    assert main(["library", "fit-table", str(tmp_path / "table.npz"), "--from", str(table)]) == 0
    output = capsys.readouterr()
    assert output.out.endswith("table.npz: 1 entries from 6 of 6 structures\n")
    assert "not used: mp-6: two atoms are only" in output.err
