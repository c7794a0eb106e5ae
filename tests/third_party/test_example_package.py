"""The example package, installed beside the project, with nothing changed in the project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from toys import rocksalt

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "third_party_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a folder into which pip installed the example package; no network is used."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    process = subprocess.run([*command, "--target", folder, EXAMPLE], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return folder


@pytest.fixture
def salt(tmp_path):
    rocksalt(5.64).to_file(str(tmp_path / "salt.cif"))
    rocksalt(5.70).to_file(str(tmp_path / "larger.cif"))
    return tmp_path


def test_the_plugins_are_listed_beside_ours(installed, listing):
    record = listing(installed, "--check")
    assert record["failures"] == []
    theirs = {entry["name"]: entry for entry in record["plugins"] if entry["distribution"] == "xtal-example"}
    assert {(entry["kind"], name) for name, entry in theirs.items()} == {
        ("metric", "volume-per-atom"),
        ("generator", "binary-types"),
    }
    assert theirs["binary-types"]["version"] == "0.1.0"
    assert [option["name"] for option in theirs["binary-types"]["options"]] == ["smallest", "largest", "steps"]


def test_the_metric_compares_structures(installed, xtal_with, salt):
    process = xtal_with(installed, "compare", "salt.cif", "larger.cif", "--metric", "volume-per-atom", "--json")
    (comparison,) = json.loads(process.stdout)
    assert comparison["metric"] == "volume-per-atom"
    assert comparison["value"] == pytest.approx((5.70**3 - 5.64**3) / 8, rel=1e-6)


def test_the_generator_solves_a_pattern_and_the_metric_groups_its_candidates(installed, xtal_with, salt):
    xtal_with(installed, "simulate", "salt.cif", "--wavelength", "CuKa", "--noise", 5000, "--out", "salt.xy")
    process = xtal_with(
        installed, "solve", "salt.xy", "--formula", "NaCl", "--generator", "binary-types", "--refiner", "none",
        "--metric", "volume-per-atom", "--set", "binary-types.steps=201", "--json",
    )  # fmt: skip
    record = json.loads(process.stdout)
    best = record["candidates"][0]
    assert (best["origin"], best["space_group"]["symbol"]) == ("rock salt type", "Fm-3m")
    assert best["cell"]["a"] == pytest.approx(5.64, rel=0.005)
    generator = next(plugin for plugin in record["provenance"]["plugins"] if plugin["kind"] == "generator")
    assert (generator["distribution"], generator["options"]["steps"]) == ("xtal-example", 201)


def test_its_own_tests_pass(installed):
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-c", "/dev/null", EXAMPLE / "tests"],
        env={"PYTHONPATH": str(installed), "PATH": ""},
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
