from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save

from file_server import serve
from xtal_core import weights as store
from xtal_core.errors import InputError, OptionError
from xtal_core.hookspecs import WeightsRecord
from xtal_core.registry import Registry, WeightsOffer, installed_registry
from xtal_core.weights import fetch_weights, find_weights

CONTENT = save({"layer": np.arange(4.0)}, {"model": "toy-model", "config": "{}"})
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return the file of weights in an installed package."""
    folder = tmp_path / "site" / "parcel"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "toy.safetensors").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("XTAL_WEIGHTS", str(tmp_path / "kept"))
    monkeypatch.setenv("no_proxy", "*")
    return folder / "toy.safetensors"


@pytest.fixture
def shipped(package):
    return WeightsRecord("toy-shipped", "toy-model", "parcel/toy.safetensors", SHA256, len(CONTENT), "parcel/toy.md")


@pytest.fixture
def remote(package):
    with serve({"/toy.safetensors": CONTENT}) as server:
        yield WeightsRecord("toy-remote", "toy-model", f"{server.url}/toy.safetensors", SHA256, len(CONTENT), "card")


@pytest.fixture
def offer(xtal, monkeypatch):
    """Return a function that makes records those of the installed plugins."""

    def make(*records):
        installed = installed_registry()
        offers = {record.name: WeightsOffer(record, "parcel", "parcel", "1.0") for record in records}
        registry = Registry(installed.offers, installed.failures, offers)
        for module in ("xtal_core.weights", "xtal_core.cli.weights", "xtal_core.cli.plugins"):
            monkeypatch.setattr(f"{module}.installed_registry", lambda: registry)

    return make


def test_shipped_weights_are_found_by_name_and_verified(offer, shipped, package):
    offer(shipped)
    found = find_weights("toy-shipped", "toy-model")
    assert (found.path, found.sha256) == (package, SHA256)
    assert found.metadata == {"model": "toy-model", "config": "{}"}


def test_shipped_weights_that_changed_are_refused(shipped, package):
    package.write_bytes(CONTENT.replace(b"config", b"confug"))
    with pytest.raises(InputError, match=f"instead of {SHA256}"):
        find_weights(shipped)


def test_a_users_own_file_is_taken_with_its_hash(package):
    assert find_weights(package).sha256 == SHA256
    assert find_weights(str(package), "toy-model").path == package


def test_weights_of_another_model_are_refused(package):
    with pytest.raises(InputError, match="are weights of toy-model, not of pxrdnet"):
        find_weights(package, "pxrdnet")
    package.write_bytes(save({"layer": np.zeros(2)}))
    with pytest.raises(InputError, match="does not say of which model it is, not of pxrdnet"):
        find_weights(package, "pxrdnet")


def test_files_that_are_no_weights_are_refused(package, tmp_path):
    package.write_bytes(b"pickle")
    with pytest.raises(InputError, match=r"is not a complete \.safetensors file"):
        find_weights(package)
    with pytest.raises(InputError, match="there are no weights here"):
        find_weights(tmp_path / "absent.safetensors")


def test_an_unknown_name_gets_the_nearest_one(offer, shipped):
    offer(shipped)
    with pytest.raises(OptionError, match=r"no weights 'toy-shiped'; did you mean 'toy-shipped'\?"):
        find_weights("toy-shiped")


def test_remote_weights_are_fetched_once_and_verified(remote, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="fetch them with xtal weights fetch"):
        find_weights(remote)
    assert fetch_weights(remote).path == tmp_path / "kept" / "toy.safetensors"
    monkeypatch.setattr(store, "download", None)
    assert fetch_weights(remote).sha256 == SHA256


def test_remote_weights_that_are_others_are_not_kept(remote, tmp_path):
    with pytest.raises(InputError, match="instead of 000"):
        fetch_weights(replace(remote, sha256="0" * 64))
    assert list((tmp_path / "kept").iterdir()) == []


def test_the_list_says_what_is_here_and_verified(xtal, offer, shipped, remote):
    offer(shipped, remote)
    outcome = xtal("weights")
    assert outcome.code == 0
    lines = {line.split()[0]: line for line in outcome.out.splitlines()}
    assert "verified" in lines["toy-shipped"]
    assert "not fetched: xtal weights fetch toy-remote" in lines["toy-remote"]


def test_fetching_by_name_makes_them_verified(xtal, offer, remote):
    offer(remote)
    outcome = xtal("weights", "fetch", "toy-remote")
    assert outcome.code == 0, outcome.err
    assert "verified" in outcome.out
    (record,) = json.loads(xtal("weights", "--json").out)
    assert (record["state"], record["model"], record["sha256"]) == ("verified", "toy-model", SHA256)


def test_weights_that_changed_make_the_list_fail(xtal, offer, shipped, package):
    offer(shipped)
    package.write_bytes(CONTENT[:-1])
    outcome = xtal("weights", "list")
    assert outcome.code == 1
    assert "not what it should be" in outcome.out
    assert "1 of 1 weights cannot be used: " in outcome.err
    assert f"instead of {SHA256}" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "toy-romote"], "there are no weights 'toy-romote'; did you mean 'toy-remote'?"),
        (["fetch"], "fetch needs a name; installed weights are toy-remote"),
        (["fetsch"], "'fetsch' is nothing that can be done with weights; did you mean 'fetch'?"),
    ],
)
def test_wrong_words_are_explained(xtal, offer, remote, arguments, message):
    offer(remote)
    outcome = xtal("weights", *arguments)
    assert outcome.code == 2
    assert message in outcome.err


def test_without_weights_the_list_says_so(xtal, offer):
    offer()
    assert xtal("weights").out == "no plugin offers weights\n"


def test_plugins_list_weights_too(xtal, offer, shipped):
    offer(shipped)
    line = next(line for line in xtal("plugins").out.splitlines() if "toy-shipped" in line)
    assert line.split()[:2] == ["weights", "toy-shipped"]
    (record,) = json.loads(xtal("plugins", "--json").out)["weights"]
    assert record["record"]["sha256"] == SHA256
