from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

#: What `xtal --help` must do without: numerics, chemistry, learning, drawing.
HEAVY = ("torch", "pymatgen", "scipy", "numpy", "ot", "spglib", "gemmi", "matplotlib", "rich", "pandas")

#: Generous: about 0.1 s on the machine this was written on. Only a heavy import takes longer.
SECONDS = 2.0

PROGRAM = """
import json, sys
from xtal_core.cli.app import main
code = main({arguments!r})
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def run(*arguments):
    """Return exit code, imported modules and output of `xtal` in a fresh process."""
    command = [sys.executable, "-c", PROGRAM.format(arguments=list(arguments))]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    code, modules = json.loads(process.stderr.splitlines()[-1])
    return code, set(modules), process.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ()])
def test_help_imports_nothing_heavy(arguments):
    code, modules, output = run(*arguments)
    assert code == 0
    assert "xtal" in output
    assert modules.isdisjoint(HEAVY)


def test_help_lists_the_commands_of_plugins_without_importing_them():
    _, modules, output = run("--help")
    assert "library" in output
    assert "xtal_prototype.commands" not in modules
    assert "xtal_prototype.plugin" in modules


def test_all_manifests_load_without_anything_heavy():
    program = (
        "import json, sys; from xtal_core.registry import installed_registry; registry = installed_registry();"
        "print(json.dumps([[f.reason for f in registry.failures], sorted(sys.modules)]))"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    failures, modules = json.loads(process.stdout)
    assert failures == []
    assert set(modules).isdisjoint(HEAVY)


def test_comparing_needs_no_torch():
    _, modules, _ = run("compare", "--help")
    assert "torch" not in modules


def test_help_is_fast():
    def seconds():
        start = time.perf_counter()
        run("--help")
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < SECONDS
