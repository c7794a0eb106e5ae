"""Ten candidates of each of twenty materials before and after refinement, by the protocol of PXRDNet's figure 5.

    python benchmarks/refine_candidates.py [--materials 20] [--library train|known|table|FILE] [--limit N] [--workers 2]

The materials are the first of `test_200`; their candidates are the ten best of the isostructural search, not refined.
An independent judge scores all. Writes docs/benchmarks/refine_candidates.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

from case_runs import Case, problem_of
from data_sets import Material, data_file, read_materials
from judgement import judge, make_patterns
from kept_results import Row, keep_results
from refinement_run import add_run_options, describe_making, making_text, open_run, publish
from result_pages import markdown_table, met
from solution_run import run_benchmark
from solve_simulated import case_of
from structure_library import CHOICES, find_library
from xtal_core.candidate import Candidate, Solution
from xtal_core.pipeline import solve
from xtal_core.plan import Plan, gather_tools
from xtal_core.provenance import sha256
from xtal_core.registry import installed_registry
from xtal_core.report import crystal_files

#: Å; crystallite sizes, and the published mean R²wp after refinement.
PUBLISHED = {10.0: 0.132, 100.0: 0.068}

#: What the project aims at: mean R²wp after refinement.
AIMS = {10.0: 0.03, 100.0: 0.01}

#: Candidates of each material.
TEN = 10

PAGE = """\
# Ten candidates before and after refinement, library {library}

`{command}`

The first {n} materials of `test_200`, patterns by PXRDNet's protocol for crystallites of 10 and 100 Å without noise,
made with pymatgen alone. The ten candidates of each are the best of the isostructural search as it proposes them
(`--refiner none`); `fit` then refines all ten in one call with its default options, and the ten best that it returns
are compared. Unlike a least-squares program `fit` also searches: unless that describes the pattern, it exchanges
elements, displaces atoms, refines without symmetry and then in a higher one, so that what comes out may be of another
structure type than what went in, and several candidates may come from one. "Proposed" and "kept" count the candidates
before and after: fewer than ten where the search proposed fewer, or where refined candidates turned out to be the same.
The published figures are for 20 other materials of the same test set, drawn uniformly, ten candidates of
PXRDNet each, of which TOPAS refined the cell within ± 20 %, in P1, but not the positions.

R²wp is that of the independent judge, without size broadening. "After" is the candidate that is best after refinement,
as in the paper's figure; "before" is the candidate from which that one came.

{totals}
{tables}
## How it was made

{making}"""


@dataclass(frozen=True)
class Job:
    """A material whose candidates are to be refined.

    `before` and `after` are the folders for CIFs, `settings` the plugins' options.
    """

    case: Case
    before: Path
    after: Path
    settings: Mapping[str, Mapping[str, Any]]
    seed: int


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--materials", type=int, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument("--library", default="train", metavar=CHOICES, help="as in solve_simulated.py")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    table = data_file("mp20/test_200.csv.gz")
    materials = read_materials(table, chosen.limit or chosen.materials)
    library = find_library(chosen.library, chosen.work.resolve(), chosen.workers)
    run = open_run("refine_candidates", {"materials": sha256(table), "library": library.sha256}, chosen)
    jobs: dict[str, Job] = {}
    for size in PUBLISHED:
        before, after = (run.path / f"{when}_{size:g}" for when in ("before", "after"))
        patterns = make_patterns(materials, chosen.work / "patterns" / f"test_200_{size:g}", size)
        for material in materials:
            case = case_of(material, patterns[material.material_id], size)
            name = f"{material.material_id}_{size:g}"
            jobs[name] = Job(case, before, after, library.settings, chosen.seed)
    rows = keep_results(refine_ten, jobs, run, chosen.workers)
    residuals = {
        (size, when): judged_residuals(materials, run.path / f"{when}_{size:g}", chosen.workers)
        for size in PUBLISHED
        for when in ("before", "after")
    }
    record = {
        "materials": len(materials),
        "library": library.name,
        "making": describe_making(chosen, arguments),
        "rows": [scored(row, residuals) for row in rows],
    }
    publish("refine_candidates", result_page(record), record, chosen, run)


def refine_ten(job: Job) -> Row:
    """Return how refining the best proposals for a material went; their CIFs are written."""
    case = job.case
    problem = problem_of(case)
    proposing = Plan(refiner=None, n_candidates=TEN, settings=job.settings, seed=job.seed)
    proposed = solve(problem, gather_tools(proposing, installed_registry()))
    write_candidates(job.before, case.name, proposed)
    given = [Candidate(r.candidate.structure, "proposed", f"{r.rank}") for r in proposed.ranked]
    refining = replace(proposing, generators=(), refiner="fit", settings={})
    tools = gather_tools(refining, installed_registry())
    start = time.process_time()
    refined = solve(problem, tools, given=given)
    cpu_seconds = time.process_time() - start
    write_candidates(job.after, case.name, refined)
    return {
        "material_id": case.name,
        "formula": case.formula,
        "n_atoms": max(len(candidate.structure) for candidate in given),
        "size": case.crystallite_size,
        "candidates": len(given),
        "sources": [int(r.candidate.origin) for r in refined.ranked],
        "cpu_seconds": round(cpu_seconds, 2),
    }


def write_candidates(folder: Path, name: str, solution: Solution) -> None:
    """Write each candidate to a folder of its own, so that the judge scores each."""
    for ranked, file in zip(solution.ranked, crystal_files(solution.ranked), strict=True):
        own = folder / candidate_name(name, ranked.rank)
        own.mkdir(parents=True, exist_ok=True)
        (own / "01.cif").write_text(file.text, encoding="utf-8")


def candidate_name(material_id: str, rank: int) -> str:
    """Return what the judge knows a candidate by."""
    return f"{material_id}.{rank:02d}"


def judged_residuals(materials: Sequence[Material], folder: Path, workers: int) -> dict[str, float]:
    """Return R²wp by `candidate_name` of all candidates in `folder`."""
    candidates = [
        replace(material, material_id=candidate_name(material.material_id, rank))
        for material in materials
        for rank in range(1, TEN + 1)
        if (folder / candidate_name(material.material_id, rank)).is_dir()
    ]
    return {row["material_id"]: row["r2wp_first"] for row in judge(candidates, folder, workers).rows}


def scored(row: Row, residuals: Mapping[tuple[float, str], Mapping[str, float]]) -> Row:
    """Return `row` with the judge's R²wp: of all candidates, of the best one, and of what that was made from."""
    if row["error"] is not None:
        return row
    name, size = row["material_id"], row["size"]
    before, after = (
        [residuals[size, when][candidate_name(name, rank)] for rank in range(1, n + 1)]
        for when, n in (("before", row["candidates"]), ("after", len(row["sources"])))
    )
    best = min(range(len(after)), key=after.__getitem__)
    return row | {
        "before": before,
        "after": after,
        "before_of_best": before[row["sources"][best] - 1],
        "after_of_best": after[best],
    }


def result_page(record: Mapping[str, Any]) -> str:
    """Return the page about a result."""
    making = record["making"]
    groups = {
        size: [row for row in record["rows"] if row["error"] is None and row["size"] == size] for size in PUBLISHED
    }
    return PAGE.format(
        library=record["library"],
        command=making["command"],
        n=record["materials"],
        totals=_totals({size: rows for size, rows in groups.items() if rows}),
        tables="".join(_tables(groups)) + "".join(f"- {row['error']}\n" for row in record["rows"] if row["error"]),
        making=making_text(making),
    )


def _totals(groups: Mapping[float, Sequence[Row]]) -> str:
    headers = (
        "τ (Å)",
        "materials",
        "candidates, mean",
        "before, mean",
        "after, mean",
        "after, median",
        "first after, mean",
    )
    return markdown_table(
        (*headers, "below 0.2", "aim (after, mean)", "published, after", "seconds for ten"),
        [
            (
                f"{size:g}",
                len(rows),
                f"{fmean(len(row['before']) for row in rows):.1f}",
                f"{fmean(row['before_of_best'] for row in rows):.3f}",
                f"{fmean(row['after_of_best'] for row in rows):.4f}",
                f"{median(row['after_of_best'] for row in rows):.4f}",
                f"{fmean(row['after'][0] for row in rows):.4f}",
                sum(row["after_of_best"] < 0.2 for row in rows),
                _aim(size, fmean(row["after_of_best"] for row in rows)),
                f"{PUBLISHED[size]:g}",
                f"{fmean(row['cpu_seconds'] for row in rows):.1f}",
            )
            for size, rows in groups.items()
        ],
    )


def _aim(size: float, mean: float) -> str:
    return f"{AIMS[size]:g}: {met(mean <= AIMS[size])}"


def _tables(groups: Mapping[float, Sequence[Row]]) -> Iterator[str]:
    for size, rows in groups.items():
        if not rows:
            continue
        means = ("all before, mean", "all after, mean")
        yield f"## {size:g} Å\n\n"
        yield markdown_table(
            ("material", "formula", "atoms", "proposed", "kept", "before", "after", *means, "seconds"),
            [
                (
                    row["material_id"],
                    row["formula"],
                    row["n_atoms"],
                    len(row["before"]),
                    len(row["after"]),
                    f"{row['before_of_best']:.3f}",
                    f"{row['after_of_best']:.5f}",
                    f"{fmean(row['before']):.3f}",
                    f"{fmean(row['after']):.3f}",
                    f"{row['cpu_seconds']:.1f}",
                )
                for row in rows
            ],
        )
        yield "\n"


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
