"""Progress bars on the terminal, for work that lasts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from xtal_core.progress import Item, Progress, SilentProgress

#: Seconds before anything is shown.
DELAY = 2.0


class TerminalProgress(Progress):
    """Shows a bar for everything that is tracked."""

    def __init__(self, bars: Bars):
        self._bars = bars

    def track(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
        """Yield `items` while a bar called `label` grows; `total` defaults to their number, if they know it."""
        if total is None and hasattr(items, "__len__"):
            total = len(items)  # type: ignore[arg-type]
        task = self._bars.add_task(label, total=total)
        try:
            for item in items:
                yield item
                self._bars.advance(task)
        finally:
            self._bars.remove_task(task)


@contextmanager
def progress_display(quiet: bool = False, delay: float = DELAY) -> Iterator[Progress]:
    """Yield where to report progress: bars on standard error after `delay` seconds, nothing in pipes or if `quiet`."""
    console = Console(file=sys.stderr)
    if quiet or not console.is_terminal:
        yield SilentProgress()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bars = Bars(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True)
    # A timer rather than a look at the clock between items: a single item may take longer than the delay.
    timer = threading.Timer(delay, bars.start)
    timer.daemon = True
    timer.start()
    try:
        yield TerminalProgress(bars)
    finally:
        timer.cancel()
        timer.join()
        bars.stop()
