"""Refinement of known structures moved away from where they are: how many return, and how long that takes.

    python benchmarks/recovery.py [--structures 200] [--p1] [--limit N] [--workers 2]

The structures are the first of `mp20/val`. Writes docs/benchmarks/recovery.md (recovery_p1.md with --p1).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from pymatgen.core import Structure

from data_sets import Material, data_file, read_materials
from ideal_patterns import GAUSSIAN, TWO_THETA, WAVELENGTH, ideal_problem, simulator
from kept_results import Row, keep_results
from perturbation import perturbed
from refinement_run import add_run_options, describe_making, making_text, open_run, publish
from result_pages import markdown_table, met
from same_crystal import SAME_CELL, SAME_POSITIONS, Deviation, deviation
from solution_run import run_benchmark
from xtal_core.candidate import Candidate
from xtal_core.interfaces import Workbench
from xtal_core.provenance import sha256
from xtal_core.ranking import space_group
from xtal_crystalnet.crystal_systems import SYSTEMS, which_system
from xtal_fit.plugin import FitOptions
from xtal_fit.refiner import FitRefiner

#: Å; crystallite sizes, and what the cell (strain) and the positions (Å) are moved by at most.
SIZES = (100.0, 10.0)
MOVES = ((0.02, 0.1), (0.05, 0.2))

#: Share that must return, by crystallite size and moves, where the project has set itself one.
GOALS = {(100.0, 0.02): 0.95, (100.0, 0.05): 0.80}

PAGE = """\
# Recovery: perturbed structures refined{how}

`{command}`

The first {n} structures of `mp20/val`. Each is strained and its atoms are moved at random along
{directions}; the largest principal strain is drawn between 0 and the first number
of a row, the farthest move of an atom between 0 and the second. The pattern of the unmoved structure is calculated by
the `powder` simulator without noise or background: λ = {wavelength:g} Å, 2θ {first:g}–{last:g}° in steps of {step:g}°,
peaks sinc²(Qτ/2) for τ = 100 or 10 Å and a Gaussian of {gaussian:g} Å⁻¹, reflections beyond the last point included.
The moved structure is the only candidate; the refiner is `fit` with its default options, told formula and crystallite
size. It does not know the Gaussian width, the scale, or whether there are reflections beyond the last point.

Recovered means: the first of the refined structures has the true cell to {cell:g} (largest principal strain) and every
atom within {positions:g} Å of its true position, relative to the cell. Origin, choice of cell, order of atoms and hand
do not count, because no powder pattern shows them; structures with the same pattern that are not congruent
(homometric ones) do count as failures, and so does a refinement that ends with an error.

{summary}
## By crystal system

{systems}
## Not recovered

{failures}
## Time

{time}
## How it was made

{making}"""


@dataclass(frozen=True)
class Trial:
    """One structure, moved once."""

    material: Material
    index: int
    size: float
    strain: float
    displacement: float
    keep_symmetry: bool
    seed: int


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--structures", type=int, default=200, metavar="N", help="how many (default: 200)")
    parser.add_argument("--p1", action="store_true", help="move cell and atoms without regard to symmetry")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    table = data_file("mp20/val.csv.gz")
    materials = read_materials(table, chosen.limit or chosen.structures)
    trials = {
        f"{material.material_id}_{size:g}_{strain:g}": Trial(
            material, index, size, strain, displacement, not chosen.p1, chosen.seed
        )
        for size in SIZES
        for strain, displacement in MOVES
        for index, material in enumerate(materials)
    }
    name = "recovery_p1" if chosen.p1 else "recovery"
    run = open_run(name, {"materials": sha256(table)}, chosen)
    rows = keep_results(refine_moved, trials, run, chosen.workers)
    record = {
        "materials": len(materials),
        "p1": chosen.p1,
        "making": describe_making(chosen, arguments),
        "rows": [with_trial(row, trial) for row, trial in zip(rows, trials.values(), strict=True)],
    }
    publish(name, result_page(record), record, chosen, run)


def refine_moved(trial: Trial) -> Row:
    """Return what became of a structure that was moved and refined."""
    truth = Structure.from_str(trial.material.cif, fmt="cif")
    random = np.random.default_rng([trial.seed, trial.index])
    moved, n_free = perturbed(truth, trial.strain, trial.displacement, random, keep_symmetry=trial.keep_symmetry)
    problem = ideal_problem(truth, trial.size)
    start, cpu_start = time.perf_counter(), time.process_time()
    refined = FitRefiner(FitOptions()).refine(problem, [Candidate(moved, "moved")], Workbench(simulator(), trial.seed))[
        0
    ]
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    reached = deviation(truth, refined.structure)
    assert refined.fit is not None
    return {
        "n_free": n_free,
        "start": _figures(deviation(truth, moved)),
        "end": _figures(reached),
        "recovered": reached.is_same,
        "r2wp": refined.fit.residual,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
    }


def with_trial(row: Row, trial: Trial) -> Row:
    """Return `row`, of `refine_moved`, with what was refined; a refinement that failed recovered nothing."""
    truth = Structure.from_str(trial.material.cif, fmt="cif")
    symbol, number = space_group(truth)
    identity = {
        "material_id": trial.material.material_id,
        "formula": truth.composition.reduced_formula,
        "n_atoms": len(truth),
        "space_group": symbol,
        "system": which_system(number),
        "size": trial.size,
        "strain_up_to": trial.strain,
        "displacement_up_to": trial.displacement,
    }
    return identity | {"recovered": False} | row


def result_page(record: Mapping[str, Any]) -> str:
    """Return the page about a result."""
    rows, making = record["rows"], record["making"]
    first, last, step = TWO_THETA
    return PAGE.format(
        how=" without symmetry" if record["p1"] else "",
        command=making["command"],
        n=record["materials"],
        directions="directions that are free in P1" if record["p1"] else "what its space group leaves free",
        wavelength=WAVELENGTH,
        first=first,
        last=last,
        step=step,
        gaussian=GAUSSIAN,
        cell=SAME_CELL,
        positions=SAME_POSITIONS,
        summary=_summary(rows),
        systems=_by_system(rows),
        failures=_failures(rows),
        time=_times([row for row in rows if row["error"] is None], making["workers"]),
        making=making_text(making),
    )


def _summary(rows: Sequence[Row]) -> str:
    headers = ("crystallites", "cell up to", "positions up to", "structures", "recovered", "share", "aim")
    return markdown_table(
        headers,
        [
            (
                f"{size:g} Å",
                f"{strain:.0%}",
                f"{displacement:g} Å",
                len(group),
                sum(row["recovered"] for row in group),
                f"{share:.3f}",
                f"{goal:.2f}: {met(share >= goal)}" if (goal := GOALS.get((size, strain))) else None,
            )
            for size, strain, displacement, group in _groups(rows)
            for share in [fmean(row["recovered"] for row in group)]
        ],
    )


def _by_system(rows: Sequence[Row]) -> str:
    groups = list(_groups(rows))
    table = []
    for system in reversed(SYSTEMS):
        members = [[row for row in group if row["system"] == system] for *_, group in groups]
        if members and members[0]:
            shares = (f"{sum(row['recovered'] for row in group)}/{len(group)}" for group in members)
            free = [row["n_free"] for row in members[0] if row["error"] is None]
            table.append((system, f"{fmean(free):.1f}" if free else None, *shares))
    columns = (f"{size:g} Å, {strain:.0%}, {displacement:g} Å" for size, strain, displacement, _ in groups)
    return markdown_table(("system", "free parameters (mean)", *columns), table)


def _failures(rows: Sequence[Row]) -> str:
    failed = [row for row in rows if row["error"] is not None]
    lost = [row for row in rows if row["error"] is None and not row["recovered"]]
    headers = ("material", "formula", "atoms", "space group", "free", "τ (Å)", "cell", "R²wp", "strain left", "Å left")
    text = markdown_table(
        headers,
        [
            (
                row["material_id"],
                row["formula"],
                row["n_atoms"],
                row["space_group"],
                row["n_free"],
                f"{row['size']:g}",
                f"{row['strain_up_to']:.0%}",
                f"{row['r2wp']:.1e}",
                _number(row["end"]["strain"]),
                _number(row["end"]["displacement"]),
            )
            for row in lost
        ],
    )
    text = text if lost else "None.\n"
    errors = (
        f"- {row['material_id']}, {row['size']:g} Å, cell up to {row['strain_up_to']:.0%}: {row['error']}\n"
        for row in failed
    )
    return text + ("\nEnded with an error:\n\n" + "".join(errors) if failed else "")


def _times(rows: Sequence[Row], workers: int) -> str:
    seconds = [row["cpu_seconds"] for row in rows]
    if not seconds:
        return "Not known: every refinement ended with an error.\n"
    return (
        f"Processor time of one refinement on one core, in {workers} processes: {fmean(seconds):.2f} s (mean; median "
        f"{np.median(seconds):.2f} s, 95th percentile {np.percentile(seconds, 95):.2f} s).\n"
    )


def _groups(rows: Sequence[Row]) -> Iterator[tuple[float, float, float, list[Row]]]:
    """Yield crystallite size, strain, displacement and the rows of each kind of trial."""
    for size in SIZES:
        for strain, displacement in MOVES:
            group = [row for row in rows if row["size"] == size and row["strain_up_to"] == strain]
            if group:
                yield size, strain, displacement, group


def _figures(reached: Deviation) -> dict[str, float | None]:
    """Return both figures, None for what is infinite, which JSON does not know."""
    values = {"strain": reached.strain, "displacement": reached.displacement}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _number(value: float | None) -> str:
    return "no match" if value is None else f"{value:.1e}"


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
