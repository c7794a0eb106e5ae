"""Solves measured powder patterns from their raw files and compares the ranked candidates with published structures.

    python benchmarks/solve_measured.py [--set xred|rruff|nano] [--new] [--library train|known|table|FILE] [--limit N]

The solver is told the formula and that the radiation is Cu Kα, nothing else: not the cell, not what it contains. The
published structures are looked at when all candidates are ranked and written; where one is not first, the page says
how far it came. With --new, structures of the formula itself are not used. Unless --library names another, xred is
solved with the library of mp20/train, and all others, and everything --new, with that of mp20/train and mp52_extra.
Writes docs/benchmarks/solve_SET.md, or solve_SET_new.md; the library's name is appended where it is another one.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from case_runs import Case, Outcome, RunFolder
from data_sets import ROOT, data_file
from kept_results import Row, keep_results
from measured_page import SETS, result_page
from missed_structures import Miss, beside_first, followed, listed
from solution_run import SolutionRun, add_run_options, publish, run_benchmark, run_cases
from structure_ranks import TOLERANCES, count_ranks, ranks_of, read_candidate
from xtal_core.errors import InputError
from xtal_core.provenance import sha256
from xtal_core.readers import read_structure
from xtal_core.verdict_calibration import CALIBRATION_FILE

if TYPE_CHECKING:
    from pymatgen.core import Lattice, Structure

WAVELENGTH = "CuKa"

#: Lattices are looked for with tolerances of length (relatively) and angle (degrees).
LATTICE_TOLERANCES = (0.03, 3.0)

#: Å; positions this far from symmetry still have it, where an oxygen position is read off.
SYMMETRY_TOLERANCE = 0.1

#: Space group of rutile.
RUTILE = 136


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
    parser.add_argument("--new", action="store_true", help="use no structure of the formula, as if it were new")
    add_run_options(parser, "train for xred; known for the others and with --new")
    chosen = parser.parse_args(arguments)

    index = data_file("experimental/index.csv")
    samples = read_samples(index, chosen.set)[: chosen.limit]
    cases = [Case(sample.name, sample.pattern, WAVELENGTH, sample.formula) for sample in samples]
    # The page has the verdicts, which follow from the calibration.
    calibration = ROOT / "core" / "xtal_core" / "data" / CALIBRATION_FILE
    basis = {"index": sha256(index), "new": chosen.new, "calibration": sha256(calibration)}
    name = f"solve_{chosen.set}{'_new' if chosen.new else ''}"
    search, library = {"same_formula": not chosen.new}, usual_library(chosen.set, new=chosen.new)
    run = run_cases(name, cases, basis, chosen, arguments, search, library)

    rows = [sample_row(sample, run) for sample in samples]
    record = {
        "set": chosen.set,
        "new": chosen.new,
        "totals": {kind: count_ranks([row["ranks"][kind] for row in rows if row["ranks"]]) for kind in TOLERANCES},
        "times": run.times,
        "making": run.making,
        "failures": run.failures,
        "misses": misses(samples, cases, rows, run, chosen.workers),
        "rows": rows,
    }
    publish(run, "".join(result_page(record)), record, chosen)


def usual_library(set_name: str, *, new: bool) -> str:
    """Return which library a set is solved with unless the command line names another."""
    return "train" if set_name == "xred" and not new else "known"


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
    truth = known_structure(sample)
    files = sorted((run.folder.solutions / sample.name).glob("*.cif"))
    ranks = None if truth is None else ranks_of(truth, files)
    return {
        "name": sample.name,
        "formula": sample.formula,
        "points": _points(outcome),
        "space_group": None if truth is None else space_group(truth),
        "first": None if first is None else _first_record(first),
        "verdict": None if outcome.result is None else _verdict_record(outcome.result["verdict"]),
        "candidates": len(outcome.candidates),
        "ranks": ranks,
        "geometry": geometry(read_candidate(files[0])) if files else None,
        "lattice": None if truth is None or ranks is None else lattice_record(truth, files, ranks["match"]),
        "seconds": outcome.seconds,
        "cpu_seconds": outcome.cpu_seconds,
    }


def misses(
    samples: Sequence[Sample], cases: Sequence[Case], rows: Sequence[Row], run: SolutionRun, workers: int
) -> dict[str, Row]:
    """Return how far each published structure came that is not the first candidate, by the name of the sample."""
    found: dict[str, Row] = {}
    unlisted: dict[str, Miss] = {}
    for sample, case, row in zip(samples, cases, rows, strict=True):
        truth = known_structure(sample)
        if truth is None or row["ranks"]["match"] == 1:
            continue
        rank = row["ranks"]["match"]
        found[sample.name] = {} if rank is None else listed(run.outcomes[sample.name], rank)
        if rank is None:
            unlisted[sample.name] = Miss(case, truth, run.plan)
    folder = RunFolder(run.folder.path / "misses")
    folder.open({})  # within the folder of the run, and made with the same
    for name, row in zip(unlisted, keep_results(followed, unlisted, folder, workers), strict=True):
        found[name] = beside_first(row, run.outcomes[name])
    return found


def known_structure(sample: Sample) -> Structure | None:
    """Return the published structure of `sample`; for IrO2, which comes without, what is known of its type."""
    from pymatgen.core import Lattice, Structure

    if sample.structure is not None:
        return read_structure(sample.structure)
    if sample.formula != "IrO2":
        return None
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.50, 3.15), ["Ir", "O"], [[0, 0, 0], [0.31, 0.31, 0]]
    )


def lattice_record(truth: Structure, files: Sequence[Path], rank: int | None) -> dict[str, Any] | None:
    """Return the lattice parameters of `truth`, and of the candidate of that `rank` in the same setting.

    None without such a candidate, or where none of its cells is like the published one.
    """
    candidate = None if rank is None else read_candidate(files[rank - 1])
    found = None if candidate is None else lattice_like(truth.lattice, candidate.get_primitive_structure().lattice)
    if found is None:
        return None
    return {
        "published": [round(value, 5) for value in truth.lattice.parameters],
        "refined": [round(value, 5) for value in found.parameters],
        "deviation": max(abs(b / a - 1) for a, b in zip(truth.lattice.abc, found.abc, strict=True)),
    }


def lattice_like(published: Lattice, primitive: Lattice) -> Lattice | None:
    """Return the cell of the `primitive` lattice whose parameters are nearest to those of the `published` one."""
    from pymatgen.core import Lattice

    n_cells = round(published.volume / primitive.volume)
    cells = [
        Lattice(basis @ primitive.matrix)
        for _, _, basis in primitive.find_all_mappings(published, *LATTICE_TOLERANCES)
        if round(abs(np.linalg.det(basis))) == n_cells
    ]
    target = np.array(published.parameters)
    return min(cells, key=lambda cell: np.abs(np.array(cell.parameters) / target - 1).max(), default=None)


def space_group(structure: Structure) -> dict[str, Any]:
    """Return symbol and number of a published structure, whose coordinates have three or four decimals."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    analyzer = SpacegroupAnalyzer(structure, symprec=0.05)
    return {"symbol": analyzer.get_space_group_symbol(), "number": analyzer.get_space_group_number()}


def _first_record(first: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table says of the first candidate as result.json has it."""
    taken = {key: first[key] for key in ("space_group", "formula", "z", "r2wp", "origin")}
    size = first["size"] or {"value": None, "uncertainty": None}
    return taken | {"rwp": first["agreement"]["rwp"], "size": size["value"], "size_uncertainty": size["uncertainty"]}


def geometry(structure: Structure | None) -> dict[str, Any] | None:
    """Return the shortest contact (Å) in a candidate, between which elements, and x of oxygen if it is rutile."""
    if structure is None or len(structure) < 2:
        return None
    distances = structure.distance_matrix + np.diag(np.full(len(structure), np.inf))
    pair = np.unravel_index(distances.argmin(), distances.shape)
    elements = sorted(structure[int(index)].specie.symbol for index in pair)
    return {"contact": float(distances.min()), "elements": "–".join(elements), "oxygen_x": oxygen_x(structure)}


def oxygen_x(structure: Structure) -> float | None:
    """Return x of oxygen at (x, x, 0) in a dioxide of rutile type; None for what is not.

    Such an oxygen is √2 a x from the metal atom that is level with it.
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    analyzer = SpacegroupAnalyzer(structure, symprec=SYMMETRY_TOLERANCE)
    cell = analyzer.get_conventional_standard_structure()
    metal = next((site for site in cell if site.specie.symbol != "O"), None)
    if analyzer.get_space_group_number() != RUTILE or metal is None or len(cell) != 6:
        return None
    oxygen = [site for site in cell if site.specie.symbol == "O"]
    level = [site for site in oxygen if abs(metal.frac_coords[2] - site.frac_coords[2]) < 0.1]
    return min(float(metal.distance(site)) for site in level) / (math.sqrt(2) * cell.lattice.a) if level else None


def _verdict_record(verdict: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if verdict is None else {key: verdict[key] for key in ("word", "probability", "rivals")}


def _points(outcome: Outcome) -> int | None:
    return None if outcome.result is None else outcome.result["problem"]["pattern"]["points"]


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
