"""Runs `xtal` as a separate process that sees more distributions than those of this environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "import sys; from xtal_core.cli.app import main; sys.exit(main())"


@pytest.fixture
def xtal_with(tmp_path):
    """Return a function that runs `xtal` with the distributions installed in a folder, in an empty folder."""

    def run(folder: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        process = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(folder)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == code, process.stderr
        return process

    return run


@pytest.fixture
def listing(xtal_with):
    """Return a function that returns what `xtal plugins --json` says."""
    return lambda folder, *arguments: json.loads(xtal_with(folder, "plugins", "--json", *arguments).stdout)
