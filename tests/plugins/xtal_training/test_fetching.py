from __future__ import annotations

import hashlib
import json
import socket
import time

import pytest
from pymatgen.io.cif import CifWriter

from file_server import serve
from toys import rocksalt
from xtal_core import download

FILES = ("train.csv", "val.csv", "test.csv")


def table(n):
    cif = str(CifWriter(rocksalt(5.64)))
    return ("material_id,cif\n" + "".join(f'mp-{i},"{cif}"\n' for i in range(n))).encode()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    with serve({f"/mp_20/{name}": table(3 + i) for i, name in enumerate(FILES)}) as running:
        yield running


@pytest.fixture
def fetch(xtal, server):
    return lambda *more: xtal("data", "fetch", "mp20", "--url", f"{server.url}/mp_20/", *more)


def test_all_files_are_fetched_and_what_was_verified_is_said(fetch, server, tmp_path):
    outcome = fetch()
    assert outcome.code == 0, outcome.err
    for name in FILES:
        content = server.files[f"/mp_20/{name}"]
        assert (tmp_path / "mp20" / name).read_bytes() == content
        assert hashlib.sha256(content).hexdigest() in outcome.out
    assert "train.csv: 3 structures" in outcome.out
    assert outcome.out.count("SHA-256 recorded now, there is no published one to compare with") == 3
    assert "CC BY 4.0" in outcome.out
    record = json.loads((tmp_path / "mp20" / "checksums.json").read_text())
    assert record["val.csv"]["rows"] == 4


def test_files_that_are_here_are_checked_and_not_fetched_again(fetch, server):
    fetch()
    n_requests = len(server.requests)
    outcome = fetch()
    assert outcome.code == 0
    assert outcome.out.count("the same as recorded on") == 3
    assert len(server.requests) == n_requests


def test_an_interrupted_download_goes_on_where_it_was(fetch, server, tmp_path):
    server.break_after = [500] * download.ATTEMPTS
    outcome = fetch()
    assert outcome.code == 1
    assert "2000 bytes have arrived and are kept" in outcome.err
    assert not (tmp_path / "mp20" / "train.csv").exists()
    assert fetch().code == 0
    assert ("/mp_20/train.csv", 2000) in server.requests


def test_a_killed_download_goes_on_where_it_was(start_xtal, fetch, server, tmp_path):
    server.files["/mp_20/train.csv"] = table(20_000)
    process = start_xtal("data", "fetch", "mp20", "--url", f"{server.url}/mp_20")
    part = tmp_path / "mp20" / ".train.csv.part"
    until = time.monotonic() + 300
    while not (part.exists() and part.stat().st_size) and time.monotonic() < until:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert fetch().code == 0
    assert (tmp_path / "mp20" / "train.csv").read_bytes() == server.files["/mp_20/train.csv"]


def test_a_file_that_changed_here_is_told(fetch, tmp_path):
    fetch()
    with (tmp_path / "mp20" / "val.csv").open("a") as file:
        file.write("\n")
    outcome = fetch()
    assert outcome.code == 2
    assert "val.csv: it is not the file that was recorded on" in outcome.err
    assert "remove it to fetch it again" in outcome.err


def test_a_file_that_is_fetched_again_must_be_the_same(fetch, server, tmp_path):
    fetch()
    (tmp_path / "mp20" / "train.csv").unlink()
    assert "fetched again; the same as recorded" in fetch().out
    (tmp_path / "mp20" / "train.csv").unlink()
    server.files["/mp_20/train.csv"] = table(99)
    outcome = fetch()
    assert outcome.code == 2
    assert "has the SHA-256" in outcome.err
    assert not (tmp_path / "mp20" / "train.csv").exists()


def test_files_that_somebody_brought_are_checked_and_recorded(fetch, server, tmp_path):
    (tmp_path / "mp20").mkdir()
    for name in FILES:
        (tmp_path / "mp20" / name).write_bytes(table(2))
    outcome = fetch()
    assert outcome.code == 0
    assert outcome.out.count("was here; a whole table") == 3
    assert server.requests == []


def test_what_is_not_a_table_is_not_kept(fetch, server, tmp_path):
    server.files["/mp_20/train.csv"] = b"<html>please log in to this network</html>"
    outcome = fetch()
    assert outcome.code == 2
    assert "what was sent is not a table of structures (the column 'cif' is missing)" in outcome.err
    assert not (tmp_path / "mp20" / "train.csv").exists()


def test_offline_it_says_what_can_be_done(xtal, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    outcome = xtal("data", "fetch", "mp20", "--url", f"http://127.0.0.1:{port}", "--out", "here")
    assert outcome.code == 1
    assert "name a mirror by --url, or get train.csv, val.csv, test.csv elsewhere, put them into here" in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_unknown_set_is_explained(xtal):
    outcome = xtal("data", "fetch", "mp2")
    assert outcome.code == 2
    assert "there is no public data set 'mp2'; did you mean 'mp20'?" in outcome.err
