"""Where files are, how long they are and what they are called."""

import re

MAXIMUM_LINES = 400
TOP_FOLDERS = {".ci", "benchmarks", "core", "docs", "examples", "plugins", "tests"}
NAMES_OF_NO_CONTENT = {"base", "common", "helper", "helpers", "misc", "tool", "tools", "util", "utils"}
PATH_OF_A_MACHINE = re.compile(r"(?<![\w.~-])/(work|root|tmp|home|Users|opt)/")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError|pragma: no cover|pytest\.mark\.(skip|xfail)\b")


def text_of(path):
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", errors="replace")


def lines_with(expression, root, files):
    return [
        f"{file}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(text_of(root / file).splitlines(), start=1)
        if expression.search(line)
    ]


def test_top_level_folders_are_those_of_the_architecture(project_files):
    assert {file.parts[0] for file in project_files if len(file.parts) > 1} == TOP_FOLDERS


def test_source_roots_hold_packages_only(project_files):
    packages = {file.parts[:2] for file in project_files if file.parts[0] in ("core", "plugins")}
    strangers = [
        "/".join(parts)
        for parts in packages
        if parts != ("core", "xtal_core") and not (parts[0] == "plugins" and parts[1].startswith("xtal_"))
    ]
    assert strangers == []


def test_no_python_file_is_long(root, project_files):
    lengths = {file: len((root / file).read_text().splitlines()) for file in project_files if file.suffix == ".py"}
    assert {str(file): lines for file, lines in lengths.items() if lines > MAXIMUM_LINES} == {}


def test_files_and_folders_are_named_after_their_content(project_files):
    nameless = [
        str(file)
        for file in project_files
        if file.suffix == ".py" and NAMES_OF_NO_CONTENT & {*file.parts[:-1], file.stem.strip("_")}
    ]
    assert nameless == []


def test_no_file_names_a_path_of_one_machine(root, project_files):
    assert lines_with(PATH_OF_A_MACHINE, root, project_files) == []


def test_nothing_is_left_unfinished(root, project_files):
    python = [file for file in project_files if file.suffix == ".py" and file.name != "test_layout.py"]
    assert lines_with(UNFINISHED, root, python) == []


def test_every_plugin_has_tests_and_every_plugin_test_a_plugin(project_files, plugin_names):
    tests = [file.parts for file in project_files if file.parts[:2] == ("tests", "plugins") and len(file.parts) > 3]
    assert {parts[2] for parts in tests} == plugin_names
