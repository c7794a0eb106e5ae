"""Solves measured powder patterns from their raw files and compares the ranked candidates with published structures.

    python benchmarks/solve_measured.py [--set xred|rruff|nano] [--library train|table|FILE] [--limit N]

The solver is told the formula and that the radiation is Cu Kα, nothing else: not the cell, not what it contains. The
published structures are looked at when all candidates are ranked and written. Writes docs/benchmarks/solve_SET.md.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from case_runs import Case, Outcome
from data_sets import data_file
from result_pages import markdown_table, time_text
from solution_run import SolutionRun, add_run_options, making_text, publish, run_benchmark, run_cases, searched
from xtal_core.errors import InputError, StructureError
from xtal_core.provenance import sha256
from xtal_core.readers import read_structure

if TYPE_CHECKING:
    from pymatgen.core import Structure

WAVELENGTH = "CuKa"

#: StructureMatcher's tolerances of length, site and angle: those of CDVAE and DiffCSP, and those of PXRDNet's code.
TOLERANCES = {"match": (0.3, 0.5, 10.0), "strict": (0.2, 0.3, 5.0)}

SETS = {
    "xred": "Laboratory patterns of XRED (Cao et al.), with the published structures",
    "rruff": "Minerals of RRUFF (Lafuente et al. 2015), with the Materials Project's structures: calculated cells, "
    "1–3 % off in length, and ideal compositions",
    "nano": "IrO2 nanoparticles of deCIFer's experimental set; no structure comes with them, they are of rutile type",
}

#: A first sketch of the search, with a library of mp20/train and mp52_extra: patterns, first, in three, in ten.
SKETCH = {"xred": (12, 7, 9, 10), "rruff": (27, 18, 21, 25)}


@dataclass(frozen=True)
class Sample:
    """A measured pattern.

    Attributes
    ----------
    name, formula
        As the index of the measured patterns gives them.
    pattern, structure
        The raw file, and the CIF of the published structure where there is one.
    """

    name: str
    formula: str
    pattern: Path
    structure: Path | None


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description="Solve measured patterns from their raw files and compare with published structures."
    )
    parser.add_argument("--set", choices=SETS, default="xred", help="which measured patterns (default: xred)")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    index = data_file("experimental/index.csv")
    samples = read_samples(index, chosen.set)[: chosen.limit]
    cases = [Case(sample.name, sample.pattern, WAVELENGTH, sample.formula) for sample in samples]
    run = run_cases(f"solve_{chosen.set}", cases, {"index": sha256(index)}, chosen, arguments)

    rows = [sample_row(sample, run) for sample in samples]
    record = {
        "set": chosen.set,
        "totals": {kind: count_ranks([row["ranks"][kind] for row in rows if row["ranks"]]) for kind in TOLERANCES},
        "times": run.times,
        "making": run.making,
        "failures": run.failures,
        "rows": rows,
    }
    publish(run, "".join(result_page(record)), record, chosen)


def read_samples(index: Path, set_name: str) -> list[Sample]:
    """Return the measured patterns of a set. Raises InputError when `index` lists none."""
    with index.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["pattern"].startswith(f"{set_name}/")]
    if not rows:
        raise InputError(f"lists no pattern of {set_name}", f"choose from {', '.join(SETS)}", index)
    return [
        Sample(
            name=Path(row["pattern"]).stem,
            formula=row["formula"],
            pattern=index.parent / row["pattern"],
            structure=index.parent / row["structure"] if row["structure"] else None,
        )
        for row in rows
    ]


def sample_row(sample: Sample, run: SolutionRun) -> dict[str, Any]:
    """Return what the table says of `sample`; here the published structure is read for the first time."""
    outcome = run.outcomes[sample.name]
    first = outcome.candidates[0] if outcome.candidates else None
    truth = None if sample.structure is None else read_structure(sample.structure)
    return {
        "name": sample.name,
        "formula": sample.formula,
        "points": _points(outcome),
        "space_group": None if truth is None else space_group(truth),
        "first": None
        if first is None
        else {key: first[key] for key in ("space_group", "formula", "z", "r2wp", "origin")},
        "candidates": len(outcome.candidates),
        "ranks": None if truth is None else ranks_of(truth, sorted((run.folder.solutions / sample.name).glob("*.cif"))),
        "seconds": outcome.seconds,
        "cpu_seconds": outcome.cpu_seconds,
    }


def ranks_of(truth: Structure, candidates: Sequence[Path]) -> dict[str, int | None]:
    """Return the rank of the first of the ranked CIFs that matches `truth`, by each of `TOLERANCES`."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    structures = [(rank, _read_candidate(path)) for rank, path in enumerate(candidates, start=1)]
    readable = [(rank, structure) for rank, structure in structures if structure is not None]
    reference = _without_charges(truth)
    ranks: dict[str, int | None] = {}
    for name, (ltol, stol, angle_tol) in TOLERANCES.items():
        matcher = StructureMatcher(ltol=ltol, stol=stol, angle_tol=angle_tol)
        ranks[name] = next((rank for rank, structure in readable if matcher.fit(reference, structure)), None)
    return ranks


def count_ranks(ranks: Sequence[int | None]) -> dict[str, int]:
    """Return how many true structures are first, among the first three and among the first ten."""
    found = [rank for rank in ranks if rank is not None]
    return {"n": len(ranks)} | {
        name: sum(rank <= limit for rank in found) for name, limit in (("first", 1), ("in three", 3), ("in ten", 10))
    }


def space_group(structure: Structure) -> dict[str, Any]:
    """Return symbol and number of a published structure, whose coordinates have three or four decimals."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    analyzer = SpacegroupAnalyzer(structure, symprec=0.05)
    return {"symbol": analyzer.get_space_group_symbol(), "number": analyzer.get_space_group_number()}


def result_page(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of the page about a result."""
    name = record["set"]
    yield f"# {name}: measured patterns, {searched(record['making'])}\n\n{SETS[name]}.\n\n"
    yield "Told to the solver: the raw file, the formula, and Cu Kα (α1 and α2). Not told: the cell, its content (Z), "
    yield "the space group, the crystallite size. The rank is that of the first candidate that pymatgen's "
    yield "StructureMatcher calls the published structure, with tolerances 0.3, 0.5 and 10° (match) or 0.2, 0.3 and 5° "
    yield "(strict), looked up after ranking; – where none of the candidates is.\n\n"
    yield _sample_table(record["rows"])
    if record["totals"]["match"]["n"]:
        yield "\n## True structure found\n\n"
        yield _total_table(record)
    if record["failures"]:
        yield "\n## Failures\n\n"
        yield "".join(f"- {sample}: {reason}\n" for sample, reason in record["failures"].items())
    yield "\n## Time\n\n"
    yield time_text(record["times"])
    yield "\n## How it was made\n\n"
    yield making_text(record["making"])


def _sample_table(rows: Sequence[Mapping[str, Any]]) -> str:
    headers = ("material", "formula", "points", "true space group", "first candidate", "its cell", "R²wp")
    return markdown_table(
        (*headers, "rank (match)", "rank (strict)", "seconds"),
        [
            (
                row["name"],
                row["formula"],
                row["points"],
                _group(row["space_group"]),
                _group(row["first"] and row["first"]["space_group"]),
                row["first"] and f"{row['first']['z']:g} {row['first']['formula']}",
                row["first"] and f"{row['first']['r2wp']:.4f}",
                *("" if row["ranks"] is None else row["ranks"][kind] or "–" for kind in TOLERANCES),
                f"{row['seconds']:.1f}",
            )
            for row in rows
        ],
    )


def _total_table(record: Mapping[str, Any]) -> str:
    rows = [(kind, *total.values()) for kind, total in record["totals"].items()]
    if record["set"] in SKETCH:
        rows.append(("a crude first sketch (match), with mp52_extra too", *SKETCH[record["set"]]))
    return markdown_table(("", "patterns", "first", "in three", "in ten"), rows)


def _points(outcome: Outcome) -> int | None:
    return None if outcome.result is None else outcome.result["problem"]["pattern"]["points"]


def _group(group: Mapping[str, Any] | None) -> str:
    return "" if group is None else f"{group['symbol']} ({group['number']})"


def _read_candidate(path: Path) -> Structure | None:
    """Return the structure in a candidate's file; None when the reader refuses it, which counts as no match."""
    try:
        return read_structure(path)
    except StructureError:
        return None


def _without_charges(structure: Structure) -> Structure:
    """Return `structure` with elements instead of ions, which StructureMatcher would tell apart."""
    neutral = structure.copy()
    neutral.remove_oxidation_states()
    return neutral


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
