"""Work on many items in worker processes, each item's result kept in a file, so that a run can be continued."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from case_runs import ONE_THREAD, RunFolder
from xtal_core.errors import XtalError
from xtal_core.progress_display import progress_display

Item = TypeVar("Item")

#: What is known of an item, as JSON has it.
Row = dict[str, Any]


def keep_results(work: Callable[[Item], Row], items: Mapping[str, Item], run: RunFolder, workers: int) -> list[Row]:
    """Return `work(item)` for each of `items` by name, in their order; what `run` holds already is not done again.

    `workers` processes of one thread each share the rest; `work` and the items are sent to them by pickle. An item that
    raises has the reason in its row under "error", all others have None there; it is tried again the next time.
    Raises XtalError when a worker is killed.
    """
    rows = {name: row for name in items if (row := _kept(run, name)) is not None}
    waiting = [name for name in items if name not in rows]
    if waiting:
        os.environ.update(ONE_THREAD)  # inherited by the workers, where it is read before anything is imported
        pool = ProcessPoolExecutor(min(workers, len(waiting)), get_context("spawn"), initializer=_start_worker)
        try:
            with run.session() as finished, progress_display() as progress:
                futures = {pool.submit(_done, work, items[name]): name for name in waiting}
                for future in progress.track(as_completed(futures), "structures", len(futures)):
                    name, row = futures[future], future.result()
                    rows[name] = row
                    _keep(run, name, row)
                    finished()
                    if row["error"] is not None:
                        print(f"{name}: {row['error']}", file=sys.stderr)
        except BrokenProcessPool:
            raise XtalError(
                "a worker process was killed, perhaps for memory; the same command goes on from there"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    return [rows[name] for name in items]


def _done(work: Callable[[Item], Row], item: Item) -> Row:
    try:
        return {**work(item), "error": None}
    except Exception as reason:  # one item that fails must not end the run; the reason is reported
        return {"error": f"{type(reason).__name__}: {reason}"}


def _kept(run: RunFolder, name: str) -> Row | None:
    """Return the row of an item; None when it is not finished, or failed and is to be tried again."""
    file = run.solutions / f"{name}.json"
    row = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return row if row is not None and row["error"] is None else None


def _keep(run: RunFolder, name: str, row: Row) -> None:
    draft = run.solutions / f".{name}.part"
    draft.write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    draft.replace(run.solutions / f"{name}.json")


def _start_worker() -> None:
    warnings.simplefilter("ignore")  # pymatgen's remarks on the CIFs of the tables
    # Ctrl-C is for the main process, which lets the workers finish what they have begun.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
