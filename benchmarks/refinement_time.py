"""How long ten candidates take to be refined on two cores: cells of 20 atoms, clean and laboratory patterns.

    python benchmarks/refinement_time.py [--structures 5] [--cores 2] [--library train|known|table|FILE]

The structures are the first with 20 atoms in the cell in `mp20/val`, their candidates the ten best with as many atoms
that the isostructural search proposes. Writes docs/benchmarks/refinement_time.md. Nothing is kept: times are those of
one sitting.
"""

# ruff: noqa: E402 - numerical libraries decide on their threads when they are imported

from __future__ import annotations

import os

# The cores are shared by the refiner's own jobs; numerical libraries that take them as well slow both down.
for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
from pymatgen.core import Structure

from data_sets import Material, data_file, read_materials
from ideal_patterns import Counting, counted_problem, ideal_problem, simulator
from kept_results import Row
from refinement_run import add_run_options, describe_making, making_text, open_run, publish
from result_pages import markdown_table, met
from simulator import machine
from solution_run import run_benchmark
from structure_library import CHOICES, find_library
from uncertainties import TRUTH
from xtal_core.candidate import Candidate
from xtal_core.interfaces import Workbench
from xtal_core.pipeline import solve
from xtal_core.plan import Plan, gather_tools
from xtal_core.problem import Problem
from xtal_core.provenance import sha256
from xtal_core.ranking import space_group
from xtal_core.registry import installed_registry
from xtal_fit.plugin import FitOptions
from xtal_fit.refiner import FitRefiner

ATOMS, TEN = 20, 10

#: Candidates that the ten are chosen from.
PROPOSED = 60

#: Seconds for ten candidates on two cores.
AIM = 20.0

PAGE = """\
# Time: ten candidates of {atoms} atoms refined on {cores} cores

`{command}`

The first {n} structures of `mp20/val` with {atoms} atoms in the primitive cell. Their candidates are the ten best with
{atoms} atoms of the isostructural search (library {library}), which is told the content of the cell and not timed; most
are wrong, so that the refiner also searches. Where fewer than ten have {atoms} atoms, there are fewer.
"100 Å" and "10 Å" are patterns without noise of crystallites of that size, told to the solver; "laboratory" is one
of Cu Kα1 and Kα2 with sharp peaks, counting noise and background. `fit` with its default options, {cores} jobs, wall
clock, on {processor} with {machine_cores} cores. The aim is at most {aim:g} s: {reached}.

{table}
## How it was made

{making}"""


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--structures", type=int, default=5, metavar="N", help="how many (default: 5)")
    parser.add_argument("--cores", type=int, default=2, metavar="N", help="jobs of the refiner (default: 2)")
    parser.add_argument("--library", default="train", metavar=CHOICES, help="as in solve_simulated.py")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    table = data_file("mp20/val.csv.gz")
    library = find_library(chosen.library, chosen.work.resolve(), chosen.workers)
    materials = of_size(read_materials(table), chosen.limit or chosen.structures)
    plan = Plan(refiner=None, n_candidates=PROPOSED, settings=library.settings, seed=chosen.seed, jobs=chosen.cores)
    run = open_run("refinement_time", {"materials": sha256(table), "library": library.sha256}, chosen)
    record = {
        "structures": len(materials),
        "cores": chosen.cores,
        "library": library.name,
        "machine": {**machine(), "cores": os.cpu_count()},
        "making": describe_making(chosen, arguments),
        "rows": [row for material in materials for row in time_material(material, plan)],
    }
    publish("refinement_time", result_page(record), record, chosen, run)


def of_size(materials: Sequence[Material], n: int) -> list[Material]:
    """Return the first `n` of `materials` with `ATOMS` atoms in the cell."""
    found: list[Material] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen's remarks on the CIFs of the table
        for material in materials:
            if len(found) == n:
                break
            if len(Structure.from_str(material.cif, fmt="cif")) == ATOMS:
                found.append(material)
    return found


def time_material(material: Material, plan: Plan) -> list[Row]:
    """Return how long ten candidates of `material` took for every kind of pattern."""
    truth = Structure.from_str(material.cif, fmt="cif")
    number = space_group(truth)[1]
    counted = counted_problem(truth, number, TRUTH, Counting(), np.random.default_rng(plan.seed))
    problems = {
        "100 Å": ideal_problem(truth, 100.0),
        "10 Å": ideal_problem(truth, 10.0),
        "laboratory": replace(counted, space_group=None),
    }
    _, z = truth.composition.get_reduced_formula_and_factor()
    rows = []
    for kind, told_nothing in problems.items():
        problem = replace(told_nothing, z=round(z))
        candidates = ten_of_size(problem, plan)
        start = time.perf_counter()
        refined = FitRefiner(FitOptions()).refine(
            problem, candidates, Workbench(simulator(), plan.seed, jobs=plan.jobs)
        )
        seconds = time.perf_counter() - start
        best = min((candidate.fit.residual for candidate in refined if candidate.fit is not None), default=None)
        rows.append(
            {
                "material_id": material.material_id,
                "formula": truth.composition.reduced_formula,
                "pattern": kind,
                "candidates": len(candidates),
                "atoms": ATOMS,
                "best_r2wp": best,
                "seconds": round(seconds, 2),
            }
        )
    return rows


def ten_of_size(problem: Problem, plan: Plan) -> list[Candidate]:
    """Return the best proposals for `problem` that have `ATOMS` atoms, not refined.

    That many formula units may also be those of a centred cell, whose primitive one has fewer atoms.
    """
    proposed = solve(problem, gather_tools(plan, installed_registry()))
    unrefined = (replace(ranked.candidate, fit=None) for ranked in proposed.ranked)
    return [candidate for candidate in unrefined if len(candidate.structure) == ATOMS][:TEN]


def result_page(record: Mapping[str, Any]) -> str:
    """Return the page about a result."""
    making, rows = record["making"], record["rows"]
    headers = ("material", "formula", "pattern", "candidates", "atoms", "best R²wp", "seconds")
    listed = [
        (
            row["material_id"],
            row["formula"],
            row["pattern"],
            row["candidates"],
            row["atoms"],
            None if row["best_r2wp"] is None else f"{row['best_r2wp']:.1e}",
            f"{row['seconds']:.1f}",
        )
        for row in rows
    ]
    kinds = dict.fromkeys(row["pattern"] for row in rows)
    means = (fmean(row["seconds"] for row in rows if row["pattern"] == kind) for kind in kinds)
    text = ", ".join(f"{kind} {mean:.1f} s" for kind, mean in zip(kinds, means, strict=True))
    slowest = max(row["seconds"] for row in rows)
    return PAGE.format(
        atoms=ATOMS,
        cores=record["cores"],
        command=making["command"],
        n=record["structures"],
        library=record["library"],
        processor=record["machine"]["processor"],
        machine_cores=record["machine"]["cores"],
        aim=AIM,
        reached=met(slowest <= AIM),
        table=f"{markdown_table(headers, listed)}\nMeans: {text}. The slowest took {slowest:.1f} s.\n",
        making=making_text(making),
    )


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
