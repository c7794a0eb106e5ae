"""The package average-minimum-distance at work; runs in the peers' Python (see peers.py).

Its licence allows no more than this: it is called, timed and compared with, never imported by the project.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import amd  # type: ignore[import-not-found]
import numpy as np

FUNCTIONS = {"AMD": amd.AMD, "PDD": amd.PDD}
_sets: list[amd.PeriodicSet] = []


def take(crystals: Sequence[tuple[np.ndarray, np.ndarray]], k: int) -> None:
    """Keep crystals, each its (n, 3) Å coordinates and (3, 3) Å lattice, and compile all that is timed later."""
    _sets[:] = [amd.PeriodicSet(coordinates, lattice) for coordinates, lattice in crystals]
    for work in FUNCTIONS.values():
        for periodic_set in _sets:
            work(periodic_set, k)


def processor_times(name: str, k: int) -> list[float]:
    """Return the processor time in seconds of one call for each crystal."""
    taken = []
    for periodic_set in _sets:
        start = time.process_time()
        FUNCTIONS[name](periodic_set, k)
        taken.append(time.process_time() - start)
    return taken


def results(name: str, k: int) -> list[np.ndarray]:
    """Return what the function makes of each crystal."""
    return [FUNCTIONS[name](periodic_set, k) for periodic_set in _sets]
