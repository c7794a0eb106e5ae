"""What the structure-solution benchmarks share: their options, their runs, and how results say what they come from."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from case_runs import Case, Outcome, RunFolder, solve_cases
from data_sets import ROOT
from result_pages import RESULTS, summarise_times, write_result
from structure_library import CHOICES, NOT_SEARCHED, Library, digest_of_files, find_library
from xtal_core.errors import XtalError
from xtal_core.plan import Plan
from xtal_core.progress_display import progress_display
from xtal_core.verdict_calibration import CALIBRATION_FILE

#: Beside the calibration of the verdict: of its parts for patterns of nanocrystals and of the laboratory.
MODEL_CARDS = {"nanocrystals": "VERDICT_NANOCRYSTALS.md", "laboratory": "VERDICT_LABORATORY.md"}

#: The library that is searched unless another is named.
USUAL_LIBRARY = "train"

#: What proposes structures unless something else is named: the isostructural search, which searches libraries.
SEARCH = "prototype"


@dataclass(frozen=True, eq=False)
class SolutionRun:
    """A finished run.

    Attributes
    ----------
    name
        Of the result page.
    folder
        Where its solutions are.
    outcomes
        What became of each case, in their order.
    plan
        How they were solved.
    making
        How it was made: command, library, versions, plugins and their options, seed.
    times
        As `summarise_times` returns them.
    """

    name: str
    folder: RunFolder
    outcomes: dict[str, Outcome]
    plan: Plan
    making: dict[str, Any]
    times: dict[str, float]

    @property
    def failures(self) -> dict[str, str]:
        """Why there is no candidate, for each case without one."""
        return {name: outcome.failure for name, outcome in self.outcomes.items() if outcome.failure is not None}


def add_run_options(parser: argparse.ArgumentParser, usual_library: str = USUAL_LIBRARY) -> None:
    """Add the options that `run_cases` reads; `usual_library` says in words which library that is."""
    add = parser.add_argument
    add("--library", metavar=CHOICES, help=f"structure library searched (default: {usual_library})")
    add("--limit", type=positive, metavar="N", help="only the first N; the page is written to the work folder")
    add("--workers", type=positive, default=2, metavar="N", help="processes of one thread each (default: 2)")
    add("--seed", type=int, default=0, metavar="N", help="where randomness starts (default: 0)")
    add("--work", type=Path, default=ROOT / ".bench", metavar="FOLDER", help="for all that is kept (default: .bench)")
    add("--out", type=Path, metavar="FOLDER", help="where the page is written (default: docs/benchmarks)")
    add("--fresh", action="store_true", help="solve everything again")


def run_cases(
    name: str,
    cases: Sequence[Case],
    basis: Mapping[str, Any],
    chosen: argparse.Namespace,
    arguments: Sequence[str],
    search: Mapping[str, Any] | None = None,
    usual_library: str = USUAL_LIBRARY,
    generators: Sequence[str] = (SEARCH,),
) -> SolutionRun:
    """Solve what is not solved yet of `cases` and return the run, or what is left of an earlier one.

    Parameters
    ----------
    name
        Of the result page; those of the library and of the generators are appended when they are not the usual ones.
    cases
        What to solve.
    basis
        What the cases are made of; when it changes, earlier solutions are not used.
    chosen, arguments
        The command line, parsed and not.
    search
        Options of the isostructural search besides the library.
    usual_library
        What is searched unless the command line names another.
    generators
        What proposes structures; without the isostructural search there is no library.

    Raises
    ------
    XtalError
        When not a single case was solved.
    """
    work = chosen.work.resolve()
    choice = chosen.library or usual_library
    library = find_library(choice, work, chosen.workers) if SEARCH in generators else NOT_SEARCHED
    if choice != usual_library:
        name += f"_{Path(choice).stem}"
    if tuple(generators) != (SEARCH,):
        name += f"_{'-'.join(generators)}"
    sources = solver_sources()
    made_with = {"library": library.sha256, "sources": sources, "seed": chosen.seed, "workers": chosen.workers}
    made_with |= {"generators": list(generators)}
    folder = RunFolder(work / name)
    folder.open({**basis, **made_with}, chosen.fresh)
    settings = {SEARCH: {**library.settings[SEARCH], **(search or {})}} if SEARCH in generators else {}
    plan = Plan(tuple(generators), settings=settings, seed=chosen.seed)
    with progress_display() as progress:
        solved = solve_cases(cases, plan, folder, chosen.workers, progress)
    outcomes = {case.name: solved[case.name] for case in cases}
    results = [outcome.result for outcome in outcomes.values() if outcome.result is not None]
    if not results:
        raise XtalError(f"nothing was solved; {cases[0].name}: {outcomes[cases[0].name].error}")
    return SolutionRun(
        name,
        folder,
        outcomes,
        plan,
        making=describe_making(command_line(arguments), library, sources, results[0]["provenance"]),
        times=summarise_times(
            [outcome.seconds for outcome in outcomes.values()],
            [outcome.cpu_seconds for outcome in outcomes.values()],
            folder.sessions,
            chosen.workers,
        ),
    )


def publish(run: SolutionRun, page: str, record: Mapping[str, Any], chosen: argparse.Namespace) -> None:
    """Write the page about a run, and its numbers, and print it.

    A part of the set is no result to publish: its page stays with the run, unless `--out` says where it goes.
    """
    folder = chosen.out or (RESULTS if chosen.limit is None else run.folder.path)
    write_result(folder, run.name, page, record)
    print(f"{page}\nwritten to {folder / run.name}.md")


def solver_sources() -> str:
    """Return a hash of the program, without the calibration of the verdict: no candidate depends on that."""
    return digest_of_files([ROOT / "core", ROOT / "plugins"], leave_out=(CALIBRATION_FILE, *MODEL_CARDS.values()))


def describe_making(command: str, library: Library, sources: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a run was made; `provenance` is that of one of its solutions.

    The option that names the library file is left out: `library` says which one it was.
    """
    return {
        "command": command,
        "library": {"name": library.name, "sha256": library.sha256},
        "xtal": provenance["xtal"],
        "sources": sources,
        "packages": {"python": provenance["python"], **provenance["packages"]},
        "plugins": [
            {"name": tool["name"], "options": {k: v for k, v in tool["options"].items() if k != "library"}}
            for tool in provenance["plugins"]
        ],
        "seed": provenance["seed"],
    }


def searched(making: Mapping[str, Any]) -> str:
    """Return which structure library was searched, for titles."""
    library = making["library"]
    if library["name"] == NOT_SEARCHED.name:
        return "no search of known types"
    return f"library {library['name']}" if library["sha256"] else "no structure library"


def making_text(making: Mapping[str, Any]) -> str:
    """Return how a run was made (see `describe_making`) as a Markdown list."""
    packages = making["packages"]
    digest = making["library"]["sha256"]
    hashed = f" (SHA-256 {digest[:12]}…)" if digest else ""
    plugins = [
        f"{tool['name']} ({', '.join(f'{k} {v}' for k, v in tool['options'].items()) or 'no options'})"
        for tool in making["plugins"]
    ]
    carried = ", and what the package carries: the prototype table and pymatgen's AFLOW collection"
    if making["library"]["name"] == NOT_SEARCHED.name:
        carried = ""
    return (
        f"- Command: `{making['command']}`\n"
        f"- Searched: {searched(making)}{hashed}{carried}\n"
        f"- xtal {making['xtal']} (SHA-256 of its sources {making['sources'][:12]}…), "
        f"{', '.join(f'{name} {version}' for name, version in packages.items())}\n"
        f"- Plugins: {'; '.join(plugins)}\n"
        f"- Seed: {making['seed']}\n"
    )


def command_line(arguments: Sequence[str]) -> str:
    """Return the command as a reader can repeat it: files by their names only."""
    shown = [Path(argument).name if Path(argument).is_absolute() else argument for argument in arguments]
    return f"python benchmarks/{Path(sys.argv[0]).name} {shlex.join(shown)}".rstrip()


def run_benchmark(benchmark: Callable[[list[str]], None]) -> int:
    """Call `benchmark` with the command line and return the exit code. Errors are one line, as in `xtal`."""
    try:
        benchmark(sys.argv[1:])
    except XtalError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept, the same command goes on from there", file=sys.stderr)
        return 130
    return 0


def positive(text: str) -> int:
    """Return the number in `text`, for argparse, which reports what is raised."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value
