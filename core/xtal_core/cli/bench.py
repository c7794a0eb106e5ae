"""`xtal bench`: the benchmarks of the source tree, by name."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import xtal_core
from xtal_core.errors import InputError, OptionError
from xtal_core.suggest import suggest

#: Benchmarks have options of their own.
CONTEXT_SETTINGS = {"ignore_unknown_options": True}

#: The list of benchmarks, beside their scripts.
LIST = Path(xtal_core.__file__).parents[2] / "benchmarks" / "benchmarks.toml"


@dataclass(frozen=True)
class Benchmark:
    """What runs under a name.

    Attributes
    ----------
    script
        The file's name.
    summary
        What it measures.
    arguments
        Of the script, before those that the user gives.
    """

    script: str
    summary: str
    arguments: tuple[str, ...] = ()


def bench(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Which benchmark; all are listed.")] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[OPTION]...", help="Its options; -- --help explains them.")
    ] = None,
) -> None:
    """Run a benchmark of the source tree, or list them. Each writes a page of docs/benchmarks/.

    Data are those of the folder XTAL_DATA. What is interrupted goes on with the same command.
    """
    benchmarks = _benchmarks()
    if name is None:
        _print_list(benchmarks)
        return
    if name not in benchmarks:
        raise OptionError(f"there is no benchmark '{name}'", suggest(name, benchmarks, "benchmarks are"))
    chosen = benchmarks[name]
    command = [sys.executable, str(LIST.with_name(chosen.script)), *chosen.arguments, *(arguments or ())]
    raise typer.Exit(_run(command))


def _benchmarks() -> dict[str, Benchmark]:
    if not LIST.exists():
        remedy = "get the source, run `make install` there, and give the command in it"
        raise InputError("benchmarks are part of the source tree, not of the installed package", remedy)
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return {
        name: Benchmark(entry["script"], entry["summary"], tuple(entry.get("arguments", ())))
        for name, entry in entries.items()
    }


def _print_list(benchmarks: dict[str, Benchmark]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("what it measures")
    for name, benchmark in benchmarks.items():
        table.add_row(name, escape(benchmark.summary))
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)


def _run(command: list[str]) -> int:
    """Run `command` and return its exit code. An interrupt is for the benchmark, which stores what it has."""
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
