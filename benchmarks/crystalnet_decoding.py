"""How often the atoms found in a density, once refined, are the structure: given the true density, and a predicted one.

    python benchmarks/crystalnet_decoding.py [--set FILE] [--weights NAME] [--structures N] [--system NAME]

The first N cubic crystals (default: 100) that crystalnet_sets.py holds out. The cell is known; patterns are of
crystallites of 100 Å, without noise. "True": the true density is decoded, "predicted": that of the generator
`crystalnet` with its default options and the cell, "no cell": the same without the cell. All candidates are refined
with the default options; the first and any of ten is compared with the truth by StructureMatcher (0.3, 0.5, 10°).
Writes docs/benchmarks/crystalnet_decoding.md.
"""

# ruff: noqa: E402 - numerical libraries decide on their threads when they are imported

from __future__ import annotations

import os

for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from data_sets import ROOT
from ideal_patterns import ideal_problem, simulator
from kept_results import Row, keep_results
from refinement_run import add_run_options, describe_making, making_text, open_run, publish
from result_pages import markdown_table, met
from solution_run import run_benchmark
from xtal_core.candidate import Candidate
from xtal_core.cells import CellBatch
from xtal_core.interfaces import Workbench
from xtal_core.problem import Problem
from xtal_core.provenance import sha256
from xtal_core.training_set import TrainingSet
from xtal_crystalnet.batches import cell_of
from xtal_crystalnet.crystal_systems import SYSTEMS, which_system
from xtal_crystalnet.decoding import decode
from xtal_crystalnet.density_map import electron_density
from xtal_crystalnet.generator import CrystalNetGenerator
from xtal_crystalnet.plugin import CrystalNetOptions
from xtal_crystalnet.saved_model import load_crystalnet
from xtal_fit.plugin import FitOptions
from xtal_fit.refiner import FitRefiner

#: Å.
CRYSTALLITES = 100.0

#: What must match of the structures whose true density is given.
AIM = 0.8

KINDS = ("true density", "predicted density", "no cell")

PAGE = """\
# CrystalNet: from densities to structures, {system} crystals

`{command}`

The first {n} {system} crystals that are held out (weights `{weights}`), patterns of crystallites of
100 Å without noise. **Densities are those of independent atoms**. The true density is decoded on 50³ points in its own
cell; `crystalnet` draws its own, told the cell or not. Up to ten candidates are refined with the default options; the
first, or any, is the structure by StructureMatcher (0.3, 0.5, 10°). The aim for the true density is
{aim:.0%}: {reached}.

{table}
## How it was made

{making}"""


@dataclass(frozen=True)
class Task:
    """A crystal of a set."""

    file: Path
    index: int
    weights: str
    seed: int


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--set", type=Path, default=ROOT / ".bench" / "crystalnet_sets" / "test.safetensors", metavar="FILE")
    add("--weights", default="crystalnet-fast", metavar="NAME", help="weights (default: crystalnet-fast)")
    add("--structures", type=int, default=100, metavar="N", help="how many (default: 100)")
    add("--system", default="cubic", choices=SYSTEMS, help="crystal system (default: cubic)")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    data = TrainingSet.load(chosen.set)
    weights = load_crystalnet(chosen.weights, "cpu").file
    basis = {"set": sha256(chosen.set), "weights": weights.sha256, "system": chosen.system}
    name = "crystalnet_decoding" + ("" if chosen.system == "cubic" else f"_{chosen.system}")
    run = open_run(name, basis, chosen)
    indices = [i for i, number in enumerate(data.space_group) if which_system(int(number)) == chosen.system]
    tasks = {
        f"{index}": Task(chosen.set, index, chosen.weights, chosen.seed)
        for index in indices[: chosen.limit or chosen.structures]
    }
    rows = keep_results(find_structures, tasks, run, chosen.workers)
    making = describe_making(chosen, arguments)
    good = [row for row in rows if row["error"] is None]
    matched = sum(row["true density"]["first"] for row in good) / len(good) if good else 0.0
    page = PAGE.format(
        command=making["command"],
        n=len(good),
        system=chosen.system,
        weights=chosen.weights,
        aim=AIM,
        reached=met(matched >= AIM),
        table=markdown_table(
            ("density", "crystals", "first", "any of ten", "seconds to candidates", "to refine"), list(_rows(good))
        ),
        making=making_text(making),
    )
    publish(name, page, {"weights": weights.sha256, "making": making, "rows": rows}, chosen, run)


def find_structures(task: Task) -> Row:
    """Return whether the candidates of each kind are the structure."""
    data = TrainingSet.load(task.file)
    cell = cell_of(data, task.index)
    truth = Structure(cell.lattice, cell.numbers.tolist(), cell.fractional)
    problem = ideal_problem(truth, CRYSTALLITES)
    lattice = truth.lattice
    numbers = " ".join(f"{value:.5f}" for value in (*lattice.abc, *lattice.angles))
    row: Row = {"name": data.names[task.index], "formula": truth.composition.reduced_formula, "n_atoms": len(truth)}
    for kind in KINDS:
        start = time.perf_counter()
        if kind == "true density":
            candidates = from_true_density(truth)
        else:
            options = CrystalNetOptions(weights=task.weights, cell=numbers if kind == "predicted density" else "")
            candidates = CrystalNetGenerator(options).generate(problem, Workbench(simulator(), task.seed))
        proposed = time.perf_counter() - start
        row[kind] = judged(problem, candidates, truth, task.seed) | {"seconds": round(proposed, 2)}
    return row


def from_true_density(truth: Structure) -> list[Candidate]:
    """Return the structures that the density of `truth` is decoded to."""
    density = electron_density(CellBatch.from_structures([truth]))
    lattice = np.array(truth.lattice.matrix)
    return [
        Candidate(Structure(lattice, found.numbers.tolist(), found.fractional), "crystalnet", "true density")
        for found in decode(density.values, lattice, np.array(truth.atomic_numbers))
    ]


def judged(problem: Problem, candidates: Sequence[Candidate], truth: Structure, seed: int) -> dict[str, Any]:
    """Return whether the first of the refined `candidates`, and any, is the structure, and how long refining took."""
    start = time.perf_counter()
    known = replace(problem, z=None)
    refined = FitRefiner(FitOptions()).refine(known, candidates, Workbench(simulator(), seed)) if candidates else []
    matcher = StructureMatcher(0.3, 0.5, 10)
    matches = [matcher.fit(candidate.structure, truth) for candidate in refined[:10]]
    return {
        "candidates": len(candidates),
        "first": bool(matches and matches[0]),
        "any": any(matches),
        "refining_seconds": round(time.perf_counter() - start, 2),
    }


def _rows(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    for kind in KINDS:
        found = [row[kind] for row in rows]
        if found:
            shares = (f"{np.mean([each[key] for each in found]):.3f}" for key in ("first", "any"))
            times = (f"{np.mean([each[key] for each in found]):.1f}" for key in ("seconds", "refining_seconds"))
            yield kind, len(found), *shares, *times


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
