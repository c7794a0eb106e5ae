"""`xtal refine`: from a powder pattern and a structure to the structure as the pattern has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtal_core.candidate import GIVEN, Candidate
from xtal_core.cli.answer import Output, answer, make_plan, prepared_pattern
from xtal_core.cli.run_options import (
    Axis,
    BackgroundTerms,
    Blank,
    Exclude,
    Force,
    Jobs,
    Json,
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
from xtal_core.displacements import without_displacements
from xtal_core.options import parse_settings
from xtal_core.problem import Formula, Problem
from xtal_core.ranking import space_group
from xtal_core.readers import read_structure

if TYPE_CHECKING:
    from pymatgen.core import Structure


def refine(
    context: typer.Context,
    pattern: PatternFile,
    structure: Annotated[Path, typer.Argument(help="Structure: CIF, POSCAR or pymatgen JSON.")],
    refiner: RefinerName = "fit",
    simulator: SimulatorName = "powder",
    size: Size = None,
    wavelength: Wavelength = None,
    axis: Axis = "auto",
    exclude: Exclude = None,
    blank: Blank = None,
    background_terms: BackgroundTerms = None,
    robust: Robust = False,
    settings: Settings = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="PATTERN-refined")
    ] = None,
    force: Force = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Refine a known structure against a powder pattern.

    Its space group is kept; a structure in P1 is also tried in the higher symmetries that it comes close to. The report
    is that of `xtal solve`, with the refined structure as its only candidate.
    """
    plan = make_plan(
        refiner, simulator, robust, seed, jobs, generators=(), n_candidates=1, settings=parse_settings(settings or [])
    )
    crystal = without_displacements(read_structure(structure))  # the fit finds its own
    crystal.remove_oxidation_states()
    problem = Problem(
        pattern=prepared_pattern(pattern, wavelength, axis, exclude, blank, background_terms),
        formula=_formula(crystal),
        space_group=_kept_group(crystal),
        crystallite_size=size,
        robust=robust,
    )
    remarks = [] if crystal.is_ordered else [f"{structure.name} is disordered: occupancies are not refined"]
    output = Output(out or Path(f"{pattern.stem}-refined"), force, json, quiet)
    answer(context, problem, plan, output, given=[Candidate(crystal, GIVEN, structure.name)], remarks=remarks)


def _formula(structure: Structure) -> Formula:
    """Return the formula of `structure`, fractions of a disordered one brought to whole numbers."""
    text, _ = structure.composition.element_composition.get_integer_formula_and_factor()
    return Formula.parse(text)[0]


def _kept_group(structure: Structure) -> int | None:
    """Return the space group of `structure`; None for P1, which says nothing about the symmetry that is there."""
    number = space_group(structure)[1]
    return None if number == 1 else number
