"""Solves measured powder patterns from their raw files and compares the ranked candidates with published structures.

    python benchmarks/solve_measured.py [--set xred|rruff|nano] [--new] [--library train|known|table|FILE] [--limit N]

The solver is told the formula and that the radiation is Cu Kα, nothing else: not the cell, not what it contains. The
published structures are looked at when all candidates are ranked and written. With --new, what the library holds of the
formula itself is not used. Writes docs/benchmarks/solve_SET.md, or solve_SET_new.md.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from case_runs import Case, Outcome
from data_sets import data_file
from result_pages import markdown_table, time_text
from solution_run import SolutionRun, add_run_options, making_text, publish, run_benchmark, run_cases, searched
from xtal_core.errors import InputError, StructureError
from xtal_core.provenance import sha256
from xtal_core.readers import read_structure

if TYPE_CHECKING:
    from pymatgen.core import Lattice, Structure

WAVELENGTH = "CuKa"

#: StructureMatcher's tolerances of length, site and angle: those of CDVAE and DiffCSP, and those of PXRDNet's code.
TOLERANCES = {"match": (0.3, 0.5, 10.0), "strict": (0.2, 0.3, 5.0)}

SETS = {
    "xred": "Laboratory patterns of XRED (Cao et al.), with the published structures",
    "rruff": "Minerals of RRUFF (Lafuente et al. 2015), with the Materials Project's structures: calculated cells, "
    "1–3 % off in length, and ideal compositions",
    "nano": "IrO2 nanoparticles of deCIFer's experimental set; no structure comes with them. They are of rutile type, "
    "with which the candidates are compared (P4₂/mnm, a = 4.50 Å, c = 3.15 Å, O at x = 0.31)",
}

#: True structures that the project wants to see first, of how many, by set and whether they are as if new.
AIMS = {("xred", False): 11, ("xred", True): 8, ("rruff", False): 24, ("rruff", True): 16}

#: Lattices are looked for with tolerances of length (relatively) and angle (degrees).
LATTICE_TOLERANCES = (0.03, 3.0)

#: Samples whose lattice parameters are to agree with the published ones, and how well.
ACCURATE, ACCURACY = ("Al2O3", "PbSO4", "Zr"), 0.002

#: A first sketch of the search, with a library of mp20/train and mp52_extra: patterns, first, in three, in ten.
SKETCH = {"xred": (12, 7, 9, 10), "rruff": (27, 18, 21, 25)}


EXPLANATION = """\
Told to the solver: the raw file, the formula, and Cu Kα (α1 and α2). Not told: the cell, its content (Z), the space
group, the crystallite size. The rank is that of the first candidate that pymatgen's StructureMatcher calls the
published structure, with tolerances 0.3, 0.5 and 10° (match) or 0.2, 0.3 and 5° (strict), looked up after ranking; –
where none of the candidates is. Rwp is the conventional factor, background included; the size is 2π over the integral
breadth of the peaks, the instrument's part included.

"""


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
    parser.add_argument("--new", action="store_true", help="use no library entry of the formula, as if it were new")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    index = data_file("experimental/index.csv")
    samples = read_samples(index, chosen.set)[: chosen.limit]
    cases = [Case(sample.name, sample.pattern, WAVELENGTH, sample.formula) for sample in samples]
    basis = {"index": sha256(index), "new": chosen.new}
    name = f"solve_{chosen.set}{'_new' if chosen.new else ''}"
    run = run_cases(name, cases, basis, chosen, arguments, {"same_formula": not chosen.new})

    rows = [sample_row(sample, run) for sample in samples]
    record = {
        "set": chosen.set,
        "new": chosen.new,
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
        "lattice": None if truth is None or ranks is None else lattice_record(truth, files, ranks["match"]),
        "seconds": outcome.seconds,
        "cpu_seconds": outcome.cpu_seconds,
    }


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
    candidate = None if rank is None else _read_candidate(files[rank - 1])
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
    new = ", compounds as if new" if record["new"] else ""
    yield f"# {name}: measured patterns{new}, {searched(record['making'])}\n\n{SETS[name]}.\n\n"
    if record["new"]:
        yield "What the library holds of the formula itself is not used; the structure types that come with the "
        yield "package still are.\n\n"
    yield EXPLANATION
    yield _sample_table(record["rows"])
    if record["totals"]["match"]["n"]:
        yield "\n## True structure found\n\n"
        yield _total_table(record)
    lattices = [row for row in record["rows"] if row["lattice"] is not None]
    if name == "xred" and lattices:
        yield "\n## Lattice parameters\n\n"
        yield _lattice_table(lattices)
    if record["failures"]:
        yield "\n## Failures\n\n"
        yield "".join(f"- {sample}: {reason}\n" for sample, reason in record["failures"].items())
    yield "\n## Time\n\n"
    yield time_text(record["times"])
    yield "\n## How it was made\n\n"
    yield making_text(record["making"])


def _sample_table(rows: Sequence[Mapping[str, Any]]) -> str:
    headers = ("material", "formula", "points", "true space group", "first candidate", "its cell", "R²wp", "Rwp")
    return markdown_table(
        (*headers, "size (Å)", "verdict", "probability", "rank (match)", "rank (strict)", "seconds"),
        [
            (
                row["name"],
                row["formula"],
                row["points"],
                _group(row["space_group"]),
                _group(row["first"] and row["first"]["space_group"]),
                row["first"] and f"{row['first']['z']:g} {row['first']['formula']}",
                row["first"] and f"{row['first']['r2wp']:.4f}",
                _number(row["first"] and row["first"]["rwp"], ".1%"),
                _number(row["first"] and row["first"]["size"], ".0f"),
                row["verdict"] and row["verdict"]["word"],
                _number(row["verdict"] and row["verdict"]["probability"], ".2f"),
                *("" if row["ranks"] is None else row["ranks"][kind] or "–" for kind in TOLERANCES),
                f"{row['seconds']:.1f}",
            )
            for row in rows
        ],
    )


def _lattice_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the lattice parameters of the matching candidates beside the published ones."""
    table = markdown_table(
        ("material", "published (Å, °)", "refined", "largest difference of a length", "aim"),
        [
            (
                row["name"],
                " ".join(f"{value:g}" for value in row["lattice"]["published"]),
                " ".join(f"{value:.4f}" for value in row["lattice"]["refined"]),
                f"{row['lattice']['deviation']:.3%}",
                f"{ACCURACY:.1%}" if row["name"] in ACCURATE else None,
            )
            for row in rows
        ],
    )
    return "Of the first candidate that matches, in the published setting.\n\n" + table


def _total_table(record: Mapping[str, Any]) -> str:
    rows: list[Sequence[object]] = [(kind, *total.values()) for kind, total in record["totals"].items()]
    if record["set"] in SKETCH and not record["new"]:
        rows.append(("a crude first sketch (match), with mp52_extra too", *SKETCH[record["set"]]))
    if (record["set"], record["new"]) in AIMS:
        rows.append(("aim", None, AIMS[record["set"], record["new"]], None, None))
    return markdown_table(("", "patterns", "first", "in three", "in ten"), rows)


def _first_record(first: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table says of the first candidate as result.json has it."""
    taken = {key: first[key] for key in ("space_group", "formula", "z", "r2wp", "origin")}
    return taken | {"rwp": first["agreement"]["rwp"], "size": size_from_widths(first["profile"])}


def size_from_widths(profile: Mapping[str, Any]) -> float | None:
    """Return the volume-weighted mean thickness of the crystallites in Å, from the breadth of peaks constant in Q.

    2π/β for the integral breadth β of the Voigt function (Langford, J. Appl. Cryst. 11, 10 (1978)), or the refined
    size. What the instrument adds is not taken off: a lower limit where peaks are sharp. None where nothing broadens.
    """
    if profile["crystallite_size"] is not None:
        return profile["crystallite_size"]
    gaussian = profile["gaussian_sigma"] * math.sqrt(2 * math.pi)
    lorentzian = profile["lorentzian_hwhm"] * math.pi
    if gaussian == 0:
        return 2 * math.pi / lorentzian if lorentzian > 0 else None
    k = lorentzian / (math.sqrt(math.pi) * gaussian)
    return 2 * math.pi / gaussian * math.exp(k**2) * math.erfc(k)


def _verdict_record(verdict: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if verdict is None else {key: verdict[key] for key in ("word", "probability", "rivals")}


def _number(value: float | None, notation: str) -> str | None:
    return None if value is None else format(value, notation)


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
