"""Measurements of PDD and AMD beside brute force, POT's public function and average-minimum-distance."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import ot
from pymatgen.core import Structure
from scipy.spatial.distance import cdist

from peers import Peer
from xtal_core.pattern import FloatArray
from xtal_pointwise_distance.amd import AMDMetric
from xtal_pointwise_distance.pdd import PDDMetric, PointwiseDistances
from xtal_pointwise_distance.plugin import AMDOptions, PDDOptions

#: Nearest neighbours, as in all published values.
K = 100

#: Å: pairs that clusters need, those called the same structure.
LIMIT = PDDOptions().same_below


def sheared(structure: Structure, random: np.random.Generator) -> Structure:
    """Return the same crystal in a cell multiplied by a random matrix of whole numbers and determinant 1."""
    matrix = np.eye(3, dtype=int)
    for _ in range(4):
        row, column = random.permutation(3)[:2]
        step = np.eye(3, dtype=int)
        step[row, column] = random.integers(-4, 5)
        matrix = step @ matrix
    cell = Structure(
        matrix @ structure.lattice.matrix, structure.species, structure.frac_coords @ np.linalg.inv(matrix)
    )
    # Wrapped without being reduced: what a file might hold.
    return Structure(cell.lattice, cell.species, cell.frac_coords % 1)


def random_cell(random: np.random.Generator) -> Structure:
    """Return 1 to 12 atoms anywhere in a triclinic cell with edges of 2 to 15 Å."""
    n_atoms = int(random.integers(1, 13))
    lattice = np.diag(random.uniform(2, 15, 3)) + random.normal(0, 0.8, (3, 3))
    return Structure(lattice, ["H"] * n_atoms, random.random((n_atoms, 3)))


def brute_force(structure: Structure) -> FloatArray:
    """Return (n_atoms, K) Å: the smallest distances from each atom to all images in a block that is large enough.

    All images within R of an atom are among those translated from the nearest ones by at most R over the distance of
    the planes, and one more, along each edge. R is raised until all K distances are within it.
    """
    matrix, fractional = structure.lattice.matrix, structure.frac_coords
    spacings = 1 / np.linalg.norm(np.linalg.inv(matrix), axis=0)
    radius = 1.3 * (3 * abs(np.linalg.det(matrix)) * K / (4 * np.pi * len(structure))) ** (1 / 3)
    while True:
        reach = np.ceil(radius / spacings).astype(int) + 1
        shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
        rows = []
        for point in fractional:
            vectors = fractional - point
            vectors = ((vectors - np.round(vectors))[:, None] + shifts).reshape(-1, 3) @ matrix
            rows.append(np.sort(np.linalg.norm(vectors, axis=1))[1 : K + 1])
        if max(row[-1] for row in rows) <= radius:
            return np.array(rows)
        radius *= 1.3


def measure_values(structures: Sequence[Structure], n: int, peer: Peer) -> dict[str, Any]:
    """Return deviations from brute force on `n` cells, a third each MP-20's, random ones and sheared MP-20's."""
    random = np.random.default_rng(1)
    third = n // 3
    originals = [*structures[:third], *(random_cell(random) for _ in range(n - 2 * third)), *structures[:third]]
    cells = [*originals[: n - third], *(sheared(structure, random) for structure in originals[n - third :])]
    # Brute force works in the cells that are not sheared, lest it err where it matters; the atoms' order is the same.
    expected = [brute_force(structure) for structure in originals]
    pdd = PDDMetric(PDDOptions(k=K, collapse=None)).featurise(cells)
    amd = AMDMetric(AMDOptions(k=K)).featurise(cells)
    peer.call("take", [(cell.cart_coords, cell.lattice.matrix) for cell in cells], K)
    theirs, _ = peer.call("results", "AMD", K)
    averages = [rows.mean(axis=0) for rows in expected]

    def largest(found: Sequence[FloatArray], wanted: Sequence[FloatArray]) -> list[float]:
        return [float(np.abs(one - other).max()) for one, other in zip(found, wanted, strict=True)]

    of_peer = largest(theirs, averages)
    return {
        "cells": n,
        "sheared": third,
        "pdd_largest": max(largest([feature.parts[0].distances for feature in pdd], expected)),
        "amd_largest": max(largest([feature.distances[0] for feature in amd], averages)),
        "peer_amd_largest": max(of_peer),
        "peer_amd_above_1e-9": sum(value > 1e-9 for value in of_peer),
    }


def measure_featurising(structures: Sequence[Structure], repeats: int, peer: Peer) -> list[dict[str, Any]]:
    """Return the processor time of AMD and PDD of each structure on both sides, which take turns."""
    peer.call("take", [(structure.cart_coords, structure.lattice.matrix) for structure in structures], K)
    rows = []
    for name, metric in (("AMD", AMDMetric(AMDOptions(k=K))), ("PDD", PDDMetric(PDDOptions(k=K)))):
        ours, theirs = [], []
        for _ in range(repeats):
            # New structures, because pymatgen's remember what was calculated of them.
            fresh = [Structure(one.lattice.matrix, one.species, one.frac_coords) for one in structures]
            ours.append([_seconds(lambda metric=metric, one=one: metric.featurise([one])) for one in fresh])
            theirs.append(peer.call("processor_times", name, K)[0])
        mine, other = np.min(ours, axis=0), np.min(theirs, axis=0)
        rows.append(_compared(f"{name}({K}) of a structure", "average-minimum-distance", mine, other))
    return rows


def measure_transports(structures: Sequence[Structure], n: int, repeats: int) -> dict[str, Any]:
    """Return agreement and processor time of the earth mover's distance of `n` pairs beside `ot.emd2`, with costs."""
    metric = PDDMetric(PDDOptions(k=K))
    features = metric.featurise(structures)
    pairs = np.random.default_rng(2).integers(0, len(features), (n, 2))

    def plain(one: PointwiseDistances, other: PointwiseDistances) -> float:
        a, b = one.parts[0], other.parts[0]
        value: Any = ot.emd2(a.weights, b.weights, cdist(a.distances, b.distances, "chebyshev"))
        return float(value)

    ours, theirs, deviations = [], [], []
    for _ in range(repeats):
        ours.append([_seconds(lambda i=i, j=j: metric.compare([features[i]], [features[j]])) for i, j in pairs])
        theirs.append([_seconds(lambda i=i, j=j: plain(features[i], features[j])) for i, j in pairs])
    for i, j in pairs:
        deviations.append(abs(metric.compare([features[i]], [features[j]])[0, 0] - plain(features[i], features[j])))
    figures = _compared("EMD of a pair", "ot.emd2", np.min(ours, axis=0), np.min(theirs, axis=0))
    sizes = [len(feature.parts[0].weights) for feature in features]
    return figures | {"pairs": n, "largest": float(max(deviations)), "rows_mean": float(np.mean(sizes))}


def measure_matrices(structures: Sequence[Structure], repeats: int) -> dict[str, Any]:
    """Return seconds for all pairs of `structures`, features being made: AMD, and PDD within the limit."""
    amd, pdd = AMDMetric(AMDOptions(k=K)), PDDMetric(PDDOptions(k=K))
    averages, distributions = amd.featurise(structures), pdd.featurise(structures)
    within = pdd.compare_within(distributions, distributions, LIMIT)
    return {
        "structures": len(structures),
        "amd_seconds": min(_seconds(lambda: amd.compare(averages, averages)) for _ in range(repeats)),
        "pdd_within_seconds": _seconds(lambda: pdd.compare_within(distributions, distributions, LIMIT)),
        "limit": LIMIT,
        "transports_share": float(np.isfinite(within).mean()),
        "within_share": float((within <= LIMIT).mean()),
    }


def _compared(what: str, peer: str, ours: FloatArray, theirs: FloatArray) -> dict[str, Any]:
    """Return both sides' median times in µs, and the median of their ratios."""
    return {
        "what": what,
        "peer": peer,
        "structures": len(ours),
        "microseconds": 1e6 * float(np.median(ours)),
        "peer_microseconds": 1e6 * float(np.median(theirs)),
        "ratio": float(np.median(theirs / ours)),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
