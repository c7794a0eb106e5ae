"""What Ctrl-C does to a run: the first one ends the search and its result is still made, the second ends everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class Interruption:
    """Whether the user has interrupted a run.

    Attributes
    ----------
    happened
        True after the first time.
    """

    def __init__(self, announce: Callable[[str], None] | None = None):
        """`announce` is told, at once, what the interrupted run does instead of ending."""
        self.happened = False
        self._announce = announce

    def accept(self, consequence: str) -> None:
        """Note the KeyboardInterrupt that is being handled, or raise it again when it is the second one."""
        if self.happened:
            raise KeyboardInterrupt from None
        self.happened = True
        if self._announce is not None:
            self._announce(f"interrupted: {consequence}")

    def complete(self, work: Callable[[], Result], consequence: str) -> Result:
        """Return `work()`, a second time when the user interrupts the first one and had not interrupted before."""
        try:
            return work()
        except KeyboardInterrupt:
            self.accept(consequence)
        return work()
