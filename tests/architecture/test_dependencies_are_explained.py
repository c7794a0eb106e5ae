"""Every dependency has a reason in docs/dependencies.md and a version in constraints.txt."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Heading in docs/dependencies.md → the requirements it explains.
SECTIONS = {
    "Runtime": lambda pyproject: pyproject["project"]["dependencies"],
    "Development": lambda pyproject: pyproject["dependency-groups"]["dev"],
    "Build": lambda pyproject: pyproject["build-system"]["requires"],
}


def names_of(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def explained(text, heading):
    """Return {dependency: reason} of the table below `heading`."""
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    body = next(part for part in section if part.startswith(heading))
    rows = re.findall(r"^\| ([A-Za-z][\w.-]*) \| (.*) \|$", body, flags=re.MULTILINE)
    return {canonicalize_name(name): reason.strip() for name, reason in rows if name != "package"}


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_dependency_has_a_reason_and_every_reason_a_dependency(root, pyproject, heading):
    reasons = explained((root / "docs" / "dependencies.md").read_text(), heading)
    assert set(reasons) == names_of(SECTIONS[heading](pyproject))
    assert [name for name, reason in reasons.items() if len(reason) < 10] == []


def test_every_dependency_is_pinned_to_a_version_it_allows(root, pyproject):
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (root / "constraints.txt").read_text(), flags=re.MULTILINE))
    for section in SECTIONS.values():
        for requirement in map(Requirement, section(pyproject)):
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_every_pin_is_exact_and_comes_from_the_index(root):
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*( ; .*)?", line)] == []
