"""Runs `xtal` with the toy plugins installed, in this process or in another that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from xtal_core.cli.app import main
from xtal_core.registry import installed_registry

TOYS = Path(__file__).resolve().parents[2] / "toys"
PROGRAM = """
import sys
from xtal_core.cli.app import main
if __name__ == "__main__":
    sys.exit(main())
"""


@dataclass(frozen=True)
class Outcome:
    """What a call of `xtal` did."""

    code: int
    out: str
    err: str


@pytest.fixture
def xtal(monkeypatch, capsys, tmp_path):
    """Return a function that runs `xtal` with the given arguments in an empty folder, with an empty cache."""
    monkeypatch.syspath_prepend(str(TOYS / "distribution"))
    monkeypatch.setenv("XTAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    installed_registry.cache_clear()

    def run(*arguments: object) -> Outcome:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    yield run
    installed_registry.cache_clear()


@pytest.fixture
def start_xtal(tmp_path):
    """Return a function that starts `xtal` in a process of its own, which ends with the test at the latest."""
    processes = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        paths = [str(TOYS / name) for name in ("distribution", "modules")]
        variables = {"PYTHONPATH": os.pathsep.join(paths), "XTAL_CACHE": str(tmp_path / "cache")}
        # A file, so that training on several devices can start it again.
        program = tmp_path / "program.py"
        program.write_text(PROGRAM)
        process = subprocess.Popen(
            [sys.executable, program, *map(str, arguments)],
            env=os.environ | variables,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
