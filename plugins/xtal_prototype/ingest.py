"""Adds collections of structures to a library: in parallel, in slices, resumable."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from xtal_core.progress import Progress, SilentProgress
from xtal_prototype.library import LibraryEntry, Refusal, StructureLibrary
from xtal_prototype.reading import read_entry
from xtal_prototype.sources import RawStructure, count_structures, find_files, iterate_structures

#: Structures committed together: what an interruption can cost, about two seconds of work.
_SLICE = 512

_Reader = Callable[[Sequence[RawStructure]], Iterable[LibraryEntry | Refusal]]


@dataclass
class IngestReport:
    """What became of the structures of a collection.

    Attributes
    ----------
    added, known
        How many were stored now, and how many had been stored or refused before.
    refusals
        What was not stored, and why.
    """

    added: int = 0
    known: int = 0
    refusals: list[Refusal] = field(default_factory=list)


def add_structures(
    library: StructureLibrary,
    paths: Iterable[Path],
    report: IngestReport,
    jobs: int = 1,
    progress: Progress | None = None,
) -> None:
    """Store the structures at `paths` that `library` does not hold yet, and count them in `report`.

    Whatever stops it, finished slices are in the library and in the report, and the next call goes on from there.

    Parameters
    ----------
    library
        Open for adding.
    paths
        CIF files, folders of CIF files, CSV tables.
    report
        Kept up to date slice by slice, so that it tells what was done when this is interrupted.
    jobs
        Processes.
    progress
        Where to show how many structures are done.

    Raises
    ------
    InputError
        For a path that cannot be read.
    """
    files = find_files(paths)
    progress = progress or SilentProgress()
    seen = library.seen()
    raws = progress.track(iterate_structures(files), "structures", count_structures(files))
    with _readers(jobs) as read:
        while raw_slice := list(islice(raws, _SLICE)):
            new = []
            for raw in raw_slice:
                identity = (raw.source, raw.digest)
                if identity not in seen:
                    seen.add(identity)
                    new.append(raw)
            results = list(read(new))
            entries = [result for result in results if isinstance(result, LibraryEntry)]
            refusals = [result for result in results if isinstance(result, Refusal)]
            library.add(entries, refusals)
            report.added += len(entries)
            report.known += len(raw_slice) - len(new)
            report.refusals += refusals


@contextmanager
def _readers(jobs: int) -> Iterator[_Reader]:
    """Yield a function that reads structures in `jobs` processes."""
    if jobs == 1:
        yield lambda raws: map(read_entry, raws)
        return
    # Forking a process that may have threads (torch, BLAS) is unsafe.
    with get_context("spawn").Pool(jobs, initializer=_ignore_interrupt) as pool:
        yield lambda raws: pool.map(read_entry, raws, chunksize=16)


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the main process, which ends the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
