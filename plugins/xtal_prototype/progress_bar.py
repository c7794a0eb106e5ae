"""A progress bar on a terminal, nothing in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xtal_core.progress import Item, Progress


class ProgressBar(Progress):
    """Shows progress on standard error when that is a terminal."""

    def track(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
        """Yield `items` behind a bar that says how many of `total` are done and how long the rest will take."""
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        yield from track(items, label, total, console=console, transient=True, disable=not console.is_terminal)
