"""`xtal solve`: from a powder pattern and a formula to ranked crystal structures."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xtal_core.candidate import Solution
from xtal_core.errors import OptionError, XtalError
from xtal_core.options import describe_options, parse_settings
from xtal_core.pipeline import solve as solve_problem
from xtal_core.plan import Plan, gather_tools
from xtal_core.problem import Formula, Problem
from xtal_core.progress_display import progress_display
from xtal_core.readers import read_pattern, read_structure
from xtal_core.readers.patterns import AxisChoice
from xtal_core.reference import score_against
from xtal_core.registry import Registry, installed_registry
from xtal_core.report import CrystalFile, crystal_files, report_folder, solution_table, write_report
from xtal_core.report.record import solution_record, to_json

INTERRUPTED = 130


def solve(
    pattern: Annotated[Path, typer.Argument(help="Powder pattern: .xy, .xye, .csv, .chi or powder CIF.")],
    formula: Annotated[str, typer.Option("--formula", "-f", help="Chemical formula, e.g. TiO2.")],
    z: Annotated[int | None, typer.Option("--z", help="Formula units in the cell, primitive or conventional.")] = None,
    generator: Annotated[
        list[str] | None, typer.Option("--generator", help="Where structures come from; may be repeated.")
    ] = None,
    refiner: Annotated[str, typer.Option("--refiner", help="How structures are refined; none to skip it.")] = "fit",
    simulator: Annotated[str, typer.Option("--simulator", help="What calculates patterns.")] = "powder",
    metric: Annotated[
        str, typer.Option("--metric", help="What tells which candidates are the same structure.")
    ] = "structure-matcher",
    size: Annotated[float | None, typer.Option("--size", help="Crystallite size in Å, when known.")] = None,
    space_group: Annotated[
        int | None, typer.Option("--space-group", help="International number of the space group, when known.")
    ] = None,
    wavelength: Annotated[
        str | None, typer.Option("--wavelength", "-w", help="CuKa, CuKa1, MoKa, … or Å; needed if not in the file.")
    ] = None,
    axis: Annotated[AxisChoice, typer.Option("--axis", help="What the first column is.")] = "auto",
    candidates: Annotated[int, typer.Option("--candidates", "-n", help="How many structures to return at most.")] = 10,
    library: Annotated[
        Path | None, typer.Option("--library", metavar="FILE", help="Structure library for the generators to search.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PLUGIN.OPTION=VALUE", help="An option of a plugin (xtal plugins --options)."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="The true structure: candidates are scored after ranking.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="PATTERN-solution")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier result in that folder.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Where randomness starts.")] = 0,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processor cores to use.", show_default="all")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the full result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Solve a crystal structure from a powder pattern.

    Structures are proposed for the formula, refined against the pattern and ranked by how well they describe it.
    """
    registry = installed_registry()
    generators = tuple(generator or Plan.generators)
    plan = Plan(
        generators=generators,
        refiner=None if refiner == "none" else refiner,
        simulator=simulator,
        metric=metric,
        n_candidates=candidates,
        settings=_with_library(parse_settings(settings or []), library, generators, registry),
        seed=seed,
        jobs=jobs or _available_cores(),
    )
    parsed, cell_content = _read_formula(formula, z)
    remarks = []
    if cell_content != z:
        remarks.append(f"{formula} was taken as the cell content: Z = {cell_content} of {parsed}")
    truth = None if reference is None else read_structure(reference)
    problem = Problem(
        pattern=read_pattern(pattern, wavelength=wavelength, axis=axis),
        formula=parsed,
        z=cell_content,
        space_group=space_group,
        crystallite_size=size,
    )
    target = out or Path(f"{pattern.stem}-solution")
    with report_folder(target, replace=force) as folder:
        tools = gather_tools(plan, registry)
        with progress_display(quiet=quiet or json) as progress:
            solution = solve_problem(problem, tools, progress)
            if truth is not None:
                solution = score_against(solution, truth, registry)
            files = crystal_files(solution.ranked)
        remarks += [f"{f.name} is in P1: symmetry would have changed the structure" for f in files if not f.symmetric]
        solution = replace(solution, notes=(*remarks, *solution.notes))
        write_report(folder, solution, files)
    if json:
        sys.stdout.write(to_json(solution_record(solution, files)))
    elif not quiet:
        _show(solution, files, target)
    if solution.interrupted:
        raise typer.Exit(INTERRUPTED)
    if not solution.ranked:
        raise XtalError(
            f"no structure was found for {parsed}: try another --generator, --z or a larger structure library "
            f"(xtal library add); {target} holds the record"
        )


def _read_formula(text: str, z: int | None) -> tuple[Formula, int | None]:
    """Return the reduced formula and Z: as given, else the multiple that the formula itself is written as."""
    formula, units = Formula.parse(text)
    if units == 1:
        return formula, z
    if z is not None and z != units:
        raise OptionError(
            f"{text} is {units} {formula}, which contradicts --z {z}", f"write --formula {formula} --z {z}"
        )
    return formula, units


def _with_library(
    settings: dict[str, dict[str, str]], library: Path | None, generators: Sequence[str], registry: Registry
) -> dict[str, dict[str, str]]:
    """Return `settings` with `library` for each of `generators` that has an option of this name."""
    if library is None:
        return settings
    file, changed = str(library), dict(settings)
    for name in generators:
        options = registry.offer("generator", name).record.options
        if options is None or all(description.name != "library" for description in describe_options(options)):
            continue
        given = settings.get(name, {})
        if given.get("library", file) != file:
            raise OptionError(f"--library {file} contradicts --set {name}.library={given['library']}", "give only one")
        changed[name] = given | {"library": file}
    if not any("library" in changed.get(name, {}) for name in generators):
        raise OptionError(f"none of the generators {', '.join(generators)} searches a library", "leave out --library")
    return changed


def _available_cores() -> int:
    # Fewer than the machine has where the process is confined to some of them.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _show(solution: Solution, files: list[CrystalFile], target: Path) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    if solution.ranked:
        console.print(solution_table(solution, files))
        metrics = ", ".join(score.metric for score in solution.ranked[0].reference_scores)
        if metrics:
            console.print(f"{metrics}: against the reference")
    for note in (*solution.problem.pattern.notes, *solution.notes):
        console.print(f"note: {note}", markup=False)
    console.print(f"written to {target}", markup=False)
