"""The verdict as a line of text."""

from __future__ import annotations

from xtal_core.candidate import Solution
from xtal_core.verdict import Verdict


def verdict_line(solution: Solution, verdict: Verdict) -> str:
    """Return what `verdict` says of `solution`; rivals are named where it is ambiguous."""
    if verdict.probability is None:
        return f"verdict: {verdict.word}: {'; '.join(verdict.remarks)}"
    text = f"verdict: {verdict.word}, probability {_percent(verdict.probability)} that rank 1 is right"
    if verdict.word == "ambiguous":
        text += f"; {_alternatives(solution, verdict)}"
    return f"{text} ({'; '.join(verdict.remarks)})" if verdict.remarks else text


def _alternatives(solution: Solution, verdict: Verdict) -> str:
    if not verdict.rivals:
        return "no other candidate comes close"
    space_groups = {ranked.rank: ranked.space_group[0] for ranked in solution.ranked}
    names = ", ".join(f"rank {rank} ({space_groups[rank]})" for rank in verdict.rivals)
    return f"the pattern does not tell it from {names}"


def _percent(probability: float) -> str:
    """Return a probability in per cent, never 0 or 100: that much no calibration knows."""
    return "below 1%" if probability < 0.005 else "above 99%" if probability >= 0.995 else f"{probability:.0%}"
