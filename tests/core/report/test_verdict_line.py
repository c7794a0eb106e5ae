from __future__ import annotations

import pytest

from toys import rocksalt, salt_problem
from xtal_core.candidate import Candidate, RankedCandidate, Solution
from xtal_core.report.verdict_line import verdict_line
from xtal_core.verdict import Verdict

RANKED = tuple(
    RankedCandidate(rank, Candidate(rocksalt(5.64), "toy"), float(rank), (symbol, 1))
    for rank, symbol in enumerate(("Pnma", "P2_1/c", "P1"), start=1)
)


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (Verdict("solved", 0.981, rivals=(2,)), "verdict: solved, probability 98% that rank 1 is right"),
        (Verdict("not solved", 0.06), "verdict: not solved, probability 6% that rank 1 is right"),
        (
            Verdict("ambiguous", 0.5, rivals=(2, 3)),
            "verdict: ambiguous, probability 50% that rank 1 is right; "
            "the pattern does not tell it from rank 2 (P2_1/c), rank 3 (P1)",
        ),
        (
            Verdict("ambiguous", 0.5),
            "verdict: ambiguous, probability 50% that rank 1 is right; no other candidate comes close",
        ),
        (
            Verdict("solved", 0.981, remarks=("first", "second")),
            "verdict: solved, probability 98% that rank 1 is right (first; second)",
        ),
        (Verdict("not assessed", remarks=("not refined",)), "verdict: not assessed: not refined"),
        (Verdict("not solved", 1e-9), "verdict: not solved, probability below 1% that rank 1 is right"),
        (Verdict("solved", 1 - 1e-9), "verdict: solved, probability above 99% that rank 1 is right"),
    ],
    ids=["solved", "not solved", "rivals", "no rival", "remarks", "not assessed", "never 0", "never 1"],
)
def test_the_verdict_is_one_line(verdict, line):
    assert verdict_line(Solution(salt_problem(), RANKED, {}, verdict=verdict), verdict) == line
