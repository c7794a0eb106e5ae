"""What `xtal solve` and `xtal refine` have in common: from a problem and a plan to a report and what is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

import xtal_core
from xtal_core.candidate import Candidate, Solution
from xtal_core.cli.run_options import OUTPUT_FLAGS
from xtal_core.errors import OptionError
from xtal_core.interruption import Interruption
from xtal_core.pattern import Pattern
from xtal_core.pipeline import solve as solve_problem
from xtal_core.plan import Plan, Tools, gather_tools
from xtal_core.preparation import parse_regions, prepare
from xtal_core.problem import Problem
from xtal_core.progress_display import progress_display
from xtal_core.provenance import sha256
from xtal_core.readers import read_pattern
from xtal_core.readers.patterns import AxisChoice
from xtal_core.reference import score_against
from xtal_core.registry import installed_registry
from xtal_core.report import CrystalFile, crystal_files, report_folder, solution_table, write_report
from xtal_core.report.record import solution_record, to_json
from xtal_core.report.summary import summary_lines
from xtal_core.report.verdict_line import verdict_line
from xtal_core.run_file import RunFile, Value

if TYPE_CHECKING:
    from pymatgen.core import Structure

INTERRUPTED = 130


@dataclass(frozen=True)
class Output:
    """The folder of a result, whether it may replace an earlier one, and what is printed."""

    target: Path
    force: bool
    json: bool
    quiet: bool


def prepared_pattern(
    file: Path,
    wavelength: str | None,
    axis: AxisChoice,
    exclude: Sequence[str] | None,
    blank: Path | None,
    background_terms: int | None,
) -> Pattern:
    """Return the pattern in `file`, with what the command line says is to be done to it."""
    regions = parse_regions(exclude or [])
    pattern = read_pattern(file, wavelength=wavelength, axis=axis)
    empty = None
    if blank is not None:
        empty = read_pattern(blank, axis=axis, otherwise=pattern.radiation)
    return prepare(pattern, regions, empty, background_terms)


def make_plan(refiner: str, simulator: str, robust: bool, seed: int, jobs: int | None, **others: object) -> Plan:
    """Return the plan with the options that all commands share; `others` are further fields."""
    if robust and refiner == "none":
        raise OptionError("--robust says how structures are refined, --refiner none that they are not", "leave out one")
    plan = Plan(
        refiner=None if refiner == "none" else refiner, simulator=simulator, seed=seed, jobs=jobs or _available_cores()
    )
    return replace(plan, **others)


def answer(
    context: typer.Context,
    problem: Problem,
    plan: Plan,
    output: Output,
    *,
    given: Sequence[Candidate] = (),
    truth: Structure | None = None,
    remarks: Sequence[str] = (),
) -> Solution:
    """Solve `problem`, write the report and print what was asked for; return the solution.

    Raises typer.Exit, after everything is written, when the user interrupted.
    """
    registry = installed_registry()
    interruption = Interruption(lambda text: print(text, file=sys.stderr, flush=True))
    with report_folder(output.target, replace=output.force) as folder:
        tools = gather_tools(plan, registry)
        with progress_display(quiet=output.quiet or output.json) as progress:
            found = solve_problem(problem, tools, progress, given, interruption)

        def report() -> tuple[Solution, list[CrystalFile]]:
            solution = found if truth is None else score_against(found, truth, registry)
            files = crystal_files(solution.ranked)
            in_p1 = [f"{f.name} is in P1: symmetry would have changed the structure" for f in files if not f.symmetric]
            notes = (*remarks, *in_p1, *solution.notes)
            solution = replace(solution, notes=notes, interrupted=interruption.happened)
            write_report(folder, solution, files)
            (folder / "run.toml").write_text(run_of(context, solution, tools).to_toml(), encoding="utf-8")
            return solution, files

        solution, files = interruption.complete(report, "writing the report; once more leaves none")
    if output.json:
        sys.stdout.write(to_json(solution_record(solution, files)))
    elif not output.quiet:
        _show(solution, files, output.target)
    if solution.interrupted:
        raise typer.Exit(INTERRUPTED)
    return solution


def run_of(context: typer.Context, solution: Solution, tools: Tools) -> RunFile:
    """Return the run file of the command that `context` belongs to.

    Files that come with a plugin are left out: its version stands for them, and other machines have them elsewhere.
    """
    arguments: list[str] = []
    options: dict[str, Value] = {}
    files: dict[str, str] = {}
    read_by_plugins: dict[str, str] = {}
    for tool, plugin in zip(tools.members, solution.provenance["plugins"], strict=True):
        for file in plugin["files"]:
            if file["sha256"] is not None and not tool.ships(Path(file["path"])):
                read_by_plugins[file["path"]] = str(Path(file["path"]).resolve())
                files[read_by_plugins[file["path"]]] = file["sha256"]
    for parameter in context.command.params:
        flag, value = parameter.opts[0], context.params.get(parameter.name or "")
        if flag in (*OUTPUT_FLAGS, "--set", "--help") or value is None or value is False or value == []:
            continue
        if isinstance(value, Path):
            value = str(value.resolve())
            files[value] = sha256(Path(value))
        if parameter.param_type_name == "argument":
            arguments.append(value)
        else:
            options[flag.removeprefix("--")] = value
    options["jobs"] = tools.plan.jobs
    plugins: dict[str, dict[str, Value]] = {}
    for tool in tools.members:
        values = {name: "none" if value is None else value for name, value in tool.options.items()}
        if values:
            # Relative paths of files among a plugin's options must lead there from any folder.
            plugins[tool.offer.record.name] = {
                name: read_by_plugins.get(value, value) if isinstance(value, str) else value
                for name, value in values.items()
            }
    return RunFile(str(context.command.name), xtal_core.__version__, tuple(arguments), options, plugins, files)


def _available_cores() -> int:
    # Fewer than the machine has where the process is confined to some of them.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _show(solution: Solution, files: Sequence[CrystalFile], target: Path) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    if solution.ranked:
        console.print(solution_table(solution, files))
        metrics = ", ".join(score.metric for score in solution.ranked[0].reference_scores)
        if metrics:
            console.print(f"{metrics}: against the reference")
        if solution.verdict is not None:
            console.print(verdict_line(solution, solution.verdict), markup=False, soft_wrap=True)
        for line in summary_lines(solution.ranked[0], files[0]):
            console.print(line, markup=False)
    for note in (*solution.problem.pattern.notes, *solution.notes):
        console.print(f"note: {note}", markup=False)
    console.print(f"written to {target}", markup=False)
