"""What the tests of the project's shape look at."""

import os
import tomllib
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def project_files(root) -> list[Path]:
    """Every file of the project, relative to its root: what .gitignore does not name, with or without git."""
    ignored = GitIgnoreSpec.from_lines((root / ".gitignore").read_text().splitlines())
    found = []
    for folder, subfolders, names in os.walk(root):
        here = Path(folder).relative_to(root)
        subfolders[:] = [name for name in subfolders if name != ".git" and not ignored.match_file(f"{here / name}/")]
        found += [here / name for name in names if name != ".git" and not ignored.match_file(here / name)]
    return sorted(found)


@pytest.fixture(scope="session")
def pyproject(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def plugin_names(root) -> set[str]:
    return {folder.name for folder in (root / "plugins").iterdir() if folder.name.startswith("xtal_")}
