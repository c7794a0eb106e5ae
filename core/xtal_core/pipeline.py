"""From a problem to its solution.

    pattern ─read▶ Problem ─generate▶ Candidates ─refine▶ Candidates ─rank▶ Solution ─report▶ files

`xtal_core.readers` reads, `xtal_core.report` reports; what lies between is `solve`. Structures given by hand take the
place of generated ones, or join them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from xtal_core.agreement import compare_with_pattern
from xtal_core.agreement_factors import agreement_factors, r_bragg
from xtal_core.candidate import Candidate, RankedCandidate, Solution
from xtal_core.errors import OptionError, PluginError, XtalError, fault_of
from xtal_core.interfaces import Workbench
from xtal_core.interruption import Interruption
from xtal_core.parsimony import parsimony_of
from xtal_core.plan import Tools
from xtal_core.preparation import blank_notes
from xtal_core.problem import Problem
from xtal_core.progress import Progress, SilentProgress
from xtal_core.provenance import provenance
from xtal_core.ranking import Ranking, rank
from xtal_core.reflection_table import reflection_table
from xtal_core.verdict import Verdict, judge

#: What becomes of a search that the user interrupts.
RANKING = "ranking what was finished"


def solve(
    problem: Problem,
    tools: Tools,
    progress: Progress | None = None,
    given: Sequence[Candidate] = (),
    interruption: Interruption | None = None,
) -> Solution:
    """Return the solution of `problem` by `tools`, which `xtal_core.plan.gather_tools` makes of a plan.

    Candidates `given` by hand are pooled with those of the generators, of which there may then be none. When the user
    interrupts, the solution is that of what was found until then: always ranked, but not assessed any further.
    KeyboardInterrupt is only raised when nothing was found, or the user interrupts again. Raises PluginError when a
    plugin fails; a generator among several may fail, which is noted.
    """
    plan, stages = tools.plan, {}
    if not given and not tools.generators:
        raise OptionError("no generator was named", "name one, or give a structure")
    interruption = interruption or Interruption()
    notes: list[str] = []
    generated = list(given)
    finished: list[Candidate] = []
    workbench = Workbench(tools.simulator, plan.seed, progress or SilentProgress(), plan.jobs, finished.extend)
    search_interrupted = False
    try:
        with _timed("generate", stages):
            for candidates in _generate(problem, tools, workbench, notes):
                generated += candidates
                finished.clear()
        with _timed("refine", stages):
            candidates = _refine(problem, generated, tools, workbench)
    except KeyboardInterrupt:
        candidates = _salvage(finished, generated)
        if not candidates:
            raise
        interruption.accept(RANKING)
        search_interrupted = True
        notes.append(f"interrupted: {len(finished)} of {len(candidates)} candidates were finished, the rest as found")
    with _timed("rank", stages):
        ranked, remarks = interruption.complete(lambda: _rank(problem, candidates, tools), RANKING)
    verdict = None
    try:
        with _timed("assess", stages), fault_of(plan.simulator):
            for index, candidate in enumerate(ranked):
                ranked = (*ranked[:index], _assessed(problem, candidate, tools), *ranked[index + 1 :])
        with _timed("judge", stages):
            verdict = judge(problem, ranked, plan, interrupted=search_interrupted) if tools.generators else None
    except KeyboardInterrupt:
        interruption.accept("leaving out what is left of the assessment")
        notes.append("interrupted after ranking: candidates without agreement factors were not assessed")
        verdict = Verdict("not assessed", remarks=("it was interrupted",)) if tools.generators else None
    notes += _fit_notes(ranked)
    notes += blank_notes(problem.pattern, ranked)
    record = provenance(problem.pattern, tools) | {"seconds": stages}
    return Solution(problem, ranked, record, (*notes, *remarks), interruption.happened, verdict)


def _generate(problem: Problem, tools: Tools, workbench: Workbench, notes: list[str]) -> Iterator[list[Candidate]]:
    """Yield the candidates of each generator; the failure of one among several becomes a note."""
    failures: list[XtalError] = []
    for name, generator in tools.generators.items():
        try:
            with fault_of(name):
                candidates = generator.generate(problem, workbench)
            _check_compositions(problem, name, candidates)
        except XtalError as error:
            failures.append(error)
            if len(failures) == len(tools.generators):
                raise failures[0] from None
            notes.append(f"generator {name} failed and was left out: {error}")
        else:
            if not candidates:
                notes.append(f"generator {name} found no candidate")
            yield candidates


def _refine(problem: Problem, candidates: Sequence[Candidate], tools: Tools, workbench: Workbench) -> list[Candidate]:
    """Return the refined candidates, or `candidates` when there is nothing to do."""
    if tools.refiner is None or not candidates:
        return list(candidates)
    name = str(tools.plan.refiner)
    with fault_of(name):
        refined = tools.refiner.refine(problem, candidates, workbench)
    _check_compositions(problem, name, refined)
    if any(candidate.fit is not None and not np.isfinite(candidate.fit.residual) for candidate in refined):
        raise PluginError(name, "returned a residual that is not a number")
    return refined


def _rank(problem: Problem, candidates: Sequence[Candidate], tools: Tools) -> Ranking:
    """Return the candidates ranked, and what is to be said of them."""
    # Candidates that nobody refined get a fit too, so that all can be ranked by the same residual.
    with fault_of(tools.plan.simulator):
        fitted = compare_with_pattern(problem, candidates, tools.simulator)
    return rank(fitted, tools.metric, tools.plan.n_candidates, parsimony_of(problem.pattern))


def _assessed(problem: Problem, ranked: RankedCandidate, tools: Tools) -> RankedCandidate:
    """Return `ranked` with its reflections and agreement factors."""
    fit = ranked.candidate.fit
    if fit is None:
        return ranked
    reflections = reflection_table(problem.pattern, ranked.candidate, tools.simulator)
    bragg = None if reflections is None else r_bragg(*reflections.known)
    return replace(ranked, agreement=agreement_factors(problem.pattern, fit, bragg), reflections=reflections)


def _fit_notes(ranked: Sequence[RankedCandidate]) -> list[str]:
    """Return what the refinement of the first candidate did beyond least squares, and whether it came to an end."""
    fit = ranked[0].candidate.fit if ranked else None
    if fit is None:
        return []
    name = ranked[0].candidate.origin or "the first candidate"
    notes = [f"{name}: {remark}" for remark in fit.remarks]
    if fit.converged is False:
        notes.append(f"{name}: the refinement ended before it had converged; refine the result with xtal refine")
    return notes


def _salvage(finished: Sequence[Candidate], generated: Sequence[Candidate]) -> list[Candidate]:
    """Return what was finished, and whatever of `generated` it was not made from."""
    done = {(candidate.generator, candidate.origin) for candidate in finished if candidate.origin}
    return [*finished, *(c for c in generated if (c.generator, c.origin) not in done)]


def _check_compositions(problem: Problem, plugin: str, candidates: Sequence[Candidate]) -> None:
    """Raise PluginError unless all candidates have the composition that was asked for."""
    from pymatgen.core import Composition

    wanted = Composition(dict(problem.formula.amounts)).fractional_composition
    for candidate in candidates:
        proposed = candidate.structure.composition.element_composition.fractional_composition
        if not proposed.almost_equals(wanted, rtol=1e-3, atol=1e-3):
            formula = candidate.structure.composition.reduced_formula
            raise PluginError(plugin, f"proposed {formula} for {problem.formula}")


@contextmanager
def _timed(stage: str, stages: dict[str, float]) -> Iterator[None]:
    """Note in `stages` how many seconds the block took."""
    start = time.perf_counter()
    try:
        yield
    finally:
        stages[stage] = round(time.perf_counter() - start, 3)
