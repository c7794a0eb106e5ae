"""Solves simulated patterns of nanocrystals by PXRDNet's protocol and has the solutions judged independently.

    python benchmarks/solve_simulated.py [SET] [--size 10] [--library train|table|FILE] [--limit N]

SET is `test_200` (default) or another table of `mp20/`, or a CSV(.gz) file with the columns material_id and cif. The
solver is told the formula, the content of the cell and the crystallite size. Writes docs/benchmarks/solve_SET_SIZE.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_options import add_run_options, command_line, result_folder, run_benchmark
from case_runs import Case, RunFolder, solve_cases
from data_sets import ROOT, Material, data_file, read_materials
from judgement import judge, make_patterns, split_by_prototype, summarise
from result_pages import describe_making, making_text, markdown_table, summarise_times, time_text, write_result
from structure_library import digest_of_files, find_library
from xtal_core.plan import Plan
from xtal_core.progress_display import progress_display
from xtal_core.provenance import sha256

#: Å; the one `make_patterns.py` uses.
WAVELENGTH = "1.54184"

#: What others reached, by set and size: method, mean R²wp of the best of ten, match@1, match@10, remark.
#: PXRDNet and CDVAE-Search: Guo et al., Nat. Mater. 2025, Table 1. PXRDGen: Li et al., Nat. Commun. 16, 7428 (2025).
PXRDGEN = ("PXRDGen", None, 0.82, 0.96, "patterns without size broadening; the second figure is the best of 20, not 10")
PUBLISHED = {
    ("test_200", 10.0): [
        ("PXRDNet", 0.325, None, None, "200 other materials of the same test set"),
        ("CDVAE-Search", 0.647, None, None, "as PXRDNet, without its latent optimisation"),
        PXRDGEN,
        ("naive search", 0.033, 0.915, 0.955, "same materials and library: templates, volume scan, Adam in P1"),
    ],
    ("test_200", 100.0): [
        ("PXRDNet", 0.324, None, None, "200 other materials of the same test set"),
        ("CDVAE-Search", 0.591, None, None, "as PXRDNet, without its latent optimisation"),
        PXRDGEN,
    ],
    ("test_new_prototypes_100", 10.0): [
        ("naive search", 0.287, 0.46, 0.53, "same materials and library: templates, volume scan, Adam in P1"),
    ],
}


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    chosen = _parse(arguments)
    table = Path(chosen.set) if chosen.set.endswith((".csv", ".csv.gz")) else data_file(f"mp20/{chosen.set}.csv.gz")
    name = table.name.partition(".")[0]
    materials = read_materials(table, chosen.limit)
    work = chosen.work.resolve()
    library = find_library(chosen.library, work, chosen.workers)
    title = f"{name}_{chosen.size:g}" + ("" if chosen.library == "train" else f"_{Path(chosen.library).stem}")
    plan = Plan(settings=library.settings, seed=chosen.seed)
    sources = digest_of_files([ROOT / "core", ROOT / "plugins"])
    run = RunFolder(work / f"solve_{title}")
    run.open(
        {
            "materials": sha256(table),
            "size": chosen.size,
            "library": library.sha256,
            "sources": sources,
            "seed": chosen.seed,
            "workers": chosen.workers,
        },
        chosen.fresh,
    )
    patterns = make_patterns(materials, work / "patterns" / f"{name}_{chosen.size:g}", chosen.size)
    cases = [case_of(material, patterns[material.material_id], chosen.size) for material in materials]
    with progress_display() as progress:
        outcomes = solve_cases(cases, plan, run, chosen.workers, progress)
    verdict = judge(materials, run.solutions, chosen.workers)
    solved = next((outcome for outcome in outcomes.values() if outcome.result is not None), None)
    record = {
        "set": name,
        "size": chosen.size,
        "materials": len(materials),
        "making": None
        if solved is None
        else describe_making(
            command_line(__file__, arguments),
            {"name": library.name, "sha256": library.sha256},
            sources,
            solved.result or {},
        ),
        "times": summarise_times(
            [outcome.seconds for outcome in outcomes.values()],
            [outcome.cpu_seconds for outcome in outcomes.values()],
            run.sessions,
            chosen.workers,
        ),
        "judge": verdict.table.splitlines(),
        "all": summarise(verdict.rows),
        "by_prototype_in_train": {
            group: summarise(rows) for group, rows in split_by_prototype(verdict.rows, materials).items()
        },
        "failures": [
            {"material_id": outcome.name, "reason": outcome.failure}
            for outcome in outcomes.values()
            if outcome.failure is not None
        ],
        "rows": [
            row | {"seconds": outcomes[row["material_id"]].seconds, "cpu_seconds": outcomes[row["material_id"]].cpu_seconds}
            for row in verdict.rows
        ],
    }
    folder = result_folder(chosen, run.path)
    write_result(folder, f"solve_{title}", result_page(record), record)
    print(f"{verdict.table}\n{time_text(record['times'])}written to {folder / f'solve_{title}.md'}")
