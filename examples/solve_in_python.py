"""Solves the pattern of `make demo` from Python: what `xtal solve` does, step by step.

python examples/solve_in_python.py
"""

from __future__ import annotations

from pathlib import Path

from xtal_core.pipeline import solve
from xtal_core.plan import Plan, gather_tools
from xtal_core.problem import Formula, Problem
from xtal_core.readers import read_pattern
from xtal_core.registry import installed_registry

PATTERN = Path(__file__).with_name("anatase.xy")


def main() -> None:
    # What is known: the pattern, the formula, and here also that the conventional cell holds four formula units.
    formula, _ = Formula.parse("TiO2")
    problem = Problem(read_pattern(PATTERN), formula, z=4)

    # How it is to be solved: everything has a default, and `xtal plugins --options` lists what can be set.
    plan = Plan(n_candidates=5, settings={"prototype": {"candidates": 50}}, seed=0)
    tools = gather_tools(plan, installed_registry())  # once; tools serve any number of problems
    solution = solve(problem, tools)

    for ranked in solution.ranked:
        fit, (symbol, number) = ranked.candidate.fit, ranked.space_group
        assert fit is not None  # every ranked candidate was compared with the pattern
        print(f"{ranked.rank}  R²wp {fit.residual:.4f}  {symbol} ({number})  {ranked.candidate.origin}")
    print()
    print(solution.ranked[0].candidate.structure)  # a pymatgen Structure


if __name__ == "__main__":
    main()
