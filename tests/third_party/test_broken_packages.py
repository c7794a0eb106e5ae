"""Packages that are broken in every way, installed beside the project: explained, and harmless."""

from __future__ import annotations

import json

import pytest

from toys import rocksalt

MANIFEST = """
from xtal_core.hookspecs import PluginRecord, hookimpl

@hookimpl
def xtal_metrics():
    return [{record}]
"""

RECORD = "PluginRecord({name!r}, 'a metric', {factory!r}, interface={interface})"


def manifest(name, factory, interface=1):
    return MANIFEST.format(record=RECORD.format(name=name, factory=factory, interface=interface))


#: Module name: its source, and what `xtal plugins` says about it.
BROKEN = {
    "import_error": ("import no_such_library", "cannot be imported: ModuleNotFoundError: No module named"),
    "syntax_error": ("def broken(:", "cannot be imported: SyntaxError"),
    "raising_hook": (MANIFEST.format(record="1 / 0"), "xtal_metrics raised ZeroDivisionError: division by zero"),
    "duplicate_name": (manifest("pdd", "duplicate_name:X"), "'pdd' is already offered by xtal-solve"),
    "old_interface": (manifest("ancient", "old_interface:X", 0), "'ancient' speaks interface version 0"),
    "not_a_record": (MANIFEST.format(record="('name', 'module:X')"), "offers tuple instead of a PluginRecord"),
    "no_colon": (manifest("no-colon", "no_colon.X"), "not of the form module:callable"),
    "no_factory": (manifest("no-factory", "not_installed:X"), "its factory not_installed:X does not exist"),
    "no_hook": ("x = 1", "implements no hook of xtal"),
    "unknown_hook": (
        "from xtal_core.hookspecs import hookimpl\n@hookimpl\ndef xtal_gadgets(): return []",
        "is not a plugin module",
    ),
}

#: Fine until used.
TREACHEROUS = {
    "bad_attribute": (manifest("bad-attribute", "bad_attribute:Absent"), "cannot be imported: AttributeError"),
    "bad_constructor": (
        manifest("bad-constructor", "bad_constructor:make") + "\ndef make():\n    raise OSError('no weights')\n",
        "could not be created: OSError: no weights",
    ),
    "not_a_metric": (
        manifest("not-a-metric", "not_a_metric:make") + "\nmake = dict\n",
        "its factory made a dict, which is not a SimilarityMetric",
    ),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return a folder with all of them installed."""
    folder = tmp_path_factory.mktemp("site")
    sources = {name: source for name, (source, _) in (BROKEN | TREACHEROUS).items()}
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[xtal]\n{name} = {name}\n")
    return folder


def test_each_is_explained_by_xtal_plugins(site, listing):
    reasons = {failure["entry_point"]: failure["reason"] for failure in listing(site)["failures"]}
    assert set(reasons) == set(BROKEN)
    for name, (_, reason) in BROKEN.items():
        assert reason in reasons[name]


def test_check_explains_those_that_only_fail_on_use(site, listing):
    reasons = {failure["entry_point"]: failure["reason"] for failure in listing(site, "--check")["failures"]}
    for name, (_, reason) in TREACHEROUS.items():
        assert reason in reasons[name]


def test_the_table_names_reasons_on_one_line_each(site, xtal_with):
    text = xtal_with(site, "plugins").stdout
    section = text[text.index("Cannot be used:") :].splitlines()[1:]
    assert len([line for line in section if line.startswith("  ")]) >= len(BROKEN)
    assert "import_error (import_error): cannot be imported" in text


def test_everything_else_is_still_there(site, listing):
    names = {(entry["kind"], entry["name"]) for entry in listing(site)["plugins"]}
    assert {("simulator", "powder"), ("generator", "prototype"), ("refiner", "fit"), ("command", "library")} <= names
    assert {("metric", "pdd"), ("metric", "amd"), ("metric", "structure-matcher")} <= names


def test_help_and_comparison_still_work(site, xtal_with, tmp_path):
    assert "Usage: xtal" in xtal_with(site, "--help").stdout
    rocksalt(5.64).to_file(str(tmp_path / "a.cif"))
    process = xtal_with(site, "compare", "a.cif", "a.cif", "--json")
    values = {comparison["metric"]: comparison["value"] for comparison in json.loads(process.stdout)}
    assert values["pdd"] == values["amd"] == 0
    assert values["structure-matcher"] == pytest.approx(0, abs=1e-9)


def test_asking_for_a_broken_one_is_one_line_that_says_why(site, xtal_with, tmp_path):
    rocksalt(5.64).to_file(str(tmp_path / "a.cif"))
    process = xtal_with(site, "compare", "a.cif", "a.cif", "--metric", "ancient", code=2)
    assert process.stderr.count("\n") == 1
    assert "there is no metric 'ancient'" in process.stderr
    assert "see xtal plugins" in process.stderr
