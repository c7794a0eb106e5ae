"""Progress of long work, reported by plugins and shown by whoever runs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class Progress(ABC):
    """Somewhere to report how far a long computation has come."""

    @abstractmethod
    def track(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
        """Yield `items` while showing how many are done."""


class SilentProgress(Progress):
    """Shows nothing."""

    def track(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:  # noqa: ARG002
        """Yield `items`."""
        yield from items
