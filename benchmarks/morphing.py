"""Morphing of pair distribution functions: speed and agreement with diffpy.morph, and measured G(r) recognised.

    python benchmarks/morphing.py [--pairs 30] [--out FOLDER] [--peers-python PYTHON]

Structures are drawn at random from `mp20/val`; measured data are `experimental/pdf`. diffpy.morph runs in the peers'
environment (see peers.py). Writes docs/benchmarks/morphing.md and morphing.json.
"""

# ruff: noqa: E402 - numerical libraries decide on their threads when they are imported

from __future__ import annotations

import os

for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_sets import data_file, read_materials
from measured_pdf import LARGER_STRETCH, SAMPLES, rank_measured
from morphing_pairs import CONDITIONS, MIXED, RELATED, WINDOW, Pair, read_pairs
from peers import Peer, add_peers_option
from result_pages import RESULTS, markdown_table, write_result
from simulator import machine
from xtal_core.errors import XtalError
from xtal_core.pattern import FloatArray
from xtal_core.provenance import sha256
from xtal_pair_distribution.morph_fit import Morphable, Target, fit_morph
from xtal_pair_distribution.morphing import Morph, MorphLimits, MorphSource, morphed
from xtal_pair_distribution.pair_distribution import PairDistribution
from xtal_pair_distribution.plugin import STRETCH_ONTO_MEASUREMENT

#: Wider than those of the metrics; diffpy.morph knows none.
LIMITS = MorphLimits(0.05, 0.5)

#: Agreement that counts as the same Rw.
SAME = 1e-4

#: Values of Rw this close to that of the right structure do not decide between the two.
UNDECIDED = 0.01

PAGE = """\
# Morphing: agreement with diffpy.morph, speed, and measured G(r)

`{command}`

One core: {processor}, Python {python}, NumPy {numpy}, diffpy.morph {diffpy_morph}.

## Agreement

{n} pairs of G(r), of structures drawn at random from `mp20/val`, are compared over {r_min:g}–{r_max:g} Å in steps of
{step:g} Å (Qmax {q_max:g} Å⁻¹): a structure and itself strained by up to 3 %, also with larger displacements, or with
its atoms displaced by 0.15 Å. Both sides refine scale, stretch and smear. diffpy.morph refines the slope of the
baseline, too, which `xtal` takes from the density, and only finds the minimum next to where it starts: it starts twice,
from its usual 1, 0 and 0.05 Å and from the result of `xtal`, and the lower Rw counts.

{related}
**{related_same} of {n} within {tolerance:g}**; the largest difference is {related_largest}.

## From diffpy.morph's own start

Likewise {n} pairs, a third of them of different compounds, which have nothing that could be morphed onto each other;
diffpy.morph starts from 1, 0 and 0.05 Å only.

{agreement}
The two columns "at the morph of" compare what both sides calculate for one and the same morph: the largest difference
of Rw. Of the refinements, {same} of {n} end in the same Rw within {tolerance:g}, {lower} in a lower one by `xtal`,
which scans all stretches before it refines, and {higher} in a lower one by diffpy.morph, {inverted} of these with a
negative scale, which turns G(r) upside down and which `xtal` does not allow. {failed} did not converge in diffpy.morph.

## Speed

Processor time of one refinement each, both sides in turns in one run. `xtal` begins with the two G(r); nothing is
prepared beforehand.

{speed}
The median of the {n} ratios is {ratio:.0f}.

## Measured G(r)

Values between measured G(r) and their own structures, and ten others each: common ones, and those of `mp20/val` of the
same or a related type and of similar size, with default options. These limit stretches of a measurement to
{max_stretch:g}, as the cell of a substance that is to be recognised is known; the last column has the values with a
limit of {larger_stretch:g}, the default between structures.

{measured}
{ranks}

A stretch makes compounds of one type alike whose elements have a similar ratio of electrons, or are alone: this is what
morphing is for when strain or temperature are to be forgiven, and why the limit matters when a substance is to be
recognised. Stretched by up to {larger_stretch:g}, {undecided}. {alike} are ordered on the lattice of
nickel and scatter as it does; no G(r) of X-rays tells them apart, and they are not counted among the ten.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=30, help="how many (default 30)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    add_peers_option(parser)
    options = parser.parse_args(arguments)
    try:
        path = data_file("mp20/val.csv.gz")
        materials = read_materials(path)
        with Peer(options.peers_python, "peer_morphing.py") as peer:
            record = {
                "command": f"python benchmarks/morphing.py --pairs {options.pairs}",
                "data": {"file": "mp20/val.csv.gz", "sha256": sha256(path)},
                "machine": {**machine(), "diffpy_morph": peer.versions(["diffpy.morph"])["diffpy.morph"]},
                "pairs": compare_with_peer(read_pairs(materials, options.pairs, MIXED), peer),
                "related": compare_from_both_starts(read_pairs(materials, options.pairs, RELATED), peer),
            }
        record["measured"] = [row for sample in SAMPLES for row in rank_measured(sample, materials)]
    except XtalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write_result(options.out, "morphing", page(record), record)
    return 0


def compare_from_both_starts(pairs: Sequence[Pair], peer: Peer) -> list[dict[str, Any]]:
    """Return Rw of both sides, the better of the peer's two: from its own start, and from our result."""
    rows = []
    for kind, source, density, other in pairs:
        tables = [np.stack([side.r, side.g], axis=1) for side in (source, other)]
        ours, rw = refine(source, density, other)
        theirs = [
            None if result is None else result["Rw"]
            for result, _ in (
                peer.call("refine", *tables, *WINDOW),
                peer.call("refine", *tables, *WINDOW, ours.scale, ours.stretch, ours.smear),
            )
        ]
        known = [value for value in theirs if value is not None]
        morph = {"scale": ours.scale, "stretch": ours.stretch, "smear": ours.smear}
        rows.append({"kind": kind, "rw": rw, "morph": morph, "peer_rws": theirs, "peer_rw": min(known, default=None)})
    return rows


def compare_with_peer(pairs: Sequence[Pair], peer: Peer) -> list[dict[str, Any]]:
    """Return Rw and times of both sides, pair by pair, both sides in turns."""
    refine(*pairs[0][1:])  # the first call of FFTs and linear algebra takes longer
    rows = []
    for kind, source, density, other in pairs:
        tables = [np.stack([side.r, side.g], axis=1) for side in (source, other)]
        theirs, their_seconds = peer.call("refine", *tables, *WINDOW)
        target = target_of(other)
        start = time.process_time()
        ours, rw = refine(source, density, other)
        our_seconds = time.process_time() - start
        slope = -4 * np.pi * density * ours.scale / (1 + ours.stretch)
        at_ours, _ = peer.call("evaluate", *tables, *WINDOW, ours.scale, ours.stretch, ours.smear, slope)
        rows.append(
            {
                "kind": kind,
                "rw": rw,
                "morph": {"scale": ours.scale, "stretch": ours.stretch, "smear": ours.smear},
                "seconds": our_seconds,
                "peer_rw": None if theirs is None else theirs["Rw"],
                "peer_morph": theirs,
                "peer_seconds": their_seconds,
                "rw_at_peer_morph": None
                if theirs is None
                else rw_of(morphed(source, peer_morph(theirs), target.r), target),
                "peer_rw_at_morph": at_ours["Rw"],
            }
        )
    return rows


def target_of(distribution: PairDistribution) -> Target:
    """Return the part of G(r) that is compared; the last point is excluded, as in diffpy.morph."""
    r, half = distribution.r, distribution.step / 2
    inside = (r > WINDOW[0] - half) & (r < WINDOW[1] - half)
    return Target(r[inside], distribution.g[inside])


def refine(source: PairDistribution, density: float, other: PairDistribution) -> tuple[Morph, float]:
    """Return our morph of `source` onto `other`, and its Rw."""
    target = target_of(other)
    fit = fit_morph(Morphable(MorphSource(source, density, LIMITS), *WINDOW, LIMITS), target)
    return fit.morph, rw_of(fit.morphed, target)


def rw_of(values: FloatArray, target: Target) -> float:
    """Return √(Σ(a − b)²/Σa²), a being the target."""
    return float(np.sqrt(np.sum((values - target.g) ** 2) / target.square))


def peer_morph(result: dict[str, float]) -> Morph:
    """Return a morph as diffpy.morph reports it; the sign of a smear means nothing to it."""
    density = -result["baselineslope"] * (1 + result["stretch"]) / (4 * np.pi * result["scale"])
    return Morph(result["scale"], result["stretch"], abs(result["smear"]), 0.0, density)


def page(record: dict[str, Any]) -> str:
    """Return the page that shows `record`."""
    rows, related, measured = record["pairs"], record["related"], record["measured"]
    differences = {i: row["rw"] - row["peer_rw"] for i, row in enumerate(rows) if row["peer_rw"] is not None}
    peer_lower = [rows[i] for i, difference in differences.items() if difference > SAME]
    taken, peer_taken = (1000 * np.array([row[name] for row in rows]) for name in ("seconds", "peer_seconds"))
    return PAGE.format(
        **record["machine"],
        command=record["command"],
        n=len(rows),
        r_min=WINDOW[0],
        r_max=WINDOW[1],
        step=CONDITIONS.r_step,
        q_max=CONDITIONS.q_max,
        agreement=markdown_table(
            [
                "pairs",
                "n",
                "median Rw",
                "at the morph of diffpy",
                "at the morph of xtal",
                "same Rw",
                "xtal lower",
                "diffpy lower",
            ],
            [_agreement([row for row in rows if row["kind"] == kind], kind) for kind in MIXED]
            + [_agreement(rows, "all")],
        ),
        related=markdown_table(
            ["pairs", "n", "median Rw", "same Rw", "xtal lower", "diffpy lower", "largest difference"],
            [_related([row for row in related if row["kind"] == kind], kind) for kind in RELATED],
        ),
        related_same=sum(abs(difference) <= SAME for difference in _differences(related)),
        related_largest=f"{np.abs(_differences(related)).max():.1e}",
        tolerance=SAME,
        same=sum(abs(difference) <= SAME for difference in differences.values()),
        lower=sum(difference < -SAME for difference in differences.values()),
        higher=len(peer_lower),
        inverted=sum(row["peer_morph"]["scale"] < 0 for row in peer_lower),
        failed=len(rows) - len(differences),
        speed=markdown_table(
            ["", "median (ms)", "mean (ms)"],
            [
                ["diffpy.morph", f"{np.median(peer_taken):.0f}", f"{peer_taken.mean():.0f}"],
                ["xtal", f"{np.median(taken):.2f}", f"{taken.mean():.2f}"],
                ["ratio", f"{np.median(peer_taken) / np.median(taken):.0f}", f"{peer_taken.mean() / taken.mean():.0f}"],
            ],
        ),
        ratio=float(np.median(peer_taken / taken)),
        max_stretch=STRETCH_ONTO_MEASUREMENT,
        larger_stretch=LARGER_STRETCH,
        undecided=_undecided(measured),
        measured=markdown_table(
            [
                "measured",
                "compared with",
                "from",
                "pdf-rw",
                "pdf-pcc",
                "stretch",
                "smear (Å)",
                "damping (Å⁻¹)",
                "stretched farther",
            ],
            [
                [
                    row["measured"],
                    f"**{row['structure']}**" if row["kind"] == "own" else row["structure"],
                    row["from"],
                    f"{row['pdf-rw']:.4f}",
                    f"{row['pdf-pcc']:.4f}",
                    f"{row['stretch']:+.4f}",
                    f"{row['smear']:.3f}",
                    f"{row['damping']:.3f}",
                    f"{row['pdf-rw stretching']:.4f}",
                ]
                for row in measured
            ],
        ),
        ranks="\n".join(_rank(sample.name, measured) for sample in SAMPLES),
        alike=" and ".join(row["structure"] for row in measured if row["kind"] == "alike"),
    )


def _rank(name: str, rows: list[dict[str, Any]]) -> str:
    """Return in words how many of the ten wrong structures are closer to the measurement than its own one."""
    own = next(row for row in rows if row["measured"] == name and row["kind"] == "own")
    wrong = [row for row in rows if row["measured"] == name and row["kind"] == "wrong"]
    closer = [sum(row[value] < own[value] for row in wrong) for value in ("pdf-rw", "pdf-pcc", "pdf-rw stretching")]
    return (
        f"{name}: its own structure has Rw {own['pdf-rw']:.3f} and ranks number {closer[0] + 1} by `pdf-rw`, number "
        f"{closer[1] + 1} by `pdf-pcc`, number {closer[2] + 1} by `pdf-rw` when stretched farther, of {len(wrong) + 1}."
    )


def _differences(rows: list[dict[str, Any]]) -> FloatArray:
    """Return (n,): how much higher our Rw is, of the pairs that the peer could refine."""
    return np.array([row["rw"] - row["peer_rw"] for row in rows if row["peer_rw"] is not None])


def _related(rows: list[dict[str, Any]], label: str) -> list[object]:
    """Return one line of the table of related pairs."""
    differences = _differences(rows)
    return [
        label,
        len(rows),
        f"{np.median([row['rw'] for row in rows]):.4f}",
        int((np.abs(differences) <= SAME).sum()),
        int((differences < -SAME).sum()),
        int((differences > SAME).sum()),
        f"{np.abs(differences).max(initial=0.0):.1e}",
    ]


def _undecided(rows: list[dict[str, Any]]) -> str:
    """Return in words which wrong structures a larger stretch makes as good as the measurement's own one."""
    found = []
    for sample in SAMPLES:
        own = next(row for row in rows if row["measured"] == sample.name and row["kind"] == "own")
        limit = own["pdf-rw stretching"] + UNDECIDED
        rivals = [
            row["structure"]
            for row in rows
            if row["measured"] == sample.name and row["kind"] == "wrong" and row["pdf-rw stretching"] <= limit
        ]
        found.append(f"{sample.name} is not told from {' and '.join(rivals) or 'none of the ten'}")
    return ", ".join(found)


def _agreement(rows: list[dict[str, Any]], label: str) -> list[object]:
    """Return one line of the table of agreement."""
    refined = [row for row in rows if row["peer_rw"] is not None]
    differences = np.array([row["rw"] - row["peer_rw"] for row in refined])
    at_peer = np.array([row["rw_at_peer_morph"] - row["peer_rw"] for row in refined])
    at_ours = np.array([row["rw"] - row["peer_rw_at_morph"] for row in rows])
    return [
        label,
        len(rows),
        f"{np.median([row['rw'] for row in rows]):.3f}",
        f"{np.abs(at_peer).max():.1e}",
        f"{np.abs(at_ours).max():.1e}",
        int((np.abs(differences) <= SAME).sum()),
        int((differences < -SAME).sum()),
        int((differences > SAME).sum()),
    ]


if __name__ == "__main__":
    sys.exit(main())
