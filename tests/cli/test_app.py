from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer

import xtal_core
from xtal_core.cli import BUILT_IN_COMMANDS, app
from xtal_core.errors import InputError


@pytest.fixture
def failing_command(monkeypatch):
    """Return a function that makes `xtal plugins` raise an error."""

    def fail(error):
        def plugins() -> None:
            raise error

        monkeypatch.setattr("xtal_core.cli.plugins.plugins", plugins)

    return fail


def test_version_is_that_of_the_package(xtal):
    assert xtal("--version").out == f"xtal {xtal_core.__version__}\n"


def test_without_arguments_the_help_is_shown(xtal):
    assert xtal().out == xtal("--help").out
    assert xtal().code == 0


def test_help_documents_commands_and_exit_codes(xtal):
    text = xtal("--help").out
    for name, summary in BUILT_IN_COMMANDS.items():
        assert name in text
        assert summary in text
    assert "0 done; 1 failed; 2 bad input; 3 a plugin's fault; 130" in " ".join(text.split())


@pytest.mark.parametrize("name", BUILT_IN_COMMANDS)
def test_every_command_has_help(xtal, name):
    outcome = xtal(name, "-h")
    assert outcome.code == 0
    assert f"Usage: xtal {name}" in outcome.out
    assert "Exit codes" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("slove",), "there is no command 'slove'; did you mean 'solve'?"),
        (
            ("zzz",),
            "commands are bench, compare, data, densities, density, library, plugins, refine, rerun, simulate, solve, "
            "study, train",
        ),
        (("--frob",), "No such option: --frob; see xtal --help"),
        (("plugins", "extra"), "see xtal plugins --help"),
        (("library", "frobnicate"), "frobnicate"),
    ],
)
def test_usage_errors_are_one_line_with_exit_code_2(xtal, arguments, message):
    outcome = xtal(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("xtal: error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_errors_are_one_line_and_keep_their_exit_code(xtal, failing_command):
    failing_command(InputError("two\nlines", "do this", "file.xy", 3))
    outcome = xtal("plugins")
    assert (outcome.code, outcome.err) == (2, "xtal: error: file.xy, line 3: two lines; do this\n")


def test_debug_shows_the_traceback_before_the_line(xtal, failing_command, monkeypatch):
    failing_command(InputError("bad"))
    for outcome in (xtal("--debug", "plugins"), (monkeypatch.setenv("XTAL_DEBUG", "1"), xtal("plugins"))[1]):
        assert outcome.code == 2
        assert outcome.err.startswith("Traceback")
        assert outcome.err.endswith("xtal: error: bad\n")


def test_a_bug_says_that_it_is_one(xtal, failing_command):
    failing_command(ZeroDivisionError("oops"))
    outcome = xtal("plugins")
    assert outcome.code == 1
    assert outcome.err.startswith("xtal: error: ZeroDivisionError: oops; this is a bug")


def test_trouble_with_files_names_the_file(xtal, failing_command):
    failing_command(OSError(28, "No space left on device", "result.json"))
    outcome = xtal("plugins")
    assert (outcome.code, outcome.err) == (1, "xtal: error: result.json: No space left on device\n")


def test_ctrl_c_ends_with_130(xtal, failing_command):
    failing_command(KeyboardInterrupt())
    outcome = xtal("plugins")
    assert (outcome.code, outcome.err) == (130, "xtal: interrupted\n")


def test_an_error_inside_a_plugins_command_names_the_plugin(xtal, monkeypatch):
    command = typer.Typer(add_completion=False)

    @command.command()
    def crash() -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr("xtal_prototype.commands.app", command)
    outcome = xtal("library")
    assert (outcome.code, outcome.err) == (3, "xtal: error: plugin library: RuntimeError: oops\n")


def test_a_plugins_command_that_is_no_typer_application_is_named(xtal, monkeypatch):
    monkeypatch.setattr("xtal_prototype.commands.app", "nonsense")
    outcome = xtal("library")
    assert outcome.code == 3
    assert "plugin library: its factory is a str, not a Typer application" in outcome.err


def test_a_closed_pipe_is_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-c", "import sys; from xtal_core.cli.app import main; sys.exit(main(['plugins', '--json']))"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (process.returncode, process.stderr) == (1, "")


def test_the_console_script_is_main():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="xtal")
    assert script.load() is app.main
