"""Command-line options that the structure-solution benchmarks share, and how their errors are shown."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from data_sets import ROOT
from xtal_core.errors import XtalError

RESULTS = ROOT / "docs" / "benchmarks"


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what every benchmark that solves structures understands."""
    add = parser.add_argument
    add("--library", default="train", metavar="train|table|FILE", help="structure library searched (default: train)")
    add("--limit", type=_count, metavar="N", help="only the first N; the page is written to the work folder")
    add("--workers", type=_count, default=2, metavar="N", help="processes of one thread each (default: 2)")
    add("--seed", type=int, default=0, metavar="N", help="where randomness starts (default: 0)")
    add("--work", type=Path, default=ROOT / ".bench", metavar="FOLDER", help="for everything kept between runs")
    add("--out", type=Path, metavar="FOLDER", help="where the page is written (default: docs/benchmarks)")
    add("--fresh", action="store_true", help="solve everything again")


def result_folder(arguments: argparse.Namespace, run: Path) -> Path:
    """Return where to write the page: a part of the set is no result to publish, and stays in the folder `run`."""
    return arguments.out or (RESULTS if arguments.limit is None else run)


def command_line(script: str, arguments: list[str]) -> str:
    """Return the command as a reader can repeat it: files by their names only."""
    shown = [Path(argument).name if Path(argument).is_absolute() else argument for argument in arguments]
    return f"python benchmarks/{Path(script).name} {shlex.join(shown)}".rstrip()


def run_benchmark(benchmark: Callable[[list[str]], None]) -> int:
    """Call `benchmark` with the command line; return the exit code. Errors are one line, as in `xtal`."""
    try:
        benchmark(sys.argv[1:])
    except XtalError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept, the same command goes on from there", file=sys.stderr)
        return 130
    return 0


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value
