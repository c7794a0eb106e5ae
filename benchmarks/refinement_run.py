"""What the refinement benchmarks share: options, the folders of runs, and how pages say how they were made."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xtal_core
from case_runs import RunFolder
from data_sets import ROOT
from result_pages import RESULTS, write_result
from solution_run import command_line
from structure_library import digest_of_files
from xtal_core.provenance import package_versions


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `open_run` and `publish` read."""
    add = parser.add_argument
    add("--limit", type=int, metavar="N", help="only the first N structures; the page is written to the work folder")
    add("--workers", type=int, default=2, metavar="N", help="processes of one thread each (default: 2)")
    add("--seed", type=int, default=0, metavar="N", help="where randomness starts (default: 0)")
    add("--work", type=Path, default=ROOT / ".bench", metavar="FOLDER", help="for all that is kept (default: .bench)")
    add("--out", type=Path, metavar="FOLDER", help="where the page is written (default: docs/benchmarks)")
    add("--fresh", action="store_true", help="do everything again")


def open_run(name: str, basis: Mapping[str, Any], chosen: argparse.Namespace) -> RunFolder:
    """Return the folder of the run called `name`, whose results depend on `basis`, the sources and the seed.

    Raises InputError when it holds results that were made with something else.
    """
    folder = RunFolder(chosen.work.resolve() / name)
    folder.open({**basis, **_made_with(chosen)}, chosen.fresh)
    return folder


def describe_making(chosen: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    """Return how a run was made, for the page and its numbers."""
    return {
        "command": command_line(arguments),
        "xtal": xtal_core.__version__,
        "python": platform.python_version(),
        "packages": package_versions(),
        "workers": chosen.workers,
        **_made_with(chosen),
    }


def making_text(making: Mapping[str, Any]) -> str:
    """Return how a run was made (see `describe_making`) as a Markdown list."""
    packages = ", ".join(f"{name} {version}" for name, version in making["packages"].items())
    return (
        f"- Command: `{making['command']}`\n"
        f"- xtal {making['xtal']} (SHA-256 of its sources {making['sources'][:12]}…), python {making['python']}, "
        f"{packages}\n"
        f"- Seed: {making['seed']}\n"
    )


def publish(name: str, page: str, record: Mapping[str, Any], chosen: argparse.Namespace, run: RunFolder) -> None:
    """Write the page about a run, and its numbers, and print it.

    A part of the set is no result to publish: its page stays with the run, unless `--out` says where it goes.
    """
    folder = chosen.out or (RESULTS if chosen.limit is None else run.path)
    write_result(folder, name, page, record)
    print(f"{page}\nwritten to {folder / name}.md")


def _made_with(chosen: argparse.Namespace) -> dict[str, Any]:
    return {"sources": digest_of_files([ROOT / "core", ROOT / "plugins"], "*.py"), "seed": chosen.seed}
