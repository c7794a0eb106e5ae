from __future__ import annotations

import csv
import gzip
import shutil
import sqlite3
import time

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from crystal_files import write_cifs
from random_crystals import crystal
from toys import caesium_chloride_type, rocksalt
from xtal_core.errors import InputError
from xtal_core.interfaces import CalculatesSticks
from xtal_core.registry import installed_registry
from xtal_core.training_set import LARGEST_Q, N_BINS, TrainingSet
from xtal_powder.mp20_pxrd import _conventional, stick_patterns
from xtal_training.crystals import crystals_in


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table of structures, given as texts or structures."""

    def write(name, rows):
        path = tmp_path / name
        with (gzip.open if name.endswith(".gz") else open)(path, "wt", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["material_id", "cif"])
            writer.writerows([key, cif if isinstance(cif, str) else str(CifWriter(cif))] for key, cif in rows.items())
        return path

    return write


def left_out(path):
    with path.with_name(f"{path.stem}.left-out.csv").open() as file:
        return {row["name"]: row["reason"] for row in csv.DictReader(file)}


def disordered():
    return Structure(Lattice.cubic(3.6), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])


def test_tables_files_and_folders_become_one_set_in_order(xtal, table, tmp_path):
    rows = table("rows.csv.gz", {"mp-1": rocksalt(5.64), "mp-2": caesium_chloride_type(4.1)})
    rocksalt(4.2, "Mg", "O").to_file(str(tmp_path / "periclase.cif"))
    folder = write_cifs(tmp_path / "cifs", 3)
    outcome = xtal("data", "build", rows, tmp_path / "periclase.cif", folder, "--out", "all.safetensors")
    assert outcome.code == 0, outcome.err
    assert "6 crystals; 6 structures worked on, 0 known before" in outcome.out
    data = TrainingSet.load(tmp_path / "all.safetensors")
    assert data.names == ("mp-1", "mp-2", "periclase.cif", "00.cif", "01.cif", "02.cif")
    assert data.n_atoms.tolist() == [2] * 6
    assert data.space_group.tolist() == [225, 221, 225, 221, 225, 221]
    assert StructureMatcher(scale=False).fit(data.structure(2), rocksalt(4.2, "Mg", "O"))
    assert "periclase.cif" in data.metadata["sources"]
    assert not (tmp_path / "all.left-out.csv").exists()


@pytest.mark.parametrize("seed", range(1, 12))
def test_a_crystal_is_the_reduced_primitive_cell_of_the_structure(seed):
    structure = crystal(seed, ("Sr", "Ti", "O"), 7)
    structure.make_supercell([[1, 1, 0], [0, 1, 0], [0, 0, 2]])
    (found,) = crystals_in(str(CifWriter(structure, significant_figures=12)), "here", powder())
    rebuilt = Structure(found.lattice.astype(float), found.atomic_numbers.tolist(), found.frac_coords.astype(float))
    assert len(rebuilt) == len(structure) // 2
    assert StructureMatcher(scale=False).fit(rebuilt, structure)
    assert rebuilt.lattice.parameters == pytest.approx(
        rebuilt.lattice.get_niggli_reduced_lattice().parameters, abs=1e-4
    )
    assert found.frac_coords.min() >= 0
    assert found.frac_coords.max() < 1


def test_a_cell_at_the_edge_of_the_tolerance_is_reduced_too():
    lattice = [[2.92871423, 5.0727148, 6.3e-07], [-2.92877222, 5.0727148, 2.7e-07], [0, 0, 11.1822575]]
    structure = Structure(lattice, ["Sc", "Mn"], [[0, 0, 0], [0.3, 0.4, 0.1]])
    (found,) = crystals_in(str(CifWriter(structure, significant_figures=12)), "here", powder())
    assert np.linalg.det(found.lattice) == pytest.approx(structure.volume, rel=1e-6)


WURTZITE = Structure.from_spacegroup(
    "P6_3mc", Lattice.hexagonal(3.25, 5.2), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]]
)
CORUNDUM = Structure.from_spacegroup(
    "R-3c", Lattice.hexagonal(4.76, 12.99), ["Al", "O"], [[0, 0, 0.352], [0.306, 0, 0.25]]
)
BADDELEYITE = Structure.from_spacegroup(
    "P2_1/c",
    Lattice.monoclinic(5.15, 5.2, 5.32, 99.2),
    ["Zr", "O", "O"],
    [[0.275, 0.04, 0.208], [0.07, 0.33, 0.34], [0.44, 0.757, 0.48]],
)


@pytest.mark.parametrize(
    "structure", [rocksalt(5.64), rocksalt(5.64).get_primitive_structure(), WURTZITE, CORUNDUM, BADDELEYITE]
)
def test_symmetry_and_sticks_are_those_of_mp20_pxrd(structure):
    (found,) = crystals_in(str(CifWriter(structure, significant_figures=10)), "here", powder())
    assert found.space_group == SpacegroupAnalyzer(structure).get_space_group_number()
    expected = stick_patterns([_conventional(structure)])[0]
    sticks = np.zeros(N_BINS)
    sticks[found.stick_bins] = found.stick_heights
    assert sticks == pytest.approx(expected / expected.max(), abs=1e-6)


def test_the_strongest_stick_of_rock_salt_is_its_200_reflection():
    (found,) = crystals_in(str(CifWriter(rocksalt(5.64))), "here", powder())
    strongest = found.stick_bins[found.stick_heights.argmax()]
    assert strongest == int(2 * np.pi * 2 / 5.64 * N_BINS / LARGEST_Q)
    assert found.stick_heights.max() == 1


def powder():
    simulator = installed_registry().create("simulator", "powder")
    assert isinstance(simulator, CalculatesSticks)
    return simulator


def test_what_cannot_be_taken_is_listed_with_its_reason_and_counted(xtal, table, tmp_path):
    large = Structure(Lattice.cubic(9), ["O"] * 12, np.random.default_rng(1).random((12, 3)))
    tiny = Structure(Lattice.cubic(0.9), ["H"], [[0, 0, 0]])
    salt = str(CifWriter(rocksalt(5.64)))
    texts = {"good": salt, "disordered": disordered(), "large": large, "tiny": tiny}
    rows = table("rows.csv", {**texts, "again": salt, "nonsense": "data_x", "empty": ""})
    outcome = xtal("data", "build", rows, "--out", "set.safetensors", "--max-atoms", 10)
    assert outcome.code == 0, outcome.err
    assert "1 crystals; 6 structures worked on" in outcome.out
    assert "6 left out, listed in set.left-out.csv" in outcome.err
    reasons = left_out(tmp_path / "set.safetensors")
    assert "it is disordered" in reasons["disordered"]
    assert reasons["large"] == "its primitive cell has 12 atoms, more than 10"
    assert "has no reflection below 90°" in reasons["tiny"]
    assert "the same text occurs before" in reasons["again"]
    assert "holds no atoms" in reasons["nonsense"]
    assert reasons["empty"] == "it is empty"
    assert TrainingSet.load(tmp_path / "set.safetensors").metadata["left_out"] == "6"


def test_a_file_of_several_structures_gives_all_of_them(xtal, tmp_path):
    blocks = [str(CifWriter(structure)) for structure in (rocksalt(5.64), rocksalt(4.2, "Mg", "O"))]
    (tmp_path / "two.cif").write_text("\n".join(blocks))
    assert xtal("data", "build", "two.cif", "--out", "two.safetensors").code == 0
    assert TrainingSet.load(tmp_path / "two.safetensors").names == ("two.cif#1", "two.cif#2")


def test_what_did_not_change_is_not_worked_on_again(xtal, tmp_path):
    folder = write_cifs(tmp_path / "cifs", 5)
    build = ("data", "build", folder, "--out", "set.safetensors")
    assert "5 structures worked on, 0 known before" in xtal(*build).out
    first = (tmp_path / "set.safetensors").read_bytes()
    assert "0 structures worked on, 5 known before" in xtal(*build).out
    assert (tmp_path / "set.safetensors").read_bytes() == first
    rocksalt(7.0).to_file(str(folder / "new.cif"))
    assert "6 crystals; 1 structures worked on, 5 known before" in xtal(*build).out


def test_structures_are_known_again_in_another_file(xtal, table, tmp_path):
    table("a.csv", {"mp-1": rocksalt(5.64)})
    table("b.csv.gz", {"mp-7": rocksalt(5.64), "mp-8": rocksalt(5.7)})
    xtal("data", "build", "a.csv", "--out", "a.safetensors")
    outcome = xtal("data", "build", "b.csv.gz", "--out", "b.safetensors", "--max-atoms", 4)
    assert "2 crystals; 1 structures worked on, 1 known before" in outcome.out
    assert TrainingSet.load(tmp_path / "b.safetensors").names == ("mp-7", "mp-8")


def test_a_build_killed_at_any_moment_goes_on_and_gives_the_same_set(xtal, start_xtal, table, tmp_path):
    table("rows.csv", {f"mp-{i}": crystal(i, ("Sr", "Ti", "O"), 8) for i in range(400)})
    build = ("data", "build", "rows.csv", "--jobs", 1)
    cache = tmp_path / "cache" / "crystals.sqlite"

    def stored():
        try:
            with sqlite3.connect(f"{cache.as_uri()}?mode=ro", uri=True) as connection:
                return connection.execute("SELECT COUNT(*) FROM outcomes").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    process = start_xtal(*build, "--out", "killed.safetensors")
    until = time.monotonic() + 300
    while not stored() and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    reached = stored()
    assert 0 < reached < 400
    assert not (tmp_path / "killed.safetensors").exists()
    outcome = xtal(*build, "--out", "killed.safetensors")
    assert f"{400 - reached} structures worked on, {reached} known before" in outcome.out
    shutil.rmtree(tmp_path / "cache")
    assert xtal(*build, "--out", "whole.safetensors").code == 0
    assert (tmp_path / "killed.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv", "--out", "x.safetensors"], "absent.csv: there is no such file or folder"),
        (["notes.txt", "--out", "x.safetensors"], "notes.txt: is neither a CIF file nor a table"),
        (["void", "--out", "x.safetensors"], "void: the folder holds no CIF file"),
        (["salt.cif", "--out", "x.npz"], "give a name that ends in .safetensors"),
        (["salt.cif", "--out", "nowhere/x.safetensors"], "there is no folder nowhere"),
        (["salt.cif", "--out", "x.safetensors", "--simulator", "toy-simulator"], "does not calculate sticks"),
        (["salt.cif", "--out", "x.safetensors", "--max-atoms", "1"], "none of 1 structures can be taken"),
    ],
)
def test_bad_input_is_explained(xtal, arguments, message, tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "void").mkdir()
    rocksalt(5.64).to_file(str(tmp_path / "salt.cif"))
    outcome = xtal("data", "build", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_table_that_breaks_off_is_an_error_and_no_set_is_written(xtal, table, tmp_path):
    path = table("rows.csv.gz", {f"mp-{i}": rocksalt(5 + i / 10) for i in range(20)})
    path.write_bytes(path.read_bytes()[:-50])
    outcome = xtal("data", "build", path, "--out", "x.safetensors")
    assert outcome.code == 2
    assert "the table cannot be read" in outcome.err
    assert not (tmp_path / "x.safetensors").exists()


def test_a_cache_that_is_none_is_named_with_what_to_do(xtal, tmp_path):
    rocksalt(5.64).to_file(str(tmp_path / "salt.cif"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "crystals.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 20)
    outcome = xtal("data", "build", "salt.cif", "--out", "x.safetensors")
    assert outcome.code == 2
    assert "crystals.sqlite: the cache cannot be opened" in outcome.err


def test_a_stick_pattern_of_nothing_is_refused_by_the_simulator():
    with pytest.raises(InputError, match="no reflection"):
        powder().stick_patterns([Structure(Lattice.cubic(0.9), ["H"], [[0, 0, 0]])])
