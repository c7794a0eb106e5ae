"""Long work in chunks: in this process while it is short, by worker processes when it is not, always in order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from xtal_core.errors import PluginError, XtalError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

#: How workers are started. Forking copies whatever state the threads of numerical libraries are in.
START_METHOD = "spawn"

#: Seconds of work in this process before workers are considered, and of work left that makes starting them worthwhile.
TRIAL, WORTHWHILE = 0.5, 4.0

#: Chunks a worker that wait in its queue, so that it is never idle.
WAITING = 4


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    # Fewer than the machine has where the process is confined to some of them.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_work: Callable[[Any], Any] | None = None


def in_order(
    make: Callable[[], Callable[[Chunk], Result]], chunks: Sequence[Chunk], jobs: int, owner: str
) -> Iterator[Result]:
    """Yield `make()(chunk)` for each of `chunks`, in their order, by at most `jobs` processes.

    Parameters
    ----------
    make
        Returns what does the work; called once in every process that takes part and sent to workers by pickle, with
        all that the work needs.
    chunks
        What is to be done. Sent by pickle, too: small.
    jobs
        Processes to use; workers are only started for work that lasts.
    owner
        The plugin whose work it is, for the message when a worker dies or something cannot be sent.

    Raises
    ------
    PluginError
        When a worker ends before its work, or is sent what cannot be pickled.
    """
    work, started = make(), time.monotonic()
    for done, chunk in enumerate(chunks):
        elapsed = time.monotonic() - started
        if jobs > 1 and done and elapsed > TRIAL and elapsed / done * (len(chunks) - done) > WORTHWHILE:
            yield from _by_workers(make, chunks[done:], jobs, owner)
            return
        yield work(chunk)


def _by_workers(
    make: Callable[[], Callable[[Chunk], Result]], chunks: Sequence[Chunk], jobs: int, owner: str
) -> Iterator[Result]:
    workers = min(jobs, len(chunks))
    pool = ProcessPoolExecutor(workers, get_context(START_METHOD), initializer=_start_worker, initargs=(make,))
    try:
        waiting: list[Future[Result]] = []
        for chunk in chunks:
            waiting.append(pool.submit(_do, chunk))
            if len(waiting) == workers * WAITING:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
    except XtalError:
        raise
    except BrokenProcessPool:
        raise PluginError(owner, "a worker process ended before its work (out of memory?); use fewer --jobs") from None
    except Exception as error:
        raise PluginError(owner, f"in a worker process: {type(error).__name__}: {error}") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    # Ctrl-C reaches all processes of a terminal: workers end silently, the first process decides what to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _work = make()


def _do(chunk: Any) -> Any:
    assert _work is not None
    return _work(chunk)
