"""Fetching densities of the Materials Project, without a network, from clients made for the purpose."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Chgcar

from xtal_core.cli.app import main
from xtal_core.errors import InputError
from xtal_core.progress import Progress
from xtal_crystalnet.density_files import read_chgcar
from xtal_crystalnet.materials_project import density_path, fetch_densities


class Database:
    """Stands in for mp-api's MPRester: knows silicon and salt, and fails in different ways for others."""

    def __init__(self):
        self.asked = []

    def get_charge_density_from_material_id(self, material_id):
        self.asked.append(material_id)
        if material_id == "mp-1":
            return None
        if material_id == "mp-2":
            raise ConnectionError("the server is away")
        if material_id == "mp-3":
            raise KeyboardInterrupt
        edge = {"mp-149": 3.8, "mp-22862": 5.6}[material_id]
        structure = Structure(Lattice.cubic(edge), ["Si"], [[0, 0, 0]])
        data = {"total": np.random.default_rng(1).random((4, 5, 6)) * edge, "diff": np.zeros((4, 5, 6))}
        return Chgcar(structure, data)


class Labels(Progress):
    def __init__(self):
        self.seen = []

    def track(self, items, label, total=None):
        self.seen.append((label, total))
        yield from items


def test_densities_are_written_and_read_back(tmp_path):
    database = Database()
    found = fetch_densities(["mp-149", "mp-22862"], tmp_path / "new", client=database)
    assert found.written == (tmp_path / "new" / "CHGCAR_mp-149.gz", tmp_path / "new" / "CHGCAR_mp-22862.gz")
    assert (found.present, found.failures) == ((), {})
    for path, material_id in zip(found.written, ["mp-149", "mp-22862"], strict=True):
        chgcar = database.get_charge_density_from_material_id(material_id)
        density, structure = read_chgcar(path)
        np.testing.assert_allclose(density.values, chgcar.data["total"] / chgcar.structure.volume, rtol=1e-9)
        assert structure.formula == "Si1"


def test_failures_are_reported_by_material_and_do_not_stop_the_others(tmp_path):
    found = fetch_densities(["mp-1", "mp-2", "../../mp-4", "mp-5", "mp-149"], tmp_path, client=Database())
    assert [path.name for path in found.written] == ["CHGCAR_mp-149.gz"]
    assert sorted(found.failures) == ["../../mp-4", "mp-1", "mp-2", "mp-5"]
    assert "no charge density" in found.failures["mp-1"]
    assert found.failures["mp-2"] == "ConnectionError: the server is away"
    assert "not a material id" in found.failures["../../mp-4"]
    assert "KeyError" in found.failures["mp-5"]
    assert [path.name for path in tmp_path.iterdir()] == ["CHGCAR_mp-149.gz"]


def test_files_that_are_there_are_not_fetched_again(tmp_path):
    first, second, progress = Database(), Database(), Labels()
    with pytest.raises(KeyboardInterrupt):
        fetch_densities(["mp-149", "mp-3", "mp-22862"], tmp_path, client=first)
    assert first.asked == ["mp-149", "mp-3"]
    found = fetch_densities(["mp-149", "mp-22862"], tmp_path, client=second, progress=progress)
    assert second.asked == ["mp-22862"]
    assert found.present == (tmp_path / "CHGCAR_mp-149.gz",)
    assert found.written == (tmp_path / "CHGCAR_mp-22862.gz",)
    assert progress.seen == [("densities", 1)]


def test_nothing_to_fetch_needs_no_key(tmp_path, monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    fetch_densities(["mp-149"], tmp_path, client=Database())
    assert len(fetch_densities(["mp-149"], tmp_path).present) == 1


def test_a_missing_key_explains_itself(tmp_path, monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(InputError, match=r"need a key; .*MP_API_KEY"):
        fetch_densities(["mp-149"], tmp_path)


def test_a_missing_package_explains_itself(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mp_api", None)
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    with pytest.raises(InputError, match=r"needs the package mp-api .*pip install"):
        fetch_densities(["mp-149"], tmp_path, api_key="x" * 32)


def with_client(monkeypatch, make):
    """Install a module mp_api.client whose MPRester is `make`."""
    package, client = ModuleType("mp_api"), ModuleType("mp_api.client")
    client.MPRester = make
    monkeypatch.setitem(sys.modules, "mp_api", package)
    monkeypatch.setitem(sys.modules, "mp_api.client", client)


def test_the_key_is_that_of_the_argument_or_else_of_the_environment(tmp_path, monkeypatch):
    keys = []
    with_client(monkeypatch, lambda key, **_: keys.append(key) or Database())
    monkeypatch.setenv("MP_API_KEY", "environment")
    fetch_densities(["mp-149"], tmp_path)
    fetch_densities(["mp-22862"], tmp_path, api_key="argument")
    assert keys == ["environment", "argument"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def fetch(tmp_path, monkeypatch, capsys):
    """Return a function that runs `xtal densities` with the toy database."""
    with_client(monkeypatch, lambda *_, **__: Database())
    monkeypatch.setenv("MP_API_KEY", "x")

    def run(*arguments):
        code = main(["densities", *map(str, arguments), "--out", str(tmp_path / "out")])
        return code, *capsys.readouterr()

    return run


def test_the_command_fetches_materials_and_what_training_sets_hold(fetch, tmp_path, training_set):
    renamed = replace(training_set, names=tuple(f"mp-{i + 10}" for i in range(len(training_set))))
    renamed.save(tmp_path / "set.safetensors")
    code, out, err = fetch("mp-149", "mp-22862", "mp-149", tmp_path / "set.safetensors")
    assert (code, out) == (0, f"{tmp_path / 'out'}: 2 densities fetched, 0 were there\n")
    assert "mp-10: KeyError" in err
    assert f"{len(training_set)} could not be fetched:" in err
    assert fetch("mp-149", "mp-1", "--quiet") == (0, "", "")
    assert fetch("mp-149") == (0, f"{tmp_path / 'out'}: 0 densities fetched, 1 were there\n", "")


def test_the_command_fails_when_nothing_can_be_fetched(fetch):
    code, _, err = fetch("mp-1")
    assert code != 0
    assert err.endswith("none of 1 densities could be fetched\n")


def test_a_key_that_is_not_accepted_explains_itself(tmp_path, monkeypatch):
    def refuse(key, **_):
        raise RuntimeError("keys have 32 characters")

    with_client(monkeypatch, refuse)
    with pytest.raises(InputError, match=r"does not accept the key \(keys have 32 characters\)"):
        fetch_densities(["mp-149"], tmp_path, api_key="short")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder cannot be made"):
        fetch_densities(["mp-149"], tmp_path / "file", client=Database())


@pytest.mark.parametrize("wrong", ["149", "mp-", "mp-1/2", "../mp-1", "", "mp 149", "mp-149\n"])
def test_what_is_not_a_material_id_is_no_path(wrong):
    with pytest.raises(InputError, match="not a material id"):
        density_path("folder", wrong)
