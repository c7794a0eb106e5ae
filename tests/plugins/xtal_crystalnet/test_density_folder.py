"""Densities of files, as training learns them."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from pymatgen.core import Structure

from xtal_core.cells import CellBatch
from xtal_core.errors import InputError
from xtal_crystalnet.batches import Collate
from xtal_crystalnet.density_files import write_chgcar
from xtal_crystalnet.density_folder import DensityFolder
from xtal_crystalnet.density_map import density_at, electron_density
from xtal_crystalnet.standard_cell import standard_cell


def write_density(path: Path, crystal: Structure) -> None:
    """Write the density of independent atoms, on a grid as fine as that of a calculation."""
    shape = tuple(int(np.ceil(edge / 0.09)) for edge in crystal.lattice.abc)
    density = electron_density(CellBatch.from_structures([crystal]), 0, shape)
    write_chgcar(path, density, crystal)


@pytest.fixture
def moved(quartz):
    """Quartz in another cell, at another origin."""
    shifted = quartz.copy().translate_sites(range(len(quartz)), [0.13, 0.41, 0.27])
    return Structure(shifted.lattice, shifted.species, shifted.frac_coords).make_supercell(
        [[1, 1, 0], [0, 1, 0], [0, 1, 1]]
    )


def read(folder, crystal, name="mp-7000"):
    return DensityFolder(folder).density(name, crystal.atomic_numbers, crystal.volume)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_density_is_that_of_its_atoms_in_the_standard_cell(tmp_path, moved, suffix):
    write_density(tmp_path / f"CHGCAR_mp-7000{suffix}", moved)
    found = read(tmp_path, moved)
    expected = standard_cell(moved.lattice.matrix, moved.frac_coords, np.array(moved.atomic_numbers))
    assert found.cell.fractional == pytest.approx(expected.fractional, abs=1e-5)
    points = np.random.default_rng(1).random((400, 3))
    atoms = found.cell.fractional, found.cell.numbers, np.ones(len(found.cell.numbers))
    truth = density_at(found.cell.lattice, *atoms, points)
    # Cores are a little too sharp for 50 points.
    assert found.at(points) == pytest.approx(truth, abs=0.03 * truth.max())
    assert found.at(points).mean() == pytest.approx(truth.mean(), rel=0.02)


def test_a_file_is_read_once_until_it_changes(tmp_path, salt, monkeypatch):
    path = tmp_path / "CHGCAR_salt"
    write_density(path, salt)
    first = read(tmp_path, salt, "salt")
    with monkeypatch.context() as patched:
        patched.setattr("xtal_crystalnet.density_folder.read_chgcar", None)
        again = read(tmp_path, salt, "salt")
    points = np.random.default_rng(2).random((50, 3))
    assert again.at(points) == pytest.approx(first.at(points), rel=1e-5)
    larger = salt.copy()
    larger.scale_lattice(1.02 * salt.volume)
    write_density(path, larger)
    os.utime(path, ns=(1, 1))
    assert read(tmp_path, larger, "salt").cell.lattice == pytest.approx(1.02 ** (1 / 3) * first.cell.lattice)


def test_what_was_kept_but_is_damaged_is_read_again(tmp_path, salt):
    write_density(tmp_path / "CHGCAR_salt", salt)
    first = read(tmp_path, salt, "salt")
    (tmp_path / "maps" / "salt.npz").write_bytes(b"PK\x03\x04 and no more")
    assert read(tmp_path, salt, "salt").cell.lattice == pytest.approx(first.cell.lattice)


def test_a_file_of_another_crystal_is_refused(tmp_path, salt, quartz):
    write_density(tmp_path / "CHGCAR_salt", salt)
    with pytest.raises(InputError, match="is not of the crystal salt of the training set") as error:
        read(tmp_path, quartz, "salt")
    assert "CHGCAR_salt" in str(error.value)
    denser = salt.copy()
    denser.scale_lattice(0.8 * salt.volume)
    with pytest.raises(InputError, match="is not of the crystal"):
        read(tmp_path, denser, "salt")


def test_a_crystal_without_a_file_and_a_folder_that_is_not_there_are_refused(tmp_path, salt):
    assert DensityFolder(tmp_path).path("salt") is None
    with pytest.raises(InputError, match="there is no density of salt; add a file CHGCAR_salt"):
        read(tmp_path, salt, "salt")
    with pytest.raises(InputError, match="there is no such folder of densities"):
        DensityFolder(tmp_path / "elsewhere")


@pytest.fixture
def first_density(tmp_path, training_set):
    """A folder with the density of the first crystal of the training set alone."""
    write_density(tmp_path / f"CHGCAR_{training_set.names[0]}", training_set.structure(0))
    return tmp_path


def test_batches_hold_the_densities_of_files(first_density, training_set):
    def batch(densities):
        return Collate(training_set, 118, 3, 20, seed=1, densities=densities)([0])

    of_files, of_atoms = batch(DensityFolder(first_density)), batch(None)
    assert torch.allclose(of_files.points, of_atoms.points, atol=1e-4)
    scale = float(of_atoms.density.max())
    assert torch.allclose(of_files.density, of_atoms.density, atol=0.05 * scale)
    assert not torch.allclose(of_files.density, of_atoms.density, atol=1e-6 * scale)


def test_only_crystals_with_a_density_are_learned_and_the_rest_is_told(
    first_density, training_set, small_model, caplog
):
    model = small_model(densities=str(first_density))
    loader = model.batches(training_set, training=False, batch_size=4, seed=0, workers=0)
    assert [len(batch.sticks) for batch in loader] == [1]
    assert f"{len(training_set) - 1} crystals for validation are left out: they have no density in" in caplog.text
    (first_density / f"CHGCAR_{training_set.names[0]}").unlink()
    with pytest.raises(InputError, match="holds no density of a crystal of the set"):
        model.batches(training_set, training=False, batch_size=4, seed=0, workers=0)
