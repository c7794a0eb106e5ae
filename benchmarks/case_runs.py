"""Solves many cases in worker processes, the way `xtal solve` solves one, and keeps what is finished."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from xtal_core.errors import InputError, XtalError
from xtal_core.pipeline import solve
from xtal_core.plan import Plan, Tools, gather_tools
from xtal_core.problem import Formula, Problem
from xtal_core.progress import Progress
from xtal_core.readers import read_pattern
from xtal_core.registry import installed_registry
from xtal_core.report import crystal_files, solution_record, to_json

#: One thread a process: numerical libraries that take every core slow each other down, and times would mean nothing.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "SPGLIB_WARNING": "OFF"}


@dataclass(frozen=True)
class Case:
    """A pattern to be solved, and what the solver is told about the sample.

    Attributes
    ----------
    name
        Unique; the solution is written to a folder of this name.
    pattern, wavelength, formula
        As `xtal solve` takes them.
    z
        Formula units in the cell; None when the solver is not told.
    crystallite_size
        Å; None when the solver is not told.
    """

    name: str
    pattern: Path
    wavelength: str
    formula: str
    z: int | None = None
    crystallite_size: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes
    ----------
    name
        That of the case.
    seconds, cpu_seconds
        Wall-clock and processor time of reading, solving and writing CIF, in a process that has its modules loaded.
    error
        Why there is no result; None when there is one.
    result
        What `xtal solve` writes to result.json.
    """

    name: str
    seconds: float
    cpu_seconds: float
    error: str | None
    result: dict[str, Any] | None

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """The ranked candidates as in result.json."""
        return [] if self.result is None else self.result["candidates"]

    @property
    def failure(self) -> str | None:
        """Why there is no candidate; None when there are some."""
        if self.candidates:
            return None
        return self.error or "no candidate was found"


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run: its solutions, what they were made with, and how long it took.

    A run may be interrupted and continued, or extended by further cases, as long as its description stays the same.
    """

    path: Path

    @property
    def solutions(self) -> Path:
        """The folder with a folder for each finished case: CIFs named after their ranks, and outcome.json."""
        return self.path / "solutions"

    @property
    def sessions(self) -> list[dict[str, float]]:
        """How many cases each sitting finished (`cases`), and its wall-clock time (`seconds`)."""
        file = self.path / "sessions.json"
        return json.loads(file.read_text()) if file.is_file() else []

    def open(self, description: dict[str, Any], fresh: bool = False) -> None:
        """Make the folder, or continue in it; `fresh` removes what is there.

        Raises InputError when what is there was made with something else: results of two programs are never mixed.
        """
        file = self.path / "run.json"
        if fresh and file.is_file():
            shutil.rmtree(self.path)
        if file.is_file():
            earlier = json.loads(file.read_text())
            changed = sorted(k for k in {*earlier, *description} if earlier.get(k) != description.get(k))
            if changed:
                problem = f"these solutions were made with other {', '.join(changed)}"
                raise InputError(problem, "add --fresh to start again", self.path)
            return
        self.solutions.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")

    def outcome(self, name: str) -> Outcome | None:
        """Return what became of a case; None when it is not finished, or failed and is to be tried again."""
        file = self.solutions / name / "outcome.json"
        if not file.is_file():
            return None
        outcome = Outcome(**json.loads(file.read_text(encoding="utf-8")))
        return outcome if outcome.error is None else None

    def keep(self, outcome: Outcome, cifs: Sequence[tuple[str, str]]) -> None:
        """Write an outcome and its (file name, text) CIFs: completely, or not at all."""
        draft, target = self.solutions / f".{outcome.name}.part", self.solutions / outcome.name
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for file_name, text in cifs:
            (draft / file_name).write_text(text, encoding="utf-8")
        (draft / "outcome.json").write_text(json.dumps(asdict(outcome), ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)

    @contextmanager
    def session(self) -> Iterator[Callable[[], None]]:
        """Time the block; it calls what is yielded for every case that it finishes."""
        start, finished = time.perf_counter(), [0]

        def count() -> None:
            finished[0] += 1

        try:
            yield count
        finally:
            if finished[0]:
                record = {"cases": finished[0], "seconds": time.perf_counter() - start}
                (self.path / "sessions.json").write_text(json.dumps([*self.sessions, record]) + "\n")


def solve_cases(
    cases: Sequence[Case], plan: Plan, run: RunFolder, workers: int, progress: Progress
) -> dict[str, Outcome]:
    """Return {name: outcome} of all `cases`, solving those that `run` does not hold yet.

    `workers` processes of one thread each share them. After an interruption, what was finished is kept.
    Raises XtalError when a worker is killed.
    """
    outcomes = {case.name: outcome for case in cases if (outcome := run.outcome(case.name)) is not None}
    waiting = [case for case in cases if case.name not in outcomes]
    if not waiting:
        return outcomes
    os.environ.update(ONE_THREAD)  # inherited by the workers, where it is read before anything is imported
    # Spawned, because forking a process that has threads (torch, BLAS) is unsafe.
    pool = ProcessPoolExecutor(
        min(workers, len(waiting)), mp_context=get_context("spawn"), initializer=_start_worker, initargs=(plan, run)
    )
    try:
        with run.session() as finished:
            futures = [pool.submit(_solve_here, case) for case in waiting]
            for future in progress.track(as_completed(futures), "structures", len(futures)):
                outcome = future.result()
                outcomes[outcome.name] = outcome
                finished()
                if outcome.failure is not None:
                    print(f"{outcome.name}: {outcome.failure}", file=sys.stderr)
    except BrokenProcessPool:
        raise XtalError(
            "a worker process was killed, perhaps for memory; the same command goes on from there"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
    return outcomes


def problem_of(case: Case) -> Problem:
    """Return what the solver is given; the pattern is read."""
    return Problem(
        pattern=read_pattern(case.pattern, wavelength=case.wavelength),
        formula=Formula.parse(case.formula)[0],
        z=case.z,
        crystallite_size=case.crystallite_size,
    )


def solve_case(case: Case, tools: Tools, run: RunFolder) -> Outcome:
    """Solve one case, keep its outcome and return it; a case that fails has its reason in the outcome."""
    start, cpu_start = time.perf_counter(), time.process_time()
    cifs: list[tuple[str, str]] = []
    result, error = None, None
    try:
        solution = solve(problem_of(case), tools)
        files = crystal_files(solution.ranked)
        cifs = [(file.name, file.text) for file in files]
        result = json.loads(to_json(solution_record(solution, files)))
    except Exception as reason:  # one case that fails must not end the run; the reason is reported
        error = f"{type(reason).__name__}: {reason}"
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    outcome = Outcome(case.name, round(seconds, 3), round(cpu_seconds, 3), error, result)
    run.keep(outcome, cifs)
    return outcome


#: What a worker process works with; set once when it starts, because loading the plugins takes seconds.
_worker: tuple[Tools, RunFolder]


def _start_worker(plan: Plan, run: RunFolder) -> None:
    global _worker
    # Ctrl-C is for the main process, which lets the workers finish their case: a case interrupted would be kept
    # as if it had been solved.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = gather_tools(plan, installed_registry()), run


def _solve_here(case: Case) -> Outcome:
    return solve_case(case, *_worker)
