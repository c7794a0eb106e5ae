"""Checks the calibration of the verdict on test structures that other benchmarks have solved.

    python benchmarks/check_verdict.py [SET] [--work FOLDER] [--out FOLDER]

Takes all runs of SET (default: test_200) by `solve_simulated.py` that the work folder holds; solves nothing.
Probabilities are those of the present calibration. Writes docs/benchmarks/verdict_SET.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from case_runs import RunFolder
from data_sets import ROOT, data_file, read_materials
from judged_solutions import JudgedSolution, judged_solutions, labels_of
from logistic import Array, expected_calibration_error, reliability
from result_pages import RESULTS, markdown_table, write_result
from solution_run import command_line, run_benchmark
from xtal_core.errors import InputError
from xtal_core.verdict_calibration import Calibration, calibrations

INTRODUCTION = """\
Right means that pymatgen's StructureMatcher (0.3, 0.5, 10°) matches the first candidate and the structure. The verdict
was calibrated on validation structures ([model card](../../core/xtal_core/data/VERDICT_MODEL_CARD.md)). Solutions
without a candidate have none.
"""

WORDS = ("solved", "ambiguous", "not solved")


def main(arguments: list[str]) -> None:
    """Run the check."""
    parser = argparse.ArgumentParser(description="Check the verdict on test structures that were solved before.")
    parser.add_argument("set", nargs="?", default="test_200", help="table of mp20/ (default: test_200)")
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".bench", metavar="FOLDER", help="of the runs (default: .bench)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="for the page")
    chosen = parser.parse_args(arguments)

    materials = read_materials(data_file(f"mp20/{chosen.set}.csv.gz"))
    folders = sorted(path for path in chosen.work.glob(f"solve_{chosen.set}_*") if (path / "run.json").is_file())
    judged = [
        one
        for path in folders
        for one in judged_solutions(materials, RunFolder(path), path.name.removeprefix(f"solve_{chosen.set}_"))
    ]
    if not judged:
        raise InputError(f"no run of {chosen.set} is there", "run solve_simulated.py first", chosen.work)
    record = check(judged, calibrations().noise_limited) | {"set": chosen.set, "command": command_line(arguments)}
    write_result(chosen.out, f"verdict_{chosen.set}", page := "".join(result_page(record)), record)
    print(page)


def check(judged: Sequence[JudgedSolution], calibration: Calibration) -> dict[str, Any]:
    """Return how far probabilities and words are right, for each condition and for all."""
    probabilities = np.array([calibration.probability(one.features) for one in judged])
    conditions = np.array([one.condition for one in judged])
    everything = np.ones(len(judged), bool)
    groups = {name: conditions == name for name in dict.fromkeys(conditions.tolist())} | {"all": everything}
    labels = labels_of(judged)
    return {
        "groups": {
            name: _figures(probabilities[here], labels[here], calibration) | {"n": int(here.sum())}
            for name, here in groups.items()
        },
        "reliability": [asdict(row) for row in reliability(probabilities, labels)],
        "rivals_held": _rivals_held(judged, probabilities, calibration),
        "rows": [
            {"material_id": one.material_id, "condition": one.condition, "probability": round(float(p), 4)}
            | {"word": calibration.word(float(p)), "right": one.right}
            for one, p in zip(judged, probabilities, strict=True)
        ],
    }


def _figures(probabilities: Array, labels: np.ndarray, calibration: Calibration) -> dict[str, Any]:
    words = np.array([calibration.word(float(p)) for p in probabilities])
    return {
        "right": float(labels.mean()),
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
    headers = ("run", "solutions", "right", "calibration error")
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


def _group_row(name: str, group: Mapping[str, Any]) -> Sequence[object]:
    words = [
        cell
        for word in WORDS
        for number in [group["words"][word]]
        for cell in (number["n"], None if number["right"] is None else f"{number['right']:.3f}")
    ]
    return (name, group["n"], f"{group['right']:.3f}", f"{group['expected_calibration_error']:.3f}", *words)


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
