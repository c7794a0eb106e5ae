"""Pairs of G(r) that are morphed onto each other: structures changed in a known way, and others."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from pymatgen.core import Structure

from data_sets import Material
from xtal_pair_distribution.calculation import pair_distributions
from xtal_pair_distribution.conditions import Conditions
from xtal_pair_distribution.crystal import Crystal
from xtal_pair_distribution.pair_distribution import PairDistribution

#: G(r) as a synchrotron gives it. It is longer than what is compared: stretching and smearing need more.
CONDITIONS = Conditions(q_max=25.0, q_damp=0.03, r_max=34.0)
WINDOW = (1.0, 30.0)

STRAINED, WARMER, DISTORTED, OTHER = "strained", "strained and warmer", "strained and distorted", "another compound"

#: Pairs of which one side is the other one changed, and pairs of which some have nothing in common.
RELATED, MIXED = (STRAINED, WARMER, DISTORTED), (WARMER, DISTORTED, OTHER)


class Pair(NamedTuple):
    """What kind of pair it is, the side that is morphed, its number density in Å⁻³, and the target."""

    kind: str
    source: PairDistribution
    density: float
    target: PairDistribution


def read_pairs(materials: list[Material], n: int, kinds: Sequence[str]) -> list[Pair]:
    """Return `n` pairs, of each of `kinds` in turn, the same ones every time."""
    random = np.random.default_rng(0)
    chosen = random.choice(len(materials), n + 1, replace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structures = [Structure.from_str(materials[i].cif, fmt="cif") for i in chosen]
    pairs = []
    for number, structure in enumerate(structures[:n]):
        kind = kinds[number % len(kinds)]
        conditions, other = CONDITIONS, structure.copy()
        if kind == OTHER:
            other = structures[number + 1]
        else:
            other.scale_lattice(structure.volume * (1 + random.uniform(-0.03, 0.03)) ** 3)
        if kind == WARMER:
            conditions = replace(CONDITIONS, u_iso=random.uniform(0.005, 0.02))
        if kind == DISTORTED:
            other.perturb(0.15, seed=number)
        crystal = Crystal.from_structure(structure, CONDITIONS.u_iso)
        sides = _distribution(structure, CONDITIONS), _distribution(other, conditions)
        pairs.append(Pair(kind, sides[0], crystal.number_density, sides[1]))
    return pairs


def _distribution(structure: Structure, conditions: Conditions) -> PairDistribution:
    return PairDistribution(conditions.r, pair_distributions([structure], conditions)[0])
