"""What is inside the wheel and the source distribution."""

import subprocess
import sys
import tarfile
from configparser import ConfigParser
from email.parser import Parser
from zipfile import ZipFile

import pytest


def build(source, target, kind):
    """Build offline, with the installed backend, and return the file."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    with ZipFile(build(root, tmp_path_factory.mktemp("wheel"), "wheel")) as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist(root, tmp_path_factory):
    """Return the unpacked source distribution."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build(root, tmp_path_factory.mktemp("sdist"), "sdist")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


def metadata_file(wheel, name):
    return wheel.read(next(n for n in wheel.namelist() if n.endswith(f".dist-info/{name}"))).decode()


def packaged(wheel):
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_wheel_holds_every_file_of_both_source_roots_and_nothing_else(wheel, project_files):
    sources = {"/".join(file.parts[1:]) for file in project_files if file.parts[0] in ("core", "plugins")}
    assert packaged(wheel) == sources


def test_wheel_declares_the_entry_points_of_every_plugin_and_the_command(wheel, pyproject):
    parser = ConfigParser()
    parser.read_string(metadata_file(wheel, "entry_points.txt"))
    assert dict(parser["xtal"]) == pyproject["project"]["entry-points"]["xtal"]
    assert dict(parser["console_scripts"]) == pyproject["project"]["scripts"]


def test_wheel_declares_and_carries_its_licence(wheel, root):
    metadata = Parser().parsestr(metadata_file(wheel, "METADATA"))
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata_file(wheel, "licenses/LICENSE") == (root / "LICENSE").read_text()


def test_wheel_describes_the_project_with_its_readme(wheel, root):
    headers, _, description = metadata_file(wheel, "METADATA").partition("\n\n")
    assert "Requires-Python: <3.14,>=3.11" in headers.splitlines()
    assert description.strip() == (root / "README.md").read_text().strip()


def test_source_distribution_holds_everything_its_tests_need(sdist, project_files):
    unpacked = {file.relative_to(sdist) for file in sdist.rglob("*") if file.is_file()}
    wanted = {file for file in project_files if not file.parts[0].startswith(".")}
    assert wanted - unpacked == set()


def test_wheel_built_from_the_source_distribution_is_the_same(sdist, wheel, tmp_path):
    with ZipFile(build(sdist, tmp_path, "wheel")) as rebuilt:
        assert packaged(rebuilt) == packaged(wheel)
