"""Builds a training set from its sources: in parallel, continued after an interruption, nothing done twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

import xtal_core
from xtal_core.errors import InputError, OptionError
from xtal_core.interfaces import CalculatesSticks
from xtal_core.progress import Progress
from xtal_core.registry import installed_registry
from xtal_core.training_set import WAVELENGTH, TrainingSet
from xtal_core.workers import in_order
from xtal_training.crystal_cache import CrystalCache, Outcome
from xtal_training.crystals import Crystal, crystals_in, names_of
from xtal_training.sources import RawText, Source

#: Texts worked on, and stored, together: what an interruption can cost, under a second for each process.
CHUNK = 64

#: Counts changes of this code after which earlier crystals are not to be used.
RECIPE = "1"


@dataclass(frozen=True)
class LeftOut:
    """A structure that is not in the training set, and why."""

    name: str
    place: str
    reason: str


@dataclass
class BuildReport:
    """What became of the structures.

    Attributes
    ----------
    taken
        How many crystals are in the set.
    made, known
        How many texts were worked on now, and how many had been before.
    left_out
        What is not in the set.
    """

    taken: int = 0
    made: int = 0
    known: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


@dataclass(frozen=True)
class BuildRequest:
    """What to build a training set from, and how.

    Attributes
    ----------
    sources
        In the order in which their crystals follow.
    max_atoms
        Of the primitive cell; larger ones are left out. None takes all.
    simulator
        The plugin that calculates sticks.
    jobs
        Processes.
    cache
        The file of crystals that were made before.
    """

    sources: Sequence[Source]
    max_atoms: int | None
    simulator: str
    jobs: int
    cache: Path


def build_training_set(request: BuildRequest, report: BuildReport, progress: Progress) -> TrainingSet:
    """Return the training set of `request`, and count in `report` what became of the structures.

    Whatever interrupts it, the next call goes on from there: finished chunks are in the cache.

    Raises
    ------
    InputError
        For a table that cannot be read, and when no structure can be taken.
    OptionError
        For a simulator that does not calculate sticks.
    """
    texts = [text for source in request.sources for text in source.texts()]
    recipe = _recipe(request.simulator)
    cache = CrystalCache(request.cache, recipe)
    try:
        _make_missing(texts, request, cache, report, progress)
        names, crystals = _collect(texts, request.max_atoms, cache, report)
    finally:
        cache.close()
    report.taken = len(crystals)
    if not crystals:
        reason = f"; the first reason: {report.left_out[0].reason}" if report.left_out else ""
        raise InputError(f"none of {len(texts)} structures can be taken{reason}", "give others")
    sources = [{"name": source.path.name, "sha256": source.sha256} for source in request.sources]
    metadata = {
        "sources": json.dumps(sources, ensure_ascii=False),
        "max_atoms": str(request.max_atoms),
        "left_out": str(len(report.left_out)),
        "wavelength": f"{WAVELENGTH} Å",
        "versions": json.dumps(recipe),
    }
    return _assemble(names, crystals, metadata)


def _make_missing(
    texts: Sequence[RawText], request: BuildRequest, cache: CrystalCache, report: BuildReport, progress: Progress
) -> None:
    """Make the crystals of all texts of which the cache does not hold what became."""
    unique = {text.digest: text for text in texts}
    known = cache.known(list(unique))
    missing = [text for digest, text in unique.items() if digest not in known]
    report.known += len(known)
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    make = partial(_chunk_reader, request.simulator)
    finished = in_order(make, chunks, request.jobs, "training")

    def counted() -> Iterator[RawText]:
        # One step of the bar a structure, whatever the size of a chunk.
        for chunk, outcomes in zip(chunks, finished, strict=True):
            cache.add(zip((text.digest for text in chunk), outcomes, strict=True))
            report.made += len(chunk)
            yield from chunk

    for _ in progress.track(counted(), "structures", len(missing)):
        pass


def _chunk_reader(simulator: str) -> Callable[[Sequence[RawText]], list[Outcome]]:
    """Return what makes crystals of a chunk of texts."""
    created = installed_registry().create("simulator", simulator)
    if not isinstance(created, CalculatesSticks):
        raise OptionError(f"the simulator {simulator} does not calculate sticks", "use --simulator powder")
    return lambda chunk: [crystals_in(text.cif, text.place, created) if text.cif else "it is empty" for text in chunk]


def _collect(
    texts: Sequence[RawText], max_atoms: int | None, cache: CrystalCache, report: BuildReport
) -> tuple[list[str], list[Crystal]]:
    """Return names and crystals of what is taken, in order, and list in `report` what is not."""
    outcomes = cache.outcomes(list({text.digest: None for text in texts}))
    names: list[str] = []
    crystals: list[Crystal] = []
    first: dict[bytes, str] = {}
    for text in texts:
        outcome = outcomes[text.digest]
        earlier = first.setdefault(text.digest, text.place)
        if isinstance(outcome, str):
            report.left_out.append(LeftOut(text.name, text.place, outcome))
            continue
        if earlier != text.place:
            report.left_out.append(LeftOut(text.name, text.place, f"the same text occurs before ({earlier})"))
            continue
        for name, crystal in zip(names_of(text.name, len(outcome)), outcome, strict=True):
            n_atoms = len(crystal.atomic_numbers)
            if max_atoms is not None and n_atoms > max_atoms:
                reason = f"its primitive cell has {n_atoms} atoms, more than {max_atoms}"
                report.left_out.append(LeftOut(name, text.place, reason))
            else:
                names.append(name)
                crystals.append(crystal)
    return names, crystals


def _assemble(names: Sequence[str], crystals: Sequence[Crystal], metadata: dict[str, str]) -> TrainingSet:
    n_sticks = [len(crystal.stick_bins) for crystal in crystals]
    return TrainingSet(
        names=tuple(names),
        n_atoms=np.array([len(crystal.atomic_numbers) for crystal in crystals], np.int32),
        lattice=np.stack([crystal.lattice for crystal in crystals]),
        space_group=np.array([crystal.space_group for crystal in crystals], np.int16),
        atomic_numbers=np.concatenate([crystal.atomic_numbers for crystal in crystals]),
        frac_coords=np.concatenate([crystal.frac_coords for crystal in crystals]),
        stick_offsets=np.concatenate([[0], np.cumsum(n_sticks, dtype=np.int64)]),
        stick_bins=np.concatenate([crystal.stick_bins for crystal in crystals]),
        stick_heights=np.concatenate([crystal.stick_heights for crystal in crystals]),
        metadata=metadata,
    )


def _recipe(simulator: str) -> dict[str, str]:
    """Return the versions on which crystals depend."""
    offer = installed_registry().offer("simulator", simulator)
    packages = {name: version(name) for name in ("gemmi", "pymatgen", "spglib")}
    return {
        "recipe": RECIPE,
        "xtal": xtal_core.__version__,
        f"simulator {simulator}": f"{offer.distribution} {offer.version}",
        **packages,
    }
