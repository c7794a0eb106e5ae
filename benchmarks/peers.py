"""Other packages that do the same work, run beside ours in one measurement.

They live in an environment of their own, `.venv-peers` (made from peers-requirements.txt), because their licences or
what they need to be built keep them out of the project's. A script of the benchmarks starts them as one process that
waits for work, so that both sides take turns, each on one thread, and times are those of the work alone:

    with Peer(options.peers_python, "peer_pdffit2.py") as peer:
        g, seconds = peer.call("pair_distribution", lattice, ...)

calls the function `pair_distribution` of benchmarks/peer_pdffit2.py, a file that imports the peer and nothing of this
project. Arguments and results are pickled: plain Python and NumPy.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from data_sets import ROOT
from xtal_core.errors import InputError, PluginError

#: The Python of the environment with the peers.
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"

WORKER = ROOT / "benchmarks" / "peer_worker.py"

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")}


def add_peers_option(parser: argparse.ArgumentParser) -> None:
    """Add --peers-python to `parser`."""
    parser.add_argument(
        "--peers-python", type=Path, default=PEERS_PYTHON, help="Python with the peers (default .venv-peers/bin/python)"
    )


class Peer:
    """A process of the peers' Python that calls the functions of one file.

    Raises InputError when there is no such Python, PluginError, with what the process said, when the file cannot be
    imported there.
    """

    def __init__(self, python: Path, script: str) -> None:
        if not python.is_file():
            raise InputError("there is no Python with the peers", "run make .venv-peers, or set --peers-python", python)
        self._name = script
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        # Its own folder is the first on the path of a script, which is where the peer's file is.
        self._process = subprocess.Popen(
            [python, "-W", "ignore", WORKER, ROOT / "benchmarks" / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={**os.environ, **ONE_THREAD},
        )
        self._receive()

    def call(self, function: str, *arguments: Any) -> tuple[Any, float]:
        """Return the function's result and the processor time in seconds that it took, exchange of data excluded.

        Raises PluginError with its traceback when the function fails.
        """
        return self.repeat(function, 1, *arguments)

    def repeat(self, function: str, times: int, *arguments: Any) -> tuple[Any, float]:
        """Return the function's last result and the least time in seconds of `times` calls."""
        assert self._process.stdin is not None
        try:
            pickle.dump((function, times, arguments), self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        return self._receive()

    def versions(self, distributions: Sequence[str]) -> dict[str, str]:
        """Return the versions of the distributions installed beside the peer."""
        return self.call("versions", list(distributions))[0]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self) -> tuple[Any, float]:
        assert self._process.stdout is not None
        try:
            succeeded, result, seconds = pickle.load(self._process.stdout)
        except EOFError:
            raise self._ended() from None
        if not succeeded:
            raise PluginError(self._name, str(result))
        return result, seconds

    def _ended(self) -> PluginError:
        """Return the error for a process that has gone."""
        self._process.wait()
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        return PluginError(self._name, f"its process ended: {said[-1] if said else 'it said nothing'}")
