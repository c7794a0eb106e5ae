"""Standard uncertainties of refinements beside their errors: pulls over noisy patterns whose truth is known.

    python benchmarks/uncertainties.py [--draws 15] [--limit N] [--workers 2]

The structures are the first of each crystal system in `mp20/val` that suit. Writes docs/benchmarks/uncertainties.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Structure

from data_sets import Material, data_file, read_materials
from ideal_patterns import Counting, counted_problem, simulator
from kept_results import Row, keep_results
from perturbation import perturbed
from pulls import profile_pulls, structure_pulls
from refinement_run import add_run_options, describe_making, making_text, open_run, publish
from result_pages import markdown_table
from same_crystal import described_as, deviation
from solution_run import run_benchmark
from xtal_core.candidate import GIVEN, Candidate
from xtal_core.interfaces import Workbench
from xtal_core.measurement import Profile
from xtal_core.provenance import sha256
from xtal_core.ranking import space_group
from xtal_crystalnet.crystal_systems import SYSTEMS, which_system
from xtal_fit.plugin import FitOptions
from xtal_fit.refiner import FitRefiner
from xtal_fit.symmetry import free_directions

#: Structures of each crystal system, and their largest number of atoms and of free parameters.
EACH, MOST_ATOMS, MOST_FREE = 2, 14, 24

#: What peaks look like, every part of it large enough to be refined away from its bounds.
TRUTH = Profile(lorentzian_hwhm=0.002, b_iso=0.8, zero_shift=0.03, strain_hwhm=0.001, instrument_sigma=0.05)

COUNTING = Counting()

#: Where a refinement starts: strain and displacement in Å at most.
START = (0.002, 0.02)

#: Å; a structure farther off than this is another one, and its errors are none of counting.
WRONG = 0.3

#: Standard deviations of pulls that show uncertainties to be right.
AIM = (0.8, 1.25)

PAGE = """\
# Standard uncertainties: errors in units of what is stated

`{command}`

{n_runs} refinements of {n_structures} structures of `mp20/val`, the first {each} of each crystal system that have free
positions and at most {atoms} atoms and {free} free parameters, each with {draws} draws of noise. Patterns are those of
the `powder` simulator: Cu Kα1 and Kα2, 2θ 5–90° in steps of 0.02°, Poisson noise of {peak:g} counts in the strongest
peak over a background that falls from {high:g} to {low:g} counts; widths of the instrument (σ = {sigma:g}° 2θ),
crystallites (half width {size:g} Å⁻¹) and microstrain ({strain:g}), B = {b:g} Å², zero shift {zero:g}°. `fit` starts
from the true structure, its cell strained by up to {start_strain:.1%} and its atoms moved by up to {start_move:g} Å, is
told the space group, and refines structure, profile, scale and background together. It also asks whether the sample has
texture.

A pull is the error of a refined value divided by its standard uncertainty. Uncertainties are right when pulls have the
standard deviation 1; the aim is {low_aim:g} to {high_aim:g}. Each free lattice parameter counts once; positions are the
independent displacements that the space group leaves free.

{kinds}
## By crystal system

{systems}
## By structure

{structures}
{wrong}
## How it was made

{making}"""


@dataclass(frozen=True)
class Draw:
    """A structure and a number that stands for its noise."""

    material: Material
    index: int
    draw: int
    seed: int


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=15, metavar="N", help="of noise for each structure (default: 15)")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    table = data_file("mp20/val.csv.gz")
    materials = suitable(read_materials(table))[: chosen.limit]
    draws = {
        f"{material.material_id}_{draw}": Draw(material, index, draw, chosen.seed)
        for index, material in enumerate(materials)
        for draw in range(chosen.draws)
    }
    run = open_run("uncertainties", {"materials": sha256(table)}, chosen)
    record = {
        "structures": len(materials),
        "draws": chosen.draws,
        "making": describe_making(chosen, arguments),
        "rows": keep_results(refine_draw, draws, run, chosen.workers),
    }
    publish("uncertainties", result_page(record), record, chosen, run)


def suitable(materials: Sequence[Material]) -> list[Material]:
    """Return the first `EACH` of every crystal system with free positions, but few atoms and free parameters."""
    found: dict[str, list[Material]] = {system: [] for system in reversed(SYSTEMS)}
    for material in materials:
        structure = Structure.from_str(material.cif, fmt="cif")
        if len(structure) > MOST_ATOMS:
            continue
        system = found[which_system(space_group(structure)[1])]
        directions = free_directions(
            structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)
        )
        if len(system) < EACH and directions.n_strains < directions.n_directions <= MOST_FREE:
            system.append(material)
        if all(len(system) == EACH for system in found.values()):
            break
    return [material for system in found.values() for material in system]


def refine_draw(draw: Draw) -> Row:
    """Return the pulls of one refinement."""
    truth = Structure.from_str(draw.material.cif, fmt="cif")
    symbol, number = space_group(truth)
    random = np.random.default_rng([draw.seed, draw.index, draw.draw])
    problem = counted_problem(truth, number, TRUTH, COUNTING, random)
    start, n_free = perturbed(truth, *START, random)
    begun = time.process_time()
    refiner, workbench = FitRefiner(FitOptions()), Workbench(simulator(), draw.seed)
    refined = refiner.refine(problem, [Candidate(start, GIVEN)], workbench)[0]
    cpu_seconds = time.process_time() - begun
    fit = refined.fit
    assert fit is not None
    assert fit.uncertainty is not None
    off = deviation(truth, refined.structure).displacement
    # A crystal that is nearly of higher symmetry may come out in another cell than it went in.
    counterpart = described_as(truth, refined.structure, WRONG)
    row = {
        "material_id": draw.material.material_id,
        "formula": truth.composition.reduced_formula,
        "space_group": symbol,
        "system": which_system(number),
        "n_free": n_free,
        "displacement": off if np.isfinite(off) else None,
        "wrong": counterpart is None,
        "chi_squared": fit.uncertainty.reduced_chi_squared,
        "textured": fit.profile.march_axis is not None,
        "cpu_seconds": round(cpu_seconds, 2),
    }
    if counterpart is None:
        return row | {"pulls": {}, "profile": {}}
    pulls = structure_pulls(refined.structure, counterpart, fit.uncertainty)
    return row | {"pulls": pulls, "profile": profile_pulls(fit, TRUTH)}


def result_page(record: Mapping[str, Any]) -> str:
    """Return the page about a result."""
    rows = [row for row in record["rows"] if row["error"] is None]
    making = record["making"]
    return PAGE.format(
        command=making["command"],
        n_runs=len(record["rows"]),
        n_structures=record["structures"],
        draws=record["draws"],
        each=EACH,
        atoms=MOST_ATOMS,
        free=MOST_FREE,
        peak=COUNTING.peak,
        high=COUNTING.background[0],
        low=COUNTING.background[1],
        sigma=TRUTH.instrument_sigma,
        size=TRUTH.lorentzian_hwhm,
        strain=TRUTH.strain_hwhm,
        b=TRUTH.b_iso,
        zero=TRUTH.zero_shift,
        start_strain=START[0],
        start_move=START[1],
        low_aim=AIM[0],
        high_aim=AIM[1],
        kinds=markdown_table(("", "pulls", "mean", "standard deviation", "beyond 3", "aim"), list(_by_kind(rows))),
        systems=markdown_table(
            ("system", "refinements", "lattice parameters", "positions"), list(_by(rows, "system", SYSTEMS[::-1]))
        ),
        structures=markdown_table(
            ("structure", "formula", "space group", "free", "χ²", "lattice parameters", "positions", "seconds"),
            list(_by_structure(rows)),
        ),
        wrong=_wrong(record["rows"]),
        making=making_text(making),
    )


def _by_kind(rows: Sequence[Row]) -> Iterator[Sequence[object]]:
    for kind in ("lattice parameters", "positions"):
        yield (kind, *_statistics(_pulls(rows, kind)), f"{AIM[0]:g}–{AIM[1]:g}")
    for name in sorted({name for row in rows for name in row["profile"]}):
        yield (f"profile: {name}", *_statistics([row["profile"][name] for row in rows if name in row["profile"]]), None)


def _by(rows: Sequence[Row], key: str, values: Sequence[str]) -> Iterator[Sequence[object]]:
    for value in values:
        group = [row for row in rows if row[key] == value]
        if group:
            spreads = (_spread(_pulls(group, kind)) for kind in ("lattice parameters", "positions"))
            yield (value, len(group), *spreads)


def _by_structure(rows: Sequence[Row]) -> Iterator[Sequence[object]]:
    for name in dict.fromkeys(row["material_id"] for row in rows):
        group = [row for row in rows if row["material_id"] == name]
        first = group[0]
        yield (
            name,
            first["formula"],
            first["space_group"],
            first["n_free"],
            f"{np.mean([row['chi_squared'] for row in group]):.3f}",
            _spread(_pulls(group, "lattice parameters")),
            _spread(_pulls(group, "positions")),
            f"{np.mean([row['cpu_seconds'] for row in group]):.1f}",
        )


def _pulls(rows: Sequence[Row], kind: str) -> list[float]:
    return [pull for row in rows for pull in row["pulls"].get(kind, [])]


def _statistics(pulls: Sequence[float]) -> Sequence[object]:
    """Return number, mean, standard deviation and the share beyond 3."""
    values = np.array(pulls)
    if len(values) < 2:
        return (len(values), None, None, None)
    return (
        len(values),
        f"{values.mean():.3f}",
        f"{values.std(ddof=1):.3f}",
        f"{np.mean(np.abs(values) > 3):.3f}",
    )


def _spread(pulls: Sequence[float]) -> str | None:
    return f"{np.std(pulls, ddof=1):.2f}" if len(pulls) > 1 else None


def _wrong(rows: Sequence[Row]) -> str:
    """Return what is not in the tables, in words."""
    failed = [row["error"] for row in rows if row["error"] is not None]
    wrong = [row["material_id"] for row in rows if row["error"] is None and row["wrong"]]
    textured = sum(row["textured"] for row in rows if row["error"] is None)
    lines = [f"{textured} of the refinements found a texture, which none of the patterns has.\n"]
    if wrong:
        lines.append(f"\nLeft out, because they ended more than {WRONG:g} Å off: {', '.join(wrong)}.\n")
    return "".join([*lines, *(f"\n- {reason}\n" for reason in failed)])


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
