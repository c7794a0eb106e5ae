from __future__ import annotations

import pytest

from xtal_core.errors import OptionError
from xtal_core.report import report_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail(target, error):
    """Write half a report and raise."""
    with report_folder(target, replace=True) as draft:
        (draft / "result.json").write_text("new")
        raise error("oops")


def test_nothing_is_there_until_everything_is(tmp_path):
    target = tmp_path / "out"
    with report_folder(target) as draft:
        (draft / "result.json").write_text("{}")
        assert not target.exists()
    assert names(target) == ["result.json"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        fail(tmp_path / "a" / "out", error)
    assert names(tmp_path) == []


def test_an_error_leaves_an_earlier_report_as_it_was(tmp_path):
    (tmp_path / "result.json").write_text("old")
    with pytest.raises(ValueError, match="oops"):
        fail(tmp_path, ValueError)
    assert (tmp_path / "result.json").read_text() == "old"


def test_an_empty_folder_is_used(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    with report_folder(target) as draft:
        (draft / "result.json").write_text("{}")
    assert names(target) == ["result.json"]


def test_replacing_removes_what_the_earlier_report_had_and_nothing_else(tmp_path):
    for name in ("result.json", "01.cif", "02.cif", "100.cif", "plot.png", "mine.cif", "1.cif"):
        (tmp_path / name).write_text("old")
    with report_folder(tmp_path, replace=True) as draft:
        (draft / "result.json").write_text("new")
        (draft / "01.cif").write_text("new")
    assert names(tmp_path) == ["01.cif", "1.cif", "mine.cif", "result.json"]
    assert (tmp_path / "01.cif").read_text() == "new"


def test_a_folder_that_cannot_be_written_to_is_refused_at_once(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(OptionError, match="cannot be written to \\(Permission denied\\)"):
        report_folder(tmp_path / "out").__enter__()
