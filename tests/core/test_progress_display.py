from __future__ import annotations

import io
import sys
import time

import pytest

from xtal_core.progress import SilentProgress
from xtal_core.progress_display import progress_display


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def pretend(monkeypatch):
    """Return a function that puts another stream in the place of standard error.

    It has to be called in the test: pytest puts its own stream there after fixtures are set up.
    """
    monkeypatch.setenv("TERM", "xterm")

    def replace(stream):
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return replace


def work(progress, seconds=0.0):
    done = []
    for item in progress.track([1, 2, 3], "refining"):
        time.sleep(seconds)
        done.append(item)
    return done


def test_long_work_is_shown_on_a_terminal(pretend):
    terminal = pretend(Terminal())
    with progress_display(delay=0.05) as progress:
        assert work(progress, 0.15) == [1, 2, 3]
    assert "refining" in terminal.getvalue()


def test_short_work_is_not(pretend):
    terminal = pretend(Terminal())
    with progress_display(delay=30) as progress:
        assert work(progress) == [1, 2, 3]
    assert terminal.getvalue() == ""


def test_nothing_is_shown_when_quiet(pretend):
    terminal = pretend(Terminal())
    with progress_display(quiet=True, delay=0.0) as progress:
        assert isinstance(progress, SilentProgress)
        assert work(progress, 0.02) == [1, 2, 3]
    assert terminal.getvalue() == ""


def test_nothing_is_shown_in_pipes(pretend):
    pipe = pretend(io.StringIO())
    with progress_display(delay=0.0) as progress:
        assert work(progress, 0.02) == [1, 2, 3]
    assert pipe.getvalue() == ""


def test_iterators_without_a_length_are_tracked(pretend):
    pretend(Terminal())
    with progress_display(delay=0.0) as progress:
        assert list(progress.track(iter("ab"), "reading")) == ["a", "b"]


def test_an_interruption_gives_the_cursor_back(pretend):
    terminal = pretend(Terminal())

    def interrupted():
        with progress_display(delay=0.0) as progress:
            for _ in progress.track(range(3), "refining"):
                time.sleep(0.1)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert terminal.getvalue().count(hide) == terminal.getvalue().count(show) == 1
