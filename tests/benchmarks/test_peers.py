import sys
from pathlib import Path

import numpy as np
import pytest

from peers import Peer
from xtal_core.errors import InputError, PluginError

SCRIPT = """
import time

def double(values):
    print("peers print")
    return 2 * values

def wait(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def fail():
    raise ValueError("this cannot be")

def leave():
    raise SystemExit("that was all")
"""


@pytest.fixture
def peer(tmp_path):
    script = tmp_path / "peer_of_tests.py"
    script.write_text(SCRIPT)
    with Peer(Path(sys.executable), str(script)) as running:
        yield running


def test_functions_of_a_peer_are_called_with_arrays(peer):
    result, seconds = peer.call("double", np.arange(3.0))
    assert result.tolist() == [0, 2, 4]
    assert seconds >= 0


def test_times_are_those_of_the_work(peer):
    _, seconds = peer.repeat("wait", 3, 0.05)
    assert 0.05 <= seconds < 0.2


def test_versions_are_those_beside_the_peer(peer):
    assert peer.versions(["numpy"]) == {"numpy": np.__version__}


def test_what_fails_in_the_peer_fails_here_with_its_traceback(peer):
    with pytest.raises(PluginError, match="ValueError: this cannot be"):
        peer.call("fail")
    assert peer.call("double", 4)[0] == 8


def test_a_peer_that_ends_is_an_error_with_what_it_said(peer):
    with pytest.raises(PluginError, match="that was all"):
        peer.call("leave")


def test_a_peer_that_cannot_be_imported_is_an_error_with_the_reason(tmp_path):
    script = tmp_path / "peer_of_tests.py"
    script.write_text("import no_such_package_for_sure")
    with pytest.raises(PluginError, match="no_such_package_for_sure"):
        Peer(Path(sys.executable), str(script))


def test_without_the_environment_it_says_how_to_make_it(tmp_path):
    with pytest.raises(InputError, match=r"make \.venv-peers"):
        Peer(tmp_path / "python", "peer_pdffit2.py")
