"""Hints for names that were mistyped."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(name: str, known: Iterable[str], introduction: str = "known are") -> str:
    """Return "did you mean …?" for the nearest of `known`, else a list of them."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"{introduction} {', '.join(names)}" if names else "none is installed"
