"""Metrics of structures beside brute force and the packages that people use, in one run on one core.

    python benchmarks/metrics.py [--structures 400] [--repeats 5] [--peers-python FILE] [--out FOLDER]

Structures are drawn at random from `mp20/val`, polymorphs from `mp20/train`. Writes docs/benchmarks/metrics.md and
metrics.json. Matrices of pymatgen's StructureMatcher take minutes.
"""

# ruff: noqa: E402 - numerical libraries decide on their threads when they are imported

from __future__ import annotations

import os

# One core for both sides.
for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import csv
import gzip
import importlib.metadata
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from data_sets import LONGEST_FIELD, data_file
from distance_figures import measure_featurising, measure_matrices, measure_transports, measure_values
from matcher_figures import measure_matrix, measure_verdicts
from peers import Peer, add_peers_option
from result_pages import RESULTS, markdown_table, write_result
from simulator import machine, read_structures
from xtal_core.errors import XtalError
from xtal_core.provenance import sha256

TABLES = {"structures": "mp20/val.csv.gz", "polymorphs": "mp20/train.csv.gz"}

#: Of these formulas with the most entries the polymorphs are taken, at most `POLYMORPHS_EACH` of one.
POLYMORPHS_EACH = 12

PAGE = """\
# Metrics of structures: values and speed

`{command}`

Structures drawn at random from `mp20/val` ({atoms:.1f} atoms in the cell on average), and polymorphs: the entries of
`mp20/train` under the formulas that have the most. Both sides run in turns on one core: {processor}, Python {python},
NumPy {numpy}, SciPy {scipy}, POT {pot}, pymatgen {pymatgen}, average-minimum-distance {peer}. Processor time, the least
of {repeats} repeats of each call; ratios are the median of those of all structures or pairs.

## Pointwise distances

Brute force takes the smallest of all distances in a block of cells that is proven to be large enough, in the cell as it
was before it was sheared. {cells} cells: MP-20's, random ones, and {sheared} of MP-20 multiplied by a random matrix of
determinant 1.

{values}
`average-minimum-distance` deviates by more than 1e-9 Å on {peer_wrong} of these cells.

{distances}
Ours begins with pymatgen's `Structure`, checks it and reduces skewed cells; the peer begins with its `PeriodicSet`, and
everything it compiles is compiled before. The earth mover's distance includes the Chebyshev distances of the rows
({rows:.1f} a structure after merging) on both sides; of {emd_pairs} pairs the values differ from those of `ot.emd2` by
at most {emd_largest:.1e} Å.

All {matrix} × {matrix} pairs, features being made: AMD takes {amd_seconds:.2f} s. PDD within {limit:g} Å takes
{pdd_seconds:.2f} s, because the AMD leaves {transports:.2%} of the pairs to calculate; {within:.2%} are within.

## StructureMatcher

Verdict and RMS displacement beside pymatgen's `get_rms_dist`, of pairs of one composition: without that, no pair can
match. "Same formula" are polymorphs, half of all; "perturbed copies" are strained by up to about 8 % and displaced by
up to about 0.5 Å; "supercells" are doubled and slightly displaced, in either order.

{verdicts}
All pairs in both orders, reduction of the cells included, tolerances 0.2, 0.3, 5° (pymatgen keeps 300 reduced cells):

{matrices}"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--structures", type=int, default=400, help="for speed and pairs (default 400)")
    parser.add_argument("--cells", type=int, default=300, help="compared with brute force (default 300)")
    parser.add_argument("--pairs", type=int, default=2000, help="of each comparison of values (default 2000)")
    parser.add_argument("--matrix", type=int, default=2000, help="structures of the AMD matrix (default 2000)")
    parser.add_argument(
        "--matched", type=int, default=200, help="structures of a StructureMatcher matrix (default 200)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="of each timing (default 5)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    add_peers_option(parser)
    options = parser.parse_args(arguments)
    try:
        paths = {name: data_file(file) for name, file in TABLES.items()}
        with Peer(options.peers_python, "peer_amd.py") as peer:
            record = measure(options, paths, peer)
    except XtalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    command = " ".join(["python", "benchmarks/metrics.py", *shown(sys.argv[1:] if arguments is None else arguments)])
    write_result(options.out, "metrics", page({"command": command} | record), {"command": command} | record)
    return 0


def shown(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without the place of the peers, which is that of one machine."""
    before = ["", *arguments]
    return [
        argument
        for argument, previous in zip(arguments, before, strict=False)
        if not argument.startswith("--peers-python") and previous != "--peers-python"
    ]


def measure(options: argparse.Namespace, paths: dict[str, Path], peer: Peer) -> dict[str, Any]:
    """Return all figures."""
    most = max(options.structures, options.matrix, options.cells // 3)
    structures = read_structures(paths["structures"], most)
    polymorphs = read_polymorphs(paths["polymorphs"], options.matched)
    few = structures[: options.structures]
    versions = {name.lower(): importlib.metadata.version(name) for name in ("scipy", "POT")}
    return {
        "data": {name: {"file": TABLES[name], "sha256": sha256(path)} for name, path in paths.items()},
        "machine": machine() | versions | peer.versions(["average-minimum-distance"]),
        "repeats": options.repeats,
        "atoms_mean": sum(map(len, few)) / len(few),
        "values": measure_values(structures, options.cells, peer),
        "featurising": measure_featurising(few, options.repeats, peer),
        "transport": measure_transports(few, options.pairs, options.repeats),
        "matrices": measure_matrices(structures[: options.matrix], options.repeats),
        "verdicts": measure_verdicts(few, polymorphs, options.pairs),
        "matcher": [
            measure_matrix(structures[: options.matched], "drawn at random"),
            measure_matrix(polymorphs, "polymorphs"),
        ],
    }


def read_polymorphs(path: Path, n: int) -> list[Structure]:
    """Return `n` structures of the table at `path`, of the formulas with the most entries."""
    csv.field_size_limit(LONGEST_FIELD)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [(row["pretty_formula"], row["cif"]) for row in csv.DictReader(file)]
    chosen: list[str] = []
    for formula, _ in Counter(formula for formula, _ in rows).most_common():
        chosen += [cif for other, cif in rows if other == formula][:POLYMORPHS_EACH]
        if len(chosen) >= n:
            break
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [Structure.from_str(cif, fmt="cif") for cif in chosen[:n]]


def page(record: dict[str, Any]) -> str:
    """Return the page that shows `record`."""
    values, transport, matrices = record["values"], record["transport"], record["matrices"]
    return PAGE.format(
        command=record["command"],
        atoms=record["atoms_mean"],
        **{name: record["machine"][name] for name in ("processor", "python", "numpy", "scipy", "pot", "pymatgen")},
        peer=record["machine"]["average-minimum-distance"],
        repeats=record["repeats"],
        cells=values["cells"],
        sheared=values["sheared"],
        values=markdown_table(
            ["", "largest deviation (Å)"],
            [
                ["PDD, xtal", f"{values['pdd_largest']:.1e}"],
                ["AMD, xtal", f"{values['amd_largest']:.1e}"],
                ["AMD, average-minimum-distance", f"{values['peer_amd_largest']:.1e}"],
            ],
        ),
        peer_wrong=values["peer_amd_above_1e-9"],
        distances=markdown_table(
            ["", "beside", "µs", "µs of the other", "times as fast"],
            [
                [
                    row["what"],
                    row["peer"],
                    f"{row['microseconds']:.0f}",
                    f"{row['peer_microseconds']:.0f}",
                    f"{row['ratio']:.2f}",
                ]
                for row in [*record["featurising"], transport]
            ],
        ),
        rows=transport["rows_mean"],
        emd_pairs=transport["pairs"],
        emd_largest=transport["largest"],
        matrix=matrices["structures"],
        amd_seconds=matrices["amd_seconds"],
        limit=matrices["limit"],
        pdd_seconds=matrices["pdd_within_seconds"],
        transports=matrices["transports_share"],
        within=matrices["within_share"],
        verdicts=markdown_table(
            ["pairs", "ltol, stol, angle_tol", "number", "match", "other verdict", "largest difference"],
            [
                [
                    row["pairs"],
                    row["tolerances"],
                    row["number"],
                    row["matches"],
                    row["other_verdicts"],
                    f"{row['largest']:.0e}" if row["largest"] else "0",
                ]
                for row in record["verdicts"]
            ],
        ),
        matrices=markdown_table(
            ["structures", "number", "formulas", "s", "s of pymatgen", "times as fast", "largest difference"],
            [
                [
                    row["structures"],
                    row["number"],
                    row["formulas"],
                    f"{row['seconds']:.1f}",
                    f"{row['pymatgen_seconds']:.1f}",
                    f"{row['ratio']:.1f}",
                    "a verdict" if row["largest"] is None else f"{row['largest']:.0e}" if row["largest"] else "0",
                ]
                for row in record["matcher"]
            ],
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
