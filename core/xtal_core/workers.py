"""Long work in chunks: in this process while it is short, by worker processes when it is not, always in order.

Threads are no way to share the work of Python: they wait for each other.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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


class SideWorkers:
    """Processes that take over part of work that comes portion by portion, as soon as they have started.

    They are only started for work that lasts, and end with the block that this is the context of. Results do not depend
    on whether they take part.
    """

    def __init__(self, jobs: int, owner: str) -> None:
        """Allow `jobs` processes, this one included, for work of the plugin `owner`."""
        self.jobs = jobs
        self._owner = owner
        self._began = time.monotonic()
        self._pool: ProcessPoolExecutor | None = None
        self._started: list[Future[None]] = []

    def __enter__(self) -> SideWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def map(self, work: Callable[[Chunk], Result], chunks: Sequence[Chunk]) -> list[Result]:
        """Return what `work`, a function of a module, makes of each of `chunks`, which are sent by pickle.

        Raises PluginError when a worker ends before its work, or is sent what cannot be pickled.
        """
        results: dict[int, Result] = {}
        sent: dict[int, Future[Result]] = {}
        waiting = deque(range(len(chunks)))
        try:
            while waiting:
                while len(waiting) > 1 and self._takes_more(sent.values()):
                    index = waiting.popleft()
                    assert self._pool is not None
                    sent[index] = self._pool.submit(work, chunks[index])
                index = waiting.popleft()
                results[index] = work(chunks[index])
            results |= {index: self._result(future) for index, future in sent.items()}
        except BrokenProcessPool:
            raise _ended(self._owner) from None
        return [results[index] for index in range(len(chunks))]

    def _result(self, future: Future[Result]) -> Result:
        try:
            return future.result()
        except (XtalError, BrokenProcessPool):
            raise
        except Exception as error:
            raise _failed(self._owner, error) from error

    def _takes_more(self, sent: Iterable[Future[Any]]) -> bool:
        """Return whether the workers have started and less than two chunks each to do."""
        return self._ready() and sum(not future.done() for future in sent) < 2 * (self.jobs - 1)

    def _ready(self) -> bool:
        """Return whether the workers have started, and start them when work has lasted."""
        if self._pool is None:
            if self.jobs > 1 and time.monotonic() - self._began > TRIAL:
                workers = self.jobs - 1
                self._pool = ProcessPoolExecutor(workers, get_context(START_METHOD), initializer=_end_silently)
                self._started = [self._pool.submit(_nothing) for _ in range(workers)]
            return False
        return all(future.done() for future in self._started)


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
        raise _ended(owner) from None
    except Exception as error:
        raise _failed(owner, error) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    _end_silently()
    _work = make()


def _end_silently() -> None:
    # Ctrl-C reaches all processes of a terminal: workers end silently, the first process decides what to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _nothing() -> None:
    """Take no time: a worker that has done it has started."""


def _failed(owner: str, error: Exception) -> PluginError:
    return PluginError(owner, f"in a worker process: {type(error).__name__}: {error}")


def _ended(owner: str) -> PluginError:
    return PluginError(owner, "a worker process ended before its work (out of memory?); use fewer --jobs")


def _do(chunk: Any) -> Any:
    assert _work is not None
    return _work(chunk)
