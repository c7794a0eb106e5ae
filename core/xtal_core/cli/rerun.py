"""`xtal rerun`: the run that a run file describes, once more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

import xtal_core
from xtal_core.cli.run_options import Force, Json, Quiet
from xtal_core.errors import InputError
from xtal_core.run_file import REMEDY, RunFile, Value, read_run_file

#: Commands that write run files.
COMMANDS = ("solve", "refine")


def rerun(
    context: typer.Context,
    run_file: Annotated[Path, typer.Argument(metavar="RUN.TOML", help="The run.toml of a report.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="FOLDER-rerun")
    ] = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Repeat a run from its run file.

    All it read must be as it was then; with the same versions the result is the same.
    """
    run = read_run_file(run_file)
    if run.command not in COMMANDS:
        raise InputError(f"'{run.command}' is not a command that can be repeated", REMEDY, run_file)
    run.check_files(run_file)
    folder = run_file.resolve().parent
    target = out or Path(f"{folder.name}-rerun")
    flags = [flag for flag, given in (("--force", force), ("--json", json), ("--quiet", quiet)) if given]
    parent = context.parent
    assert parent is not None
    assert isinstance(parent.command, TyperGroup)
    command = parent.command.get_command(parent, run.command)
    assert command is not None
    try:
        words = [*_option_words(run), f"--out={target}", *flags, "--", *run.arguments]
        repeated = command.make_context(run.command, words, parent=parent)
    except TyperException as error:
        raise InputError(error.format_message().rstrip("."), "correct the run file", run_file) from None
    if run.version != xtal_core.__version__ and not quiet:
        print(f"xtal: note: {run_file} was written by xtal {run.version}", file=sys.stderr)
    with repeated:
        command.invoke(repeated)
    _check_same_files(run, target, run_file)


def _option_words(run: RunFile) -> Iterator[str]:
    """Yield the options of `run` as they are written on the command line."""
    for name, value in run.options.items():
        for single in value if isinstance(value, list) else [value]:
            yield f"--{name}" if single is True else f"--{name}={single}"
    for plugin, options in run.plugins.items():
        for name, value in options.items():
            yield f"--set={plugin}.{name}={_text(value)}"


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_same_files(run: RunFile, target: Path, run_file: Path) -> None:
    """Raise InputError when the repeated run read other files: one that an environment variable names, say."""
    again = read_run_file(target / "run.toml").files
    others = sorted(path for path, _ in again.items() ^ run.files.items())
    if others:
        problem = f"{others[0]} was read only once, by the run or by its repetition in {target}"
        raise InputError(problem, "name the file in the options, or set the environment as it was", run_file)
