"""Checks the calibration of the verdict on test structures that other benchmarks have solved.

    python benchmarks/check_verdict.py [SET] [--work FOLDER] [--out FOLDER]

Takes the runs of SET (default: test_200) by `solve_simulated.py`, for crystallites of 10 and 100 Å with noise and
without, with the usual library; solves nothing. They must be finished and made by the present program, as the
calibration must be; which are not, the page says. Probabilities are those of the present calibration. Writes
docs/benchmarks/verdict_SET.md, but to the work folder while a run is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from case_runs import RunFolder
from data_sets import ROOT, Material, data_file, read_materials
from judged_solutions import JudgedSolution, judged_solutions, labels_of, unjudged
from logistic import Array, expected_calibration_error, reliability
from result_pages import RESULTS, markdown_table, met, write_result
from solution_run import command_line, run_benchmark, solver_sources
from solve_simulated import run_name
from verdict_sample import CONDITIONS, Nanocrystals
from xtal_core.errors import InputError
from xtal_core.provenance import sha256
from xtal_core.verdict_calibration import Calibration, calibrations

INTRODUCTION = """\
Right means that pymatgen's StructureMatcher (0.3, 0.5, 10°) matches the first candidate and the structure. The verdict
was calibrated on validation structures ([model card](../../core/xtal_core/data/VERDICT_NANOCRYSTALS.md)). Where there
is no candidate, there is no verdict: such solutions count as not right, and not in the calibration error.
"""

#: The expected calibration error may be this large, and this share of those called solved must be right.
LARGEST_ERROR, LEAST_PRECISION = 0.05, 0.97

WORDS = ("solved", "ambiguous", "not solved")


@dataclass(frozen=True, eq=False)
class Run:
    """The solutions of one condition.

    Attributes
    ----------
    condition, command
        What they are of, and what makes them.
    problem
        Why they are not used; None when they are.
    judged, failed
        Those with a candidate, and how many have none.
    """

    condition: str
    command: str
    problem: str | None = None
    judged: Sequence[JudgedSolution] = ()
    failed: int = 0


def main(arguments: list[str]) -> None:
    """Run the check."""
    parser = argparse.ArgumentParser(description="Check the verdict on test structures that were solved before.")
    parser.add_argument("set", nargs="?", default="test_200", help="table of mp20/ (default: test_200)")
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".bench", metavar="FOLDER", help="of the runs (default: .bench)"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the page")
    chosen = parser.parse_args(arguments)

    table = data_file(f"mp20/{chosen.set}.csv.gz")
    materials = read_materials(table)
    made_with = {"materials": sha256(table), "sources": solver_sources()}
    runs = [
        read_run(chosen.set, condition, materials, made_with, chosen.work)
        for condition in CONDITIONS
        if isinstance(condition, Nanocrystals)
    ]
    if all(run.problem for run in runs):
        problem = f"no run of {chosen.set} is there that the present program finished"
        raise InputError(problem, f"run {runs[0].command} first", chosen.work)
    name = f"verdict_{chosen.set}"
    record = check(runs, calibrations().noise_limited) | {"set": chosen.set, "command": command_line(arguments)}
    complete = not any(run.problem for run in runs)
    folder = chosen.out or (RESULTS if complete else chosen.work)
    write_result(folder, name, page := "".join(result_page(record)), record)
    print(f"{page}\nwritten to {folder / name}.md")


def read_run(
    set_name: str, condition: Nanocrystals, materials: Sequence[Material], made_with: Mapping[str, Any], work: Path
) -> Run:
    """Return the run of a condition in the folder `work`, with solutions if all were made as `made_with` says."""
    noise = " --noise" if condition.noise else ""
    command = f"python benchmarks/solve_simulated.py {set_name} --size {condition.size:g}{noise}"
    folder = RunFolder(work / run_name(set_name, condition.size, noise=condition.noise))
    description = folder.path / "run.json"
    if not description.is_file():
        return Run(condition.name, command, "not there")
    earlier = json.loads(description.read_text(encoding="utf-8"))
    changed = [key for key, value in made_with.items() if earlier.get(key) != value]
    if changed:
        return Run(condition.name, f"{command} --fresh", f"made with other {' and '.join(changed)}")
    judged = judged_solutions(materials, folder, condition.name)
    missing = unjudged(materials, folder, judged)
    if missing.waiting:
        return Run(condition.name, command, f"{missing.waiting} of {len(materials)} are not solved yet")
    return Run(condition.name, command, None, judged, missing.failed)


def check(runs: Sequence[Run], calibration: Calibration) -> dict[str, Any]:
    """Return how far probabilities and words are right, for each of the runs that are used, and for all of them."""
    used = [run for run in runs if run.problem is None]
    judged = [one for run in used for one in run.judged]
    probabilities = np.array([calibration.probability(one.features) for one in judged])
    conditions = np.array([one.condition for one in judged])
    labels = labels_of(judged)
    groups = {run.condition: (conditions == run.condition, run.failed) for run in used}
    groups["all"] = np.ones(len(judged), bool), sum(run.failed for run in used)
    return {
        "runs": [{"condition": run.condition, "command": run.command, "problem": run.problem} for run in runs],
        "groups": {
            name: _figures(probabilities[here], labels[here], calibration, failed)
            for name, (here, failed) in groups.items()
        },
        "reliability": [asdict(row) for row in reliability(probabilities, labels)],
        "rivals_held": _rivals_held(judged, probabilities, calibration),
        "rows": [
            {"material_id": one.material_id, "condition": one.condition, "probability": round(float(p), 4)}
            | {"word": calibration.word(float(p)), "right": one.right}
            for one, p in zip(judged, probabilities, strict=True)
        ],
    }


def _figures(probabilities: Array, labels: np.ndarray, calibration: Calibration, failed: int) -> dict[str, Any]:
    """Return the figures of solutions, besides which there are `failed` without a candidate."""
    words = np.array([calibration.word(float(p)) for p in probabilities])
    return {
        "n": len(labels) + failed,
        "failed": failed,
        "right": float(labels.sum()) / (len(labels) + failed),
        "expected_calibration_error": expected_calibration_error(reliability(probabilities, labels)),
        "words": {
            word: {"n": int(here.sum()), "right": float(labels[here].mean()) if here.any() else None}
            for word in WORDS
            for here in [words == word]
        },
    }


def _rivals_held(judged: Sequence[JudgedSolution], probabilities: Array, calibration: Calibration) -> dict[str, int]:
    """Return how many right structures are listed but not first where it is ambiguous, and how many are rivals."""
    distances = [
        one.distance
        for one, p in zip(judged, probabilities, strict=True)
        if calibration.word(float(p)) == "ambiguous" and not one.right and one.distance is not None
    ]
    return {"listed": len(distances), "rivals": sum(d <= calibration.rival_window for d in distances)}


def result_page(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of the page about a check."""
    yield f"# {record['set']}: is the verdict right?\n\n{INTRODUCTION}\n"
    unused = [run for run in record["runs"] if run["problem"]]
    if unused:
        used = len(record["runs"]) - len(unused)
        yield f"**Not complete**: {used} of {len(record['runs'])} runs could be used. Missing:\n\n"
        yield "".join(f"- {run['condition']}: {run['problem']}; run `{run['command']}`\n" for run in unused)
        yield "\n"
    yield markdown_table(("aim", "required", "found", ""), list(_aims(record["groups"]["all"])))
    yield "\n"
    headers = ("run", "solutions", "without a candidate", "right", "calibration error")
    yield markdown_table(
        (*headers, *(f"{word}: {what}" for word in WORDS for what in ("n", "right"))),
        [_group_row(name, group) for name, group in record["groups"].items()],
    )
    held = record["rivals_held"]
    yield f"\nWhere it is ambiguous and the right structure is listed but not first, {held['listed']} times, it is "
    yield f"among the rivals {held['rivals']} times.\n\n## Probabilities of all runs\n\n"
    yield markdown_table(
        ("probability", "solutions", "mean probability", "share right"),
        [
            (f"{r['low']:.1f}–{r['high']:.1f}", r["n"], f"{r['probability']:.3f}", f"{r['share']:.3f}")
            for r in record["reliability"]
        ],
    )
    yield "\n## Solved, but wrong\n\n"
    wrong = [row for row in record["rows"] if row["word"] == "solved" and not row["right"]]
    yield (
        "".join(f"- {row['material_id']}, {row['condition']}: {row['probability']:.3f}\n" for row in wrong) or "None.\n"
    )
    yield f"\nWritten by `{record['command']}`.\n"


def _aims(group: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """Yield what was aimed at over all runs, and whether it was reached."""
    error, solved = group["expected_calibration_error"], group["words"]["solved"]
    yield "expected calibration error", f"at most {LARGEST_ERROR:g}", f"{error:.3f}", met(error <= LARGEST_ERROR)
    share = solved["right"]
    found = "never called so" if share is None else f"{share:.3f} ({solved['n']} solutions)"
    yield (
        "share right of those called solved",
        f"at least {LEAST_PRECISION:g}",
        found,
        met(share is not None and share >= LEAST_PRECISION),
    )


def _group_row(name: str, group: Mapping[str, Any]) -> Sequence[object]:
    words = [
        cell
        for word in WORDS
        for number in [group["words"][word]]
        for cell in (number["n"], None if number["right"] is None else f"{number['right']:.3f}")
    ]
    return (
        name,
        group["n"],
        group["failed"],
        f"{group['right']:.3f}",
        f"{group['expected_calibration_error']:.3f}",
        *words,
    )


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
