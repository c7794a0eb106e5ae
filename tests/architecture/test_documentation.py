"""Links lead somewhere, and what is generated or repeated in the docs is current."""

import re
import subprocess
import sys

import pytest
from markdown_it import MarkdownIt

from xtal_core import errors
from xtal_core.cli import BUILT_IN_COMMANDS
from xtal_core.cli.app import main

COMMANDS = [[name] for name in BUILT_IN_COMMANDS] + [["library", name] for name in ("add", "info", "list")]
COMMANDS += [["study", name] for name in ("correlate", "sensitivity")]
COMMANDS += [["data", name] for name in ("build", "fetch")] + [["train"], ["density"], ["densities"]]


def tokens_of(path):
    for token in MarkdownIt().parse(path.read_text()):
        yield token
        yield from token.children or ()


def anchors_of(path):
    """Return the fragments that headings can be linked by."""
    tokens = list(tokens_of(path))
    headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def pages(root, project_files):
    return [root / file for file in project_files if file.suffix == ".md"]


def test_every_link_leads_to_a_file_and_a_heading_that_exist(root, pages):
    broken = []
    for page in pages:
        for target in filter(None, (token.attrGet("href") or token.attrGet("src") for token in tokens_of(page))):
            if re.match(r"[a-z]+:", str(target)):
                continue
            file, _, fragment = str(target).partition("#")
            linked = page.parent / file if file else page
            if not linked.exists() or (fragment and fragment not in anchors_of(linked)):
                broken.append(f"{page.relative_to(root)}: {target}")
    assert broken == []


def test_every_page_can_be_reached_from_the_index(root, pages):
    index = root / "docs" / "index.md"
    reached, to_read = set(), [index]
    while to_read:
        page = to_read.pop()
        if page in reached:
            continue
        reached.add(page)
        links = (str(token.attrGet("href") or "").partition("#")[0] for token in tokens_of(page))
        to_read += [(page.parent / link).resolve() for link in links if link.endswith(".md") and ":" not in link]
    assert {page for page in pages if page.is_relative_to(root / "docs")} - reached == set()


def test_option_reference_is_current(root):
    command = [sys.executable, "docs/write_option_reference.py", "--check"]
    check = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("error", [errors.XtalError, errors.InputError, errors.PluginError])
def test_exit_code_of_every_kind_of_error_is_documented(root, error):
    assert re.search(rf"^\| {error.exit_code} \|", (root / "docs" / "usage.md").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_is_documented(root, command):
    assert f"xtal {' '.join(command)}" in (root / "docs" / "usage.md").read_text()


def test_every_flag_in_the_usage_page_exists(root, capsys):
    for command in [[], *COMMANDS]:
        assert main([*command, "--help"]) == 0
    known = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    assert set(re.findall(r"--[a-z][a-z-]*", (root / "docs" / "usage.md").read_text())) - known == set()
