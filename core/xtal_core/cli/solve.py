"""`xtal solve`: from a powder pattern and a formula to ranked crystal structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from xtal_core.cli.answer import Output, answer, make_plan, prepared_pattern
from xtal_core.cli.run_options import (
    Axis,
    BackgroundTerms,
    Blank,
    Exclude,
    Force,
    Jobs,
    Json,
    Out,
    PatternFile,
    Quiet,
    RefinerName,
    Robust,
    Seed,
    Settings,
    SimulatorName,
    Size,
    Wavelength,
)
from xtal_core.errors import OptionError, XtalError
from xtal_core.options import describe_options, parse_settings
from xtal_core.plan import Plan
from xtal_core.problem import Formula, Problem
from xtal_core.readers import read_structure
from xtal_core.registry import Registry, installed_registry


def solve(
    context: typer.Context,
    pattern: PatternFile,
    formula: Annotated[str, typer.Option("--formula", "-f", help="Chemical formula, e.g. TiO2.")],
    z: Annotated[int | None, typer.Option("--z", help="Formula units in the cell, primitive or conventional.")] = None,
    generator: Annotated[
        list[str] | None, typer.Option("--generator", help="Where structures come from; may be repeated.")
    ] = None,
    refiner: RefinerName = "fit",
    simulator: SimulatorName = "powder",
    metric: Annotated[
        str, typer.Option("--metric", help="What tells which candidates are the same structure.")
    ] = "structure-matcher",
    size: Size = None,
    space_group: Annotated[
        int | None, typer.Option("--space-group", help="International number of the space group, when known.")
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option("--cell", metavar="'a b c α β γ'", help="The cell in Å and degrees, when known."),
    ] = None,
    wavelength: Wavelength = None,
    axis: Axis = "auto",
    exclude: Exclude = None,
    blank: Blank = None,
    background_terms: BackgroundTerms = None,
    robust: Robust = False,
    candidates: Annotated[int, typer.Option("--candidates", "-n", help="How many structures to return at most.")] = 10,
    library: Annotated[
        Path | None, typer.Option("--library", metavar="FILE", help="Structure library for the generators to search.")
    ] = None,
    settings: Settings = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="The true structure: candidates are scored after ranking.")
    ] = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Solve a crystal structure from a powder pattern.

    Structures are proposed for the formula, refined against the pattern and ranked by how well they describe it.
    """
    registry = installed_registry()
    generators = tuple(generator or Plan.generators)
    shared = {"library": None if library is None else str(library), "cell": cell}
    plan = make_plan(
        refiner,
        simulator,
        robust,
        seed,
        jobs,
        generators=generators,
        metric=metric,
        n_candidates=candidates,
        settings=_with_shared(parse_settings(settings or []), shared, generators, registry),
    )
    parsed, cell_content = _read_formula(formula, z)
    remarks = []
    if cell_content != z:
        remarks.append(f"{formula} was taken as the cell content: Z = {cell_content} of {parsed}")
    without_cell = [name for name in dict.fromkeys(generators) if not _has_option(name, "cell", registry)]
    if cell is not None and without_cell:
        remarks.append(f"the cell that was given is of no use to the generators {', '.join(without_cell)}")
    truth = None if reference is None else read_structure(reference)
    problem = Problem(
        pattern=prepared_pattern(pattern, wavelength, axis, exclude, blank, background_terms),
        formula=parsed,
        z=cell_content,
        space_group=space_group,
        crystallite_size=size,
        robust=robust,
    )
    output = Output(out or Path(f"{pattern.stem}-solution"), force, json, quiet)
    solution = answer(context, problem, plan, output, truth=truth, remarks=remarks)
    if not solution.ranked:
        raise XtalError(
            f"no structure was found for {parsed}: try another --generator, --z or a larger structure library "
            f"(xtal library add); {output.target} holds the record"
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


#: What options of this command that some generators have, too, are about, for the message when none has.
_SHARED = {"library": "searches a library", "cell": "makes use of a known cell"}


def _with_shared(
    settings: dict[str, dict[str, str]], shared: Mapping[str, str | None], generators: Sequence[str], registry: Registry
) -> dict[str, dict[str, str]]:
    """Return `settings` with each of the options `shared` that is given, for those of `generators` that have it."""
    changed = dict(settings)
    for option, value in shared.items():
        if value is None:
            continue
        taking = [name for name in generators if _has_option(name, option, registry)]
        if not taking:
            problem = f"none of the generators {', '.join(generators)} {_SHARED[option]}"
            raise OptionError(problem, f"leave out --{option}")
        for name in taking:
            given = changed.get(name, {})
            if given.get(option, value) != value:
                contradicted = f"--set {name}.{option}={given[option]}"
                raise OptionError(f"--{option} {value} contradicts {contradicted}", "give only one")
            changed[name] = given | {option: value}
    return changed


def _has_option(generator: str, option: str, registry: Registry) -> bool:
    options = registry.offer("generator", generator).record.options
    return options is not None and any(description.name == option for description in describe_options(options))
