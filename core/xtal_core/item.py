"""What can be compared: structures, powder patterns, and files of a kind that a metric reads itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from xtal_core.pattern import Pattern

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: What an item is; "own" is a file of a kind that only some metrics read.
Kind = Literal["structure", "pattern", "own"]


@dataclass(frozen=True, eq=False)
class Item:
    """Something to compare.

    Attributes
    ----------
    name
        Unique among those that are compared, for tables and messages.
    content
        A structure, a pattern, or the path of a file that metrics read themselves (`ReadsItems`).
    """

    name: str
    content: Structure | Pattern | Path

    @property
    def kind(self) -> Kind:
        """What it is."""
        if isinstance(self.content, Pattern):
            return "pattern"
        return "own" if isinstance(self.content, Path) else "structure"

    @property
    def notes(self) -> tuple[str, ...]:
        """What its reader did that the user should know."""
        return self.content.notes if isinstance(self.content, Pattern) else ()

    def describe(self) -> str:
        """Return what it is, in a few words."""
        if isinstance(self.content, Path):
            return f"a {self.content.suffix.lower()} file"
        return "a powder pattern" if self.kind == "pattern" else "a structure"


@dataclass(frozen=True)
class LeftOut:
    """Something that was to be compared and cannot be, and why."""

    name: str
    reason: str


def naming(name: str, reason: str) -> str:
    """Return a reason that names what it is about."""
    return reason if name in reason else f"{name}: {reason}"
