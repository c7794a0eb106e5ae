"""Runs `xtal` in this process, with the toy plugins installed beside the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from toys import pattern_of, rocksalt
from xtal_core.cli.app import main
from xtal_core.registry import installed_registry

TOYS = Path(__file__).resolve().parents[1] / "toys" / "distribution"


@dataclass(frozen=True)
class Outcome:
    """What a call of `xtal` did."""

    code: int
    out: str
    err: str


@pytest.fixture
def xtal(monkeypatch, capsys, tmp_path):
    """Return a function that runs `xtal` with the given arguments in an empty folder."""
    monkeypatch.syspath_prepend(str(TOYS))
    monkeypatch.chdir(tmp_path)
    installed_registry.cache_clear()

    def run(*arguments: object) -> Outcome:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    yield run
    installed_registry.cache_clear()


@pytest.fixture
def salt_pattern(tmp_path):
    """Return the file of a noise-free toy pattern of rock salt."""
    pattern = pattern_of(rocksalt(5.64))
    path = tmp_path / "salt.xy"
    np.savetxt(path, np.column_stack([pattern.two_theta, pattern.intensity]), fmt="%.6f")
    return path
