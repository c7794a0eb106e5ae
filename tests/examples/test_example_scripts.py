"""The scripts in examples/ run, and the example pattern is what its script makes and can be solved."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def output_of(tmp_path):
    """Return a function that runs an example where no structure library is installed, and returns what it prints."""

    def run(name: str) -> str:
        environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
        environment.pop("XTAL_LIBRARY", None)
        command = [sys.executable, str(EXAMPLES / name)]
        process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stderr
        return process.stdout

    return run


def test_comparing_finds_one_crystal_in_two_descriptions(output_of):
    verdicts = output_of("compare_two_structures.py").partition("\n\n")[0].splitlines()
    assert len(verdicts) >= 3
    assert all(line.endswith("same structure") for line in verdicts)


def test_solving_finds_anatase(output_of):
    assert output_of("solve_in_python.py").splitlines()[0].split("  ")[2] == "I4_1/amd (141)"


def test_the_example_pattern_is_what_its_script_makes():
    made = runpy.run_path(str(EXAMPLES / "make_anatase_pattern.py"))["pattern_file"]()
    stored = (EXAMPLES / "anatase.xy").read_text()
    assert made.splitlines()[:3] == stored.splitlines()[:3]
    made_counts, stored_counts = (np.array(text.split()[-2501 * 2 :], float) for text in (made, stored))
    # Another processor may round a count to its neighbour.
    assert np.abs(made_counts - stored_counts).max() <= 1
