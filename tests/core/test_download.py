from __future__ import annotations

import hashlib
import socket

import numpy as np
import pytest

from file_server import serve
from xtal_core import download as module
from xtal_core.download import DownloadError, download
from xtal_core.errors import InputError

CONTENT = np.random.default_rng(1).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    with serve({"/file": CONTENT}) as running:
        yield running


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_nothing_is_left_beside_it(server, tmp_path):
    assert download(f"{server.url}/file", tmp_path / "new" / "file", sha256=SHA256) == SHA256
    assert (tmp_path / "new" / "file").read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["file"]


def test_a_broken_connection_is_taken_up_where_it_broke(server, tmp_path):
    server.break_after = [100_000, 50_000]
    assert download(f"{server.url}/file", tmp_path / "file") == SHA256
    assert server.requests == [("/file", 0), ("/file", 100_000), ("/file", 150_000)]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, tmp_path):
    server.break_after = [10_000] * module.ATTEMPTS
    with pytest.raises(DownloadError, match=r"the connection broke off .* 40000 bytes have arrived and are kept"):
        download(f"{server.url}/file", tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert download(f"{server.url}/file", tmp_path / "file") == SHA256
    assert server.requests[-1] == ("/file", 40_000)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_halves_of_two_versions_are_never_joined(server, tmp_path):
    server.break_after = [10_000] * module.ATTEMPTS
    with pytest.raises(DownloadError):
        download(f"{server.url}/file", tmp_path / "file")
    server.files["/file"] = newer = CONTENT[::-1]
    assert download(f"{server.url}/file", tmp_path / "file") == hashlib.sha256(newer).hexdigest()


def test_a_version_that_became_shorter_is_fetched_anew(server, tmp_path):
    server.break_after = [70_000] * module.ATTEMPTS
    with pytest.raises(DownloadError):
        download(f"{server.url}/file", tmp_path / "file")
    server.files["/file"] = b"short"
    download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"short"


def test_what_was_complete_but_not_yet_in_place_is_not_fetched_again(server, tmp_path):
    server.break_after = [10_000] * module.ATTEMPTS
    with pytest.raises(DownloadError):
        download(f"{server.url}/file", tmp_path / "file")
    (tmp_path / ".file.part").write_bytes(CONTENT)
    assert download(f"{server.url}/file", tmp_path / "file") == SHA256
    assert server.requests[-1] == ("/file", len(CONTENT))


@pytest.mark.parametrize("lacking", ["ranges", "etags"])
def test_without_ranges_or_identities_a_file_is_fetched_from_the_start_again(server, tmp_path, lacking):
    setattr(server, lacking, False)
    server.break_after = [100_000]
    assert download(f"{server.url}/file", tmp_path / "file") == SHA256


def test_another_file_than_the_wanted_one_is_not_kept(server, tmp_path):
    with pytest.raises(InputError, match=f"has the SHA-256 {SHA256} instead of 00"):
        download(f"{server.url}/file", tmp_path / "file", sha256="0" * 64)
    assert names(tmp_path) == []


def test_what_is_left_of_another_address_is_not_used(server, tmp_path):
    server.files["/other"] = CONTENT[::-1]
    server.break_after = [10_000] * module.ATTEMPTS
    with pytest.raises(DownloadError):
        download(f"{server.url}/other", tmp_path / "file")
    assert download(f"{server.url}/file", tmp_path / "file") == SHA256


def test_an_empty_file_arrives(server, tmp_path):
    server.files["/empty"] = b""
    assert download(f"{server.url}/empty", tmp_path / "empty") == hashlib.sha256(b"").hexdigest()


def test_a_refusal_is_told_and_not_repeated(server, tmp_path):
    with pytest.raises(DownloadError, match="the server says 404"):
        download(f"{server.url}/absent", tmp_path / "file")
    assert len(server.requests) == 1


def test_without_a_network_the_remedy_is_told_at_once(tmp_path, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setattr(module, "PAUSE", 1000.0)
    with pytest.raises(DownloadError, match=r"cannot be fetched \(.*Connection refused.*\); carry it here"):
        download(f"http://127.0.0.1:{port}/file", tmp_path / "file", remedy="carry it here")
