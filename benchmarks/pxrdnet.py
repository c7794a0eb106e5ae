"""PXRDNet and its baseline on simulated nanocrystals: the paper's Tables 1 and 2, and its figures 2 and 5.

    python benchmarks/pxrdnet.py [--materials 200] [--weights pxrdnet-fast] [--limit N] [--workers 2]

The materials are those of `test_200`, patterns are by PXRDNet's protocol at 10 and 100 Å. For each, `cdvae-search` and
`pxrdnet` propose ten crystals, and `fit` refines those of `pxrdnet`. An independent judge scores all three. Writes
docs/benchmarks/pxrdnet.md, its numbers and its figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from case_runs import Case, problem_of
from data_sets import data_file, read_materials
from judgement import judge, make_patterns, split_by_prototype, summarise
from kept_results import Row, keep_results
from pxrdnet_page import SIZES, result_page, write_figures
from refinement_run import add_run_options, describe_making, open_run, publish
from result_pages import RESULTS
from solution_run import run_benchmark
from solve_simulated import case_of
from xtal_core.candidate import Candidate, Solution
from xtal_core.pipeline import solve
from xtal_core.plan import Plan, gather_tools
from xtal_core.problem import Problem
from xtal_core.provenance import sha256
from xtal_core.registry import installed_registry
from xtal_core.report import crystal_files
from xtal_core.weights import find_weights

#: Candidates of each material.
TEN = 10

#: What proposes, in the order of the page; the last is refined.
GENERATORS = ("cdvae-search", "pxrdnet")

REFINED = "refined"


@dataclass(frozen=True)
class Job:
    """A pattern for which crystals are to be generated.

    `folders` are those of the CIFs by method, `weights` is a name or a path.
    """

    case: Case
    folders: Mapping[str, Path]
    weights: str
    seed: int


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--materials", type=int, default=200, metavar="N", help="the first N (default: 200)")
    parser.add_argument("--weights", default="pxrdnet-fast", metavar="NAME", help="a name, or a file's path")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    table = data_file("mp20/test_200.csv.gz")
    materials = read_materials(table, chosen.limit or chosen.materials)
    weights = find_weights(chosen.weights)
    run = open_run("pxrdnet", {"materials": sha256(table), "weights": weights.sha256}, chosen)
    jobs: dict[str, Job] = {}
    for size in SIZES:
        patterns = make_patterns(materials, chosen.work / "patterns" / f"test_200_{size:g}", size)
        folders = {method: run.path / f"{method}_{size:g}" for method in (*GENERATORS, REFINED)}
        for material in materials:
            case = case_of(material, patterns[material.material_id], size)
            jobs[f"{case.name}_{size:g}"] = Job(case, folders, chosen.weights, chosen.seed)
    timings = keep_results(propose_and_refine, jobs, run, chosen.workers)

    rows: list[dict[str, Any]] = []
    results: dict[str, dict[str, Any]] = {}
    for size in SIZES:
        for method in (*GENERATORS, REFINED):
            folder = run.path / f"{method}_{size:g}"
            folder.mkdir(exist_ok=True)
            judged = judge(materials, folder, chosen.workers).rows
            groups = {"all": judged, **_named_groups(split_by_prototype(judged, materials)), **_by_system(judged)}
            results.setdefault(f"{size:g}", {})[method] = {name: summarise(group) for name, group in groups.items()}
            rows += [{"size": size, "method": method} | row for row in judged]
    record = {
        "materials": len(materials),
        "weights": {"name": Path(chosen.weights).name, "sha256": weights.sha256},
        "results": results,
        "timings": [row for row in timings if row["error"] is None],
        "failures": {name: row["error"] for name, row in zip(jobs, timings, strict=True) if row["error"]},
        "making": describe_making(chosen, arguments),
        "rows": rows,
    }
    publish("pxrdnet", result_page(record), record, chosen, run)
    write_figures(chosen.out or (RESULTS if chosen.limit is None else run.path), rows)


def propose_and_refine(job: Job) -> Row:
    """Return how long each step of a material took; the CIFs are written."""
    case = job.case
    problem = problem_of(case)
    row: Row = {"material_id": case.name, "size": case.crystallite_size}
    given: list[Candidate] = []
    for generator in GENERATORS:
        settings = {generator: {"weights": job.weights}}
        plan = Plan((generator,), None, n_candidates=TEN, settings=settings, seed=job.seed)
        proposed, row[generator] = timed_solution(problem, plan)
        write_candidates(job.folders[generator] / case.name, proposed)
        given = [ranked.candidate for ranked in proposed.ranked]
    if given:
        refining = Plan((), "fit", n_candidates=TEN, seed=job.seed)
        refined, row[REFINED] = timed_solution(problem, refining, given)
        write_candidates(job.folders[REFINED] / case.name, refined)
    return row


def timed_solution(
    problem: Problem, plan: Plan, given: Sequence[Candidate] = ()
) -> tuple[Solution, dict[str, float | int]]:
    """Return the solution of `problem` by `plan`, how many candidates it has, and the seconds it took."""
    tools = gather_tools(plan, installed_registry())
    start, cpu_start = time.perf_counter(), time.process_time()
    unfitted = [replace(candidate, fit=None) for candidate in given]
    solution = solve(problem, tools, given=unfitted)
    took = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu_start}
    return solution, {"candidates": len(solution.ranked)} | {name: round(value, 2) for name, value in took.items()}


def write_candidates(folder: Path, solution: Solution) -> None:
    """Write the candidates of `solution` to `folder`, named after their ranks, as the judge reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in crystal_files(solution.ranked):
        (folder / file.name).write_text(file.text, encoding="utf-8")


def _named_groups(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Sequence[Mapping[str, Any]]]:
    return {f"type in train: {name}": rows for name, rows in groups.items()}


def _by_system(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["crystal_system"], []).append(row)
    return groups


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
