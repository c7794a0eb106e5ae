"""Divides training sets for CrystalNet by the paper's rule: no two crystals share formula and space group.

    python benchmarks/crystalnet_sets.py --train FILE… --held-out FILE [--out FOLDER]

`--train` are sets that `xtal data build` made of `mp20/train` and `mp52_extra`, `--held-out` one of `mp20/val`. Of the
held-out crystals, 500 cubic and 237 trigonal at random become test.safetensors, as many as the paper has, and 100 of
each other crystal system; the next 250, 241 and 50 become val.safetensors. train.safetensors are the crystals of
`--train` whose formula and space group are not those of one of these, nor of a structure of `mp20/test_200` or
`mp20/test_new_prototypes_100`; of several with the same the first. Which files and how many crystals is written to
sets.json.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from data_sets import ROOT, data_file
from xtal_core.provenance import sha256
from xtal_core.training_set import TrainingSet
from xtal_crystalnet.crystal_systems import SYSTEMS, which_system

#: Crystals of the test and the validation set by system, cubic and trigonal as in Table 3.
TESTS = dict.fromkeys(SYSTEMS, 100) | {"cubic": 500, "trigonal": 237}
VALIDATIONS = dict.fromkeys(SYSTEMS, 50) | {"cubic": 250, "trigonal": 241}

SEED = 3

#: Files whose structures are never learned from.
TEST_FILES = ("mp20/test_200.csv.gz", "mp20/test_new_prototypes_100.csv.gz")

#: A formula as pairs of atomic number and reduced amount, and a space group.
Kind = tuple[tuple[tuple[int, int], ...], int]


def main(arguments: list[str]) -> None:
    """Write the sets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--train", type=Path, nargs="+", required=True, metavar="FILE", help="training sets to learn from")
    add("--held-out", type=Path, required=True, metavar="FILE", help="training set of mp20/val")
    add("--out", type=Path, default=ROOT / ".bench" / "crystalnet_sets", metavar="FOLDER", help="where they go")
    chosen = parser.parse_args(arguments)

    held_out = TrainingSet.load(chosen.held_out)
    test, validation = divided(held_out)
    forbidden = {kind for part in (test, validation) for kind in kinds(part)} | set(kinds_in_tests())
    everything = TrainingSet.join([TrainingSet.load(path) for path in chosen.train])
    train = everything.subset(list(first_of_each(everything, forbidden)))
    chosen.out.mkdir(parents=True, exist_ok=True)
    counts = {}
    for name, part in {"train": train, "val": validation, "test": test}.items():
        part.save(chosen.out / f"{name}.safetensors")
        systems = [which_system(int(number)) for number in part.space_group]
        counts[name] = {system: systems.count(system) for system in sorted(set(systems))}
    files = {path.name: sha256(path) for path in (*chosen.train, chosen.held_out)}
    record = {"files": files, "seed": SEED, "crystals": counts}
    (chosen.out / "sets.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(counts, indent=1))


def divided(held_out: TrainingSet) -> tuple[TrainingSet, TrainingSet]:
    """Return the test and the validation set of the crystals that are held out, in a random order."""
    order = list(first_of_each(held_out, set()))
    np.random.default_rng(SEED).shuffle(order)
    tests: list[int] = []
    validations: list[int] = []
    for system, n in TESTS.items():
        those = [index for index in order if which_system(int(held_out.space_group[index])) == system]
        tests += those[:n]
        validations += those[n : n + VALIDATIONS[system]]
    return held_out.subset(tests), held_out.subset(validations)


def first_of_each(crystals: TrainingSet, forbidden: set[Kind]) -> Iterator[int]:
    """Yield the first crystal of each kind that is not `forbidden`."""
    seen = set(forbidden)
    for index, kind in enumerate(kinds(crystals)):
        if kind not in seen:
            seen.add(kind)
            yield index


def kinds(crystals: TrainingSet) -> Iterator[Kind]:
    """Yield the formula and the space group of every crystal."""
    for index, number in enumerate(crystals.space_group):
        atoms = slice(crystals.atom_offsets[index], crystals.atom_offsets[index + 1])
        yield reduced(crystals.atomic_numbers[atoms]), int(number)


def kinds_in_tests() -> Iterator[Kind]:
    """Yield the formula and the space group of every structure of `TEST_FILES`."""
    from pymatgen.core import Composition, Element

    for name in TEST_FILES:
        with gzip.open(data_file(name), "rt", encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                amounts = Composition(row["pretty_formula"]).get_el_amt_dict()
                numbers = [Element(symbol).Z for symbol, amount in amounts.items() for _ in range(round(amount))]
                yield reduced(numbers), int(row["spacegroup.number"])


def reduced(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return the formula of atoms with atomic `numbers`."""
    elements, amounts = np.unique(np.fromiter(numbers, int), return_counts=True)
    divisor = math.gcd(*amounts.tolist())
    return tuple((int(element), int(amount) // divisor) for element, amount in zip(elements, amounts, strict=True))


if __name__ == "__main__":
    main(sys.argv[1:])
