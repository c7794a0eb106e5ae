"""`xtal bench` runs scripts of the source tree by their names."""

import os
import signal
import subprocess
import sys
import time
import tomllib

import pytest

from xtal_core.cli import bench
from xtal_core.cli.bench import LIST


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """Return a folder of benchmarks with a list of its own."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "say.py").write_text(
        "import pathlib, sys\npathlib.Path('told').write_text(str(sys.argv[1:]))\nsys.exit(7)\n"
    )
    written = '[say-it]\nscript = "say.py"\narguments = ["--size", "10"]\nsummary = "what it is told"\n'
    (folder / "benchmarks.toml").write_text(written)
    monkeypatch.setattr(bench, "LIST", folder / "benchmarks.toml")
    return folder


def test_every_benchmark_is_listed_with_a_script_that_exists_and_explains_itself(xtal):
    outcome = xtal("bench")
    assert outcome.code == 0
    entries = tomllib.loads(LIST.read_text())
    for name, entry in entries.items():
        assert name in outcome.out
        assert entry["summary"] in outcome.out
        assert (LIST.parent / entry["script"]).is_file()
        assert "argparse" in (LIST.parent / entry["script"]).read_text()


def test_a_benchmark_gets_its_own_and_the_given_arguments_and_its_exit_code_is_ours(xtal, scripts, tmp_path):
    assert xtal("bench", "say-it", "--limit", 3, "--fresh", "--", "--help").code == 7
    assert (tmp_path / "told").read_text() == "['--size', '10', '--limit', '3', '--fresh', '--help']"


def test_a_wrong_name_suggests_the_nearest(xtal):
    outcome = xtal("bench", "solve10")
    assert outcome.code == 2
    assert outcome.err == "xtal: error: there is no benchmark 'solve10'; did you mean 'solve-10'?\n"


def test_without_the_source_tree_the_remedy_is_named(xtal, monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "LIST", tmp_path / "benchmarks.toml")
    outcome = xtal("bench", "solve-10")
    assert outcome.code == 2
    assert "part of the source tree" in outcome.err
    assert "make install" in outcome.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_is_left_to_the_benchmark(tmp_path):
    """It stores what it has and ends by itself; `xtal bench` waits for that."""
    script = tmp_path / "slow.py"
    script.write_text(
        "import pathlib, time\n"
        "pathlib.Path('started').touch()\n"
        "try:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.5)\n    print('stored')\n    raise SystemExit(130)\n"
    )
    caller = f"import sys; from xtal_core.cli.bench import _run; sys.exit(_run([sys.executable, {str(script)!r}]))"
    process = subprocess.Popen(
        [sys.executable, "-c", caller], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (tmp_path / "started").exists():
        assert process.poll() is None
        time.sleep(0.02)
    # As a terminal does, to both of them.
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=30)
    assert printed == "stored\n"
    assert process.returncode == 130
