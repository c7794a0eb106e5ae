"""G(r) beside pdffit2: how close, and how fast, both measured in the same run on one core.

    python benchmarks/pair_distribution.py [--structures 200] [--repeats 5] [--peers-python FILE] [--out FOLDER]

Structures are drawn at random from `mp20/val`. Writes docs/benchmarks/pair_distribution.md and pair_distribution.json.
"""

# ruff: noqa: E402 - numerical libraries decide on their threads when they are imported

from __future__ import annotations

import os

# pdffit2 uses one core.
for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Structure

from data_sets import data_file
from peers import Peer, add_peers_option
from result_pages import RESULTS, markdown_table, write_result
from simulator import machine, read_structures
from xtal_core.displacements import ISOTROPIC, tensor_properties
from xtal_core.errors import XtalError
from xtal_core.pattern import FloatArray
from xtal_core.provenance import sha256
from xtal_pair_distribution.calculation import pair_distributions
from xtal_pair_distribution.conditions import Conditions
from xtal_pair_distribution.diffpy_boundary import to_diffpy
from xtal_pair_distribution.scattering import scattering_strengths

#: Structures for the comparison of values.
COMPARED = 30

#: What a good laboratory or synchrotron instrument gives. delta2 is set for each structure.
INSTRUMENT = Conditions(q_max=25.0, q_damp=0.04, q_broad=0.01, r_max=30.0)

#: Å²: the largest delta2; structures with short distances get less, half of the squared shortest one.
DELTA2 = 2.0


@dataclass(frozen=True)
class Case:
    """A way to calculate G(r): its description, conditions, and what structures are given.

    Attributes
    ----------
    anisotropic
        Whether sites get random tensors, and random occupancies, instead of one displacement for each element.
    own_lengths
        Whether pdffit2 uses its own scattering lengths instead of ours.
    ended_alike
        Whether Q is ended for `xtal`, too, as pdffit2 does it.
    """

    description: str
    conditions: Conditions
    anisotropic: bool = False
    own_lengths: bool = False
    ended_alike: bool = False


NEUTRONS = replace(INSTRUMENT, radiation="neutron")
CASES = (
    Case("X-rays", INSTRUMENT),
    Case("X-rays, tensors and partial occupancies", INSTRUMENT, anisotropic=True),
    Case("neutrons", NEUTRONS),
    Case("X-rays, ended as pdffit2 does", INSTRUMENT, ended_alike=True),
    Case("neutrons, ended as pdffit2 does", NEUTRONS, ended_alike=True),
    Case("X-rays, no end of Q", replace(INSTRUMENT, q_max=None)),
    Case("X-rays, no end of Q, tensors", replace(INSTRUMENT, q_max=None), anisotropic=True),
    Case("neutrons, no end of Q", replace(NEUTRONS, q_max=None)),
    Case("neutrons, pdffit2's own scattering lengths", NEUTRONS, own_lengths=True),
)

PAGE = """\
# Pair distribution functions: agreement with pdffit2, and speed

`{command}`

Structures drawn at random from `mp20/val`; G(r) from {r_min} to {r_max} Å in steps of {r_step} Å. One core:
{processor}, Python {python}, NumPy {numpy}, pymatgen {pymatgen}, diffpy.pdffit2 {pdffit2}.

## Agreement

Rw = √(Σ(G − G′)²/ΣG′²), G′ being pdffit2's, over {compared} structures; no scale is fitted. Q up to {q_max} Å⁻¹,
damping {q_damp} Å⁻¹, broadening {q_broad} Å⁻¹, delta2 {delta2} Å² or half the square of the shortest distance, mean
squared displacements from 0.003 to 0.012 Å² for each element; where said so, tensors with such principal values along
random axes, and occupancies from 0.5 to 1.

{agreement}
Without an end of Q both calculate the same sum of Gaussians; what remains is that pdffit2 cuts them off at five
standard deviations. With one, definitions differ: `xtal` transforms G(r), which is odd, and ends Q exactly where it is
told to; pdffit2 takes G(r) for 0 below r = 0 and six ripples beyond the range, and ends Q at a frequency of its FFT.
"Ended as pdffit2 does" applies that FFT to the G(r) of `xtal`. Scattering lengths of some elements (V, Xe, Sm, Eu, Gd,
Ho, Au) differ between tables; except in the last row, both sides used ours.

## Speed

Median over {n} structures with {atoms:.1f} atoms in the cell on average; X-rays, isotropic displacements, the other
conditions as above. Of pdffit2 only `calc` is timed, of a structure that is already loaded; `xtal` begins with
pymatgen's `Structure`. Processor time, the least of {repeats} repeats, structure by structure on both sides in turns.

{speed}"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--structures", type=int, default=200, help="how many for the speed (default 200)")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement (default 5)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    add_peers_option(parser)
    options = parser.parse_args(arguments)
    try:
        path = data_file("mp20/val.csv.gz")
        structures = read_structures(path, max(options.structures, COMPARED))
        with Peer(options.peers_python, "peer_pdffit2.py") as peer:
            record = {
                "command": command(options),
                "data": {"file": "mp20/val.csv.gz", "sha256": sha256(path)},
                "machine": machine() | {"pdffit2": peer.versions(["diffpy.pdffit2"])["diffpy.pdffit2"]},
                "agreement": [measure_agreement(peer, case, structures[:COMPARED]) for case in CASES],
                "speed": measure_speed(peer, structures[: options.structures], options.repeats),
            }
    except XtalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write_result(options.out, "pair_distribution", page(record), record)
    return 0


def command(options: argparse.Namespace) -> str:
    """Return how to repeat this, without the places of the peers and the results, which are those of one machine."""
    return f"python benchmarks/pair_distribution.py --structures {options.structures} --repeats {options.repeats}"


def displaced(structure: Structure, *, anisotropic: bool, seed: int) -> Structure:
    """Return `structure` with displacements; if `anisotropic` with tensors, and partial occupancies."""
    random = np.random.default_rng(seed)
    if not anisotropic:
        by_element = {element: random.uniform(0.003, 0.012) for element in structure.elements}
        values = [by_element[site.specie] for site in structure]
        return structure.copy(site_properties={ISOTROPIC: values})
    to_cif = np.linalg.inv(structure.lattice.matrix) / np.linalg.norm(np.linalg.inv(structure.lattice.matrix), axis=0)
    rows = []
    for _ in structure:
        axes = np.linalg.qr(random.normal(size=(3, 3)))[0]
        tensor = axes @ np.diag(random.uniform(0.003, 0.012, 3)) @ axes.T
        rows.append(tensor_properties(to_cif.T @ tensor @ to_cif))
    species = [{site.specie: random.uniform(0.5, 1.0)} for site in structure]
    properties = {name: [row[name] for row in rows] for name in rows[0]}
    return Structure(structure.lattice, species, structure.frac_coords, site_properties=properties)


def conditions_for(conditions: Conditions, structure: Structure) -> Conditions:
    """Return `conditions` with a delta2 that leaves the nearest neighbours at least half of their squared width."""
    distances = structure.get_all_neighbors(float(max(structure.lattice.abc)) + 0.1)
    shortest = min(neighbour.nn_distance for neighbours in distances for neighbour in neighbours)
    return replace(conditions, delta2=min(DELTA2, 0.5 * shortest**2))


def ended_as_pdffit2_does(structure: Structure, conditions: Conditions) -> FloatArray:
    """Return G(r) with Q ended by an FFT: of the range and six ripples more, padded with at least as many zeros."""
    assert conditions.q_max is not None
    beyond = 6 * 2 * np.pi / conditions.q_max
    g = pair_distributions([structure], replace(conditions, q_max=None, r_max=conditions.r_max + beyond))[0]
    size = 2 ** int(np.ceil(np.log2(2 * len(g))))
    spectrum = np.fft.rfft(g, size)
    spectrum[int(np.ceil(conditions.q_max * (size - 1) * conditions.r_step / (2 * np.pi))) :] = 0
    return np.fft.irfft(spectrum, size)[: len(conditions.r)]


def prepare(peer: Peer, structure: Structure, conditions: Conditions, *, own_lengths: bool = False) -> None:
    """Load `structure` into pdffit2."""
    if not structure.site_properties:
        structure = structure.copy(site_properties={ISOTROPIC: [conditions.u_iso] * len(structure)})
    atoms = to_diffpy(structure)
    symbols = [atom.element for atom in atoms]
    lengths = (
        {} if own_lengths else dict(zip(symbols, scattering_strengths(symbols, conditions.radiation), strict=True))
    )
    peer.call(
        "prepare",
        structure.lattice.matrix,
        np.array([atom.xyz for atom in atoms]),
        symbols,
        [atom.occupancy for atom in atoms],
        np.array([atom.U for atom in atoms]),
        asdict(conditions),
        lengths,
    )


def rw(calculated: FloatArray, reference: FloatArray) -> float:
    """Return √(Σ(calculated − reference)²/Σreference²)."""
    return float(np.sqrt(np.sum((calculated - reference) ** 2) / np.sum(reference**2)))


def measure_agreement(peer: Peer, case: Case, structures: list[Structure]) -> dict[str, Any]:
    """Return Rw between both sides over `structures`."""
    values = []
    for seed, bare in enumerate(structures):
        structure = displaced(bare, anisotropic=case.anisotropic, seed=seed)
        conditions = conditions_for(case.conditions, structure)
        prepare(peer, structure, conditions, own_lengths=case.own_lengths)
        reference, _ = peer.call("calculate")
        if case.ended_alike:
            calculated = ended_as_pdffit2_does(structure, conditions)
        else:
            calculated = pair_distributions([structure], conditions)[0]
        values.append(rw(calculated, reference))
    return {
        "case": case.description,
        "structures": len(values),
        "median": float(np.median(values)),
        "largest": max(values),
    }


def measure_speed(peer: Peer, structures: list[Structure], repeats: int) -> dict[str, Any]:
    """Return milliseconds of both sides and their ratio, medians over `structures`."""
    pair_distributions(structures[:1], INSTRUMENT)
    rows = []
    for description, each in (("one displacement for all atoms", False), ("a displacement for each element", True)):
        taken = np.empty((len(structures), 2))
        for row, (seed, bare) in zip(taken, enumerate(structures), strict=True):
            structure = displaced(bare, anisotropic=False, seed=seed) if each else bare
            conditions = conditions_for(INSTRUMENT, structure)
            prepare(peer, structure, conditions)
            theirs = peer.repeat("calculate", repeats)[1]
            ours = []
            for _ in range(repeats):
                start = time.process_time()
                pair_distributions([structure], conditions)
                ours.append(time.process_time() - start)
            row[:] = theirs, min(ours)
        ratios = taken[:, 0] / taken[:, 1]
        rows.append(
            {
                "case": description,
                "pdffit2_milliseconds": 1000 * float(np.median(taken[:, 0])),
                "xtal_milliseconds": 1000 * float(np.median(taken[:, 1])),
                "ratio": float(np.median(ratios)),
                "ratio_5th_percentile": float(np.percentile(ratios, 5)),
                "ratio_95th_percentile": float(np.percentile(ratios, 95)),
            }
        )
    atoms = float(np.mean([len(structure) for structure in structures]))
    return {"repeats": repeats, "structures": len(structures), "atoms_mean": atoms, "cases": rows}


def page(record: dict[str, Any]) -> str:
    """Return the page that shows `record`."""
    speed = record["speed"]
    return PAGE.format(
        **record["machine"],
        **asdict(INSTRUMENT) | {"delta2": DELTA2},
        command=record["command"],
        compared=COMPARED,
        agreement=markdown_table(
            ["", "median Rw", "largest Rw"],
            [[row["case"], f"{row['median']:.6f}", f"{row['largest']:.6f}"] for row in record["agreement"]],
        ),
        n=speed["structures"],
        atoms=speed["atoms_mean"],
        repeats=speed["repeats"],
        speed=markdown_table(
            ["", "pdffit2 (ms)", "xtal (ms)", "times faster", "5th to 95th percentile"],
            [
                [
                    row["case"],
                    f"{row['pdffit2_milliseconds']:.1f}",
                    f"{row['xtal_milliseconds']:.2f}",
                    f"{row['ratio']:.1f}",
                    f"{row['ratio_5th_percentile']:.1f}–{row['ratio_95th_percentile']:.1f}",
                ]
                for row in speed["cases"]
            ],
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
