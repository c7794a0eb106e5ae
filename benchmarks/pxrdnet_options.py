"""What each option of `pxrdnet` is worth, on validation structures: proposals, sampling, search, guidance, lattices.

    python benchmarks/pxrdnet_options.py [--materials 20] [--size 10] [--weights pxrdnet-fast] [--variant NAME …]

Structures are drawn from `mp20/val`, patterns are by PXRDNet's protocol. Every variant changes the default options in
the way its name says; two more are the baseline `cdvae-search`, as it is and with lattices fitted. Nothing is refined.
An independent judge scores the ten crystals of each. Writes docs/benchmarks/pxrdnet_options_SIZE.md.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from case_runs import Case, problem_of
from data_sets import data_file, read_materials
from judgement import judge, make_patterns, summarise
from kept_results import Row, keep_results
from pxrdnet import TEN, timed_solution, write_candidates
from refinement_run import add_run_options, describe_making, making_text, open_run, publish
from result_pages import markdown_table
from solution_run import run_benchmark
from solve_simulated import case_of
from xtal_core.plan import Plan
from xtal_core.provenance import sha256
from xtal_core.weights import find_weights

#: Which structures of `mp20/val` are drawn.
SAMPLE_SEED = 5

#: What differs from the default options.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "10 crystals": {"candidates": 10},
    "100 crystals": {"candidates": 100},
    "1 proposal for each": {"proposals": 1},
    "32 proposals for each": {"proposals": 32},
    "random start, 350 steps of search": {"start": "random", "latent_steps": 350},
    "350 steps of search": {"latent_steps": 350},
    "random start, no search": {"start": "random"},
    "lattice decoded": {"lattice": "decoded"},
    "lattice not corrected": {"correct_lattice": False},
    "not symmetrised": {"symmetrise": False},
    "never denoised again": {"again": 0.0},
    "denoised again from 1 Å": {"again": 1.0},
    "25 levels": {"levels": 25},
    "100 levels": {"levels": 100},
    "4 Langevin steps a level": {"steps_per_level": 4},
    "guidance 0.1": {"guidance": 0.1},
    "guidance 0.5": {"guidance": 0.5},
    "strains of 0.01 expected": {"expected_strain": 0.01},
    "strains of 0.04 expected": {"expected_strain": 0.04},
}

#: The generator and its options.
VARIANTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    **{name: ("pxrdnet", options) for name, options in OPTIONS.items()},
    "cdvae-search": ("cdvae-search", {}),
    "cdvae-search, lattice corrected": ("cdvae-search", {"correct_lattice": True}),
}

PAGE = """\
# Options of pxrdnet at {size:g} Å

`{command}`

{n} structures drawn from `mp20/val`, patterns by PXRDNet's protocol without noise; formula, content of the cell,
crystallite size and wavelength told. Weights: `{weights}` (SHA-256 {sha256}…). Nothing is refined. R²wp (mean, and of
the best of ten) and matches (StructureMatcher with 0.3, 0.5 and 10°) are those of the independent judge; seconds are
processor time a structure, reading of weights included.

{table}
## How it was made

{making}"""


@dataclass(frozen=True)
class Job:
    """A pattern, the generator that is to propose with its options, and the folder of the CIFs."""

    case: Case
    folder: Path
    generator: str
    options: Mapping[str, Any]
    seed: int


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--materials", type=int, default=20, metavar="N", help="how many (default: 20)")
    add("--size", type=float, default=10.0, metavar="Å", help="crystallite size (default: 10)")
    add("--weights", default="pxrdnet-fast", metavar="NAME", help="a name, or a file's path")
    add("--variant", action="append", choices=VARIANTS, metavar="NAME", help="may be repeated (default: all)")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    table = data_file("mp20/val.csv.gz")
    materials = read_materials(table)
    random.Random(SAMPLE_SEED).shuffle(materials)
    materials = materials[: chosen.limit or chosen.materials]
    patterns = make_patterns(materials, chosen.work / "patterns" / f"val_{chosen.size:g}", chosen.size)
    weights = find_weights(chosen.weights)
    name = f"pxrdnet_options_{chosen.size:g}"
    run = open_run(name, {"materials": sha256(table), "weights": weights.sha256}, chosen)
    variants = {variant: VARIANTS[variant] for variant in chosen.variant or VARIANTS}
    jobs = {
        f"{number:02d}_{material.material_id}": Job(
            case_of(material, patterns[material.material_id], chosen.size),
            run.path / f"variant_{number:02d}",
            generator,
            {"weights": chosen.weights, **options},
            chosen.seed,
        )
        for number, (variant, (generator, options)) in enumerate(VARIANTS.items())
        if variant in variants
        for material in materials
    }
    kept = dict(zip(jobs, keep_results(propose, jobs, run, chosen.workers), strict=True))
    rows = []
    for number, variant in enumerate(VARIANTS):
        if variant in variants:
            folder = run.path / f"variant_{number:02d}"
            folder.mkdir(exist_ok=True)
            done = [row for name, row in kept.items() if name.startswith(f"{number:02d}_") and row["error"] is None]
            seconds = fmean(row["cpu_seconds"] for row in done) if done else None
            summary = summarise(judge(materials, folder, chosen.workers).rows)
            rows.append({"variant": variant, "done": len(done), "cpu_seconds": seconds, **summary})
    record = {
        "materials": len(materials),
        "size": chosen.size,
        "weights": {"name": Path(chosen.weights).name, "sha256": weights.sha256},
        "making": describe_making(chosen, arguments),
        "rows": rows,
    }
    publish(name, result_page(record), record, chosen, run)


def propose(job: Job) -> Row:
    """Return how long proposing crystals took; the CIFs are written."""
    plan = Plan((job.generator,), None, n_candidates=TEN, settings={job.generator: job.options}, seed=job.seed)
    solution, took = timed_solution(problem_of(job.case), plan)
    write_candidates(job.folder / job.case.name, solution)
    return dict(took)


def result_page(record: Mapping[str, Any]) -> str:
    """Return the page about a result."""
    making, weights = record["making"], record["weights"]
    table = markdown_table(
        ("options", "R²wp, best of ten", "R²wp, first", "match@1", "match@10", "strict@10", "seconds"),
        [
            (
                row["variant"],
                f"{row['r2wp_best_mean']:.3f} ± {row['r2wp_best_std']:.3f}",
                f"{row['r2wp_first_mean']:.3f}",
                *(f"{row[name]:.3f}" for name in ("match_first", "match_ten", "strict_ten")),
                None if row["cpu_seconds"] is None else f"{row['cpu_seconds']:.1f}",
            )
            for row in record["rows"]
        ],
    )
    return PAGE.format(
        size=record["size"],
        command=making["command"],
        n=record["materials"],
        weights=weights["name"],
        sha256=weights["sha256"][:12],
        table=table,
        making=making_text(making),
    )


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
