"""Why a published structure is not the first candidate: it was ranked lower, lost in refinement, or not proposed.

Nothing of this takes part in solving: the search is repeated, and what it proposes compared with the published
structure, when the candidates are ranked and written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from case_runs import Case, Outcome, problem_of
from kept_results import Row
from result_pages import markdown_table
from structure_ranks import first_match
from xtal_core.candidate import Candidate
from xtal_core.interfaces import Workbench
from xtal_core.pipeline import solve
from xtal_core.plan import Plan, Tools, gather_tools
from xtal_core.problem import Problem
from xtal_core.registry import installed_registry

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Miss:
    """A case whose first candidate is not the published structure, and the plan that it was solved by."""

    case: Case
    truth: Structure
    plan: Plan


def listed(outcome: Outcome, rank: int) -> Row:
    """Return what is known of the published structure that is the candidate of that `rank`, beside the first."""
    return _beside(outcome.candidates[0], outcome.candidates[rank - 1]) | {"rank": rank}


def followed(miss: Miss) -> Row:
    """Return what became of a published structure that is not among the candidates; see `follow`."""
    registry = installed_registry()
    refining = replace(miss.plan, generators=(), n_candidates=1, settings=_without_generators(miss.plan))
    return follow(
        miss.truth, problem_of(miss.case), gather_tools(miss.plan, registry), gather_tools(refining, registry)
    )


def follow(truth: Structure, problem: Problem, tools: Tools, refining: Tools) -> Row:
    """Return which proposal for `problem` is the structure `truth`, if any, and how it is refined by itself.

    `tools` propose; `refining` are the same without generators.
    """
    proposals = _proposals(problem, tools)
    place = first_match(truth, [proposal.structure for proposal in proposals])
    row: Row = {"rank": None, "proposals": len(proposals), "place": place}
    if place is None:
        return row
    proposal = proposals[place - 1]
    (refined,) = solve(problem, refining, given=[proposal]).ranked
    assert refined.candidate.fit is not None
    return row | {
        "origin": proposal.origin,
        "r2wp": refined.candidate.fit.residual,
        "merit": refined.merit,
        "still": first_match(truth, [refined.candidate.structure]) is not None,
    }


def beside_first(row: Row, outcome: Outcome) -> Row:
    """Return `row`, of `follow`, with what the first candidate has for comparison."""
    return _beside(outcome.candidates[0] if outcome.candidates else None, None) | row


def misses_table(misses: Mapping[str, Row]) -> str:
    """Return a Markdown table of the rows of `listed` and `beside_first` by the names of the samples."""
    headers = ("material", "published structure", "its R²wp", "its merit", "first candidate: R²wp", "merit")
    return markdown_table(
        headers,
        [
            (
                name,
                _what_became(row),
                _number(row["r2wp"], ".4f"),
                _number(row["merit"], ".2f"),
                _number(row["first_r2wp"], ".4f"),
                _number(row["first_merit"], ".2f"),
            )
            for name, row in misses.items()
        ],
    )


def _proposals(problem: Problem, tools: Tools) -> Sequence[Candidate]:
    workbench = Workbench(tools.simulator, tools.plan.seed, jobs=tools.plan.jobs)
    return [
        candidate for generator in tools.generators.values() for candidate in generator.generate(problem, workbench)
    ]


def _without_generators(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """Return the settings of the plugins of `plan` that remain when nothing is generated."""
    return {name: options for name, options in plan.settings.items() if name not in plan.generators}


def _beside(first: Mapping[str, Any] | None, candidate: Mapping[str, Any] | None) -> Row:
    return {
        "r2wp": candidate and candidate["r2wp"],
        "merit": candidate and candidate["merit"],
        "first_r2wp": first and first["r2wp"],
        "first_merit": first and first["merit"],
    }


def _what_became(row: Row) -> str:
    if row.get("error"):
        return f"not followed: {row['error']}"
    if row["rank"] is not None:
        return f"rank {row['rank']}"
    if row["place"] is None:
        return f"not proposed (among {row['proposals']} proposals)"
    after = "" if row["still"] else "; refined by itself it became another"
    return f"proposed ({row['place']} of {row['proposals']}: {row['origin']}), not among those listed{after}"


def _number(value: float | None, notation: str) -> str | None:
    return None if value is None else format(value, notation)
