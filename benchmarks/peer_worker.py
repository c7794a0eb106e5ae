"""Runs in the peers' Python: calls functions of one file as asked on standard input. See peers.py.

It imports nothing of this project, which is not installed there.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any


def versions(distributions: Sequence[str]) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in distributions}


def load(path: str) -> dict[str, Callable[..., Any]]:
    """Return the functions of the file at `path`."""
    spec = importlib.util.spec_from_file_location("peer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"versions": versions, **vars(module)}


def perform(work: Callable[..., Any], times: int, arguments: Sequence[Any]) -> tuple[bool, Any, float]:
    """Return whether it succeeded, the result or traceback, and the least processor time in seconds."""
    taken = []
    result = None
    try:
        for _ in range(times):
            start = time.process_time()
            result = work(*arguments)
            taken.append(time.process_time() - start)
    except Exception:
        return False, traceback.format_exc(), 0.0
    return True, result, min(taken)


def main() -> None:
    # Peers print; what they print must not end up among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    functions = load(sys.argv[1])
    answer: tuple[bool, Any, float] = (True, None, 0.0)
    while True:
        pickle.dump(answer, answers)
        answers.flush()
        try:
            name, times, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer = perform(functions[name], times, arguments)


if __name__ == "__main__":
    main()
