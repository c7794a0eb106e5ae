"""The refiner: from many rough candidates to a few refined ones, in stages of rising resolution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from xtal_core.candidate import GIVEN, Candidate
from xtal_core.errors import OptionError
from xtal_core.interfaces import DifferentiableSimulator, Refiner, Workbench
from xtal_core.measurement import Profile
from xtal_core.pattern_features import is_measured
from xtal_core.problem import Problem
from xtal_core.workers import SideWorkers
from xtal_fit.moves import exchanged, kicked, released, symmetrised
from xtal_fit.plugin import FitOptions
from xtal_fit.stages import Stages, first_stages
from xtal_fit.symmetry import free_directions
from xtal_fit.trial import Trial

#: Candidates that decide whether the sample has reflections beyond the last point and the shape of its peaks.
DECIDING_TRIALS = 8

#: Candidates refined on the points of a pattern without noise to see whether it is solved.
SOLVING_TRIALS = 2

#: So many candidates of a pattern without noise are also refined on its points from where they are.
FEW_CANDIDATES = 3

#: Share of the full penalty on parameters in the stages before the last.
EARLY_PARSIMONY = 0.25


class FitRefiner(Refiner):
    """Least-squares refinement in stages.

    1. On the smoothed pattern, for every candidate.
    2. The better ones, on a less smoothed pattern.
    3. The best `keep`, on the pattern as it is, with the profile; without noise, the two best on its points, too, and
       a few candidates from where they are.
    4. Unless that solved it: the best, but for structures that the user gave, with elements exchanged and atoms
       displaced.
    5. Unless that solved it: the best without symmetry, then in the symmetry they turn out to have.
    6. Steps 4 and 5 once more, unless that solved it; then restarts around the best, where they were asked for.
    7. At full resolution, the best, and what they are in every higher symmetry that they come close to.
    8. The best on the points of the pattern: on measured ones with widths that depend on the angle and texture.

    How many go on is counted for each generator by itself, so that no generator crowds out another.

    A problem that states its space group goes without step 5 and without higher symmetries.
    """

    def __init__(self, options: FitOptions) -> None:
        self.options = options

    def refine(self, problem: Problem, candidates: Sequence[Candidate], workbench: Workbench) -> list[Candidate]:
        """Return the refined candidates, best first; see `Refiner.refine`.

        Disordered candidates are returned as they came: occupancies are not refined, and not dropped either.
        """
        if not isinstance(workbench.simulator, DifferentiableSimulator):
            raise OptionError("the refiner 'fit' needs a differentiable simulator", "use --simulator powder")
        ordered = [candidate for candidate in candidates if candidate.structure.is_ordered]
        disordered = [candidate for candidate in candidates if not candidate.structure.is_ordered]
        if not ordered:
            return disordered
        with SideWorkers(workbench.jobs, "fit") as workers:
            stages = first_stages(problem, ordered, workbench.simulator, workers, self.options)
            trials: list[Trial] = []
            try:
                steps = self._refine(stages, workbench)
                for state in workbench.progress.track(steps, "refining", total=4 + 2 * self.options.rounds):
                    stages, trials = state
            except KeyboardInterrupt:
                workbench.finished(stages.with_fits(trials))
                raise
            return [*stages.with_fits(trials), *disordered]

    def _refine(self, stages: Stages, workbench: Workbench) -> Iterator[tuple[Stages, list[Trial]]]:
        """Yield the trials after every stage, best first."""
        anchored = is_measured(stages.pattern)
        started = [self._trial(i, c, stages.profile, anchored=anchored) for i, c in enumerate(stages.candidates)]
        trials = stages.coarse(started)
        deciding = stages.best(trials, DECIDING_TRIALS, EARLY_PARSIMONY)
        stages = stages.with_edge(deciding).with_size(deciding)
        trials = [replace(trial, profile=stages.profile) for trial in trials]
        trials = stages.middle(stages.best(trials, 2 * self.options.keep, EARLY_PARSIMONY))
        yield stages, stages.best(trials, None)
        trials = stages.sharp(stages.best(trials, self.options.keep, EARLY_PARSIMONY), self.options.steps)
        trials = stages.best(trials, None)
        if not is_measured(stages.pattern):
            # Smoothing can lead a structure that starts close to the truth away from it.
            direct = started if len(started) <= FEW_CANDIDATES else []
            stages, trials = stages.as_calculated(trials, SOLVING_TRIALS, direct)
        yield stages, trials
        for turn in range(self.options.rounds):
            if stages.solved(trials):
                break
            trials = self._moved(stages, trials, workbench.random(1, turn))
            yield stages, trials
            if not stages.solved(trials) and stages.problem.space_group is None:
                trials = self._released(stages, trials, workbench.random(2, turn))
                yield stages, trials
        if self.options.restarts:
            trials = stages.restarted(trials, workbench.random(3))
        trials = stages.final(trials)
        if stages.problem.space_group is None:
            trials = stages.with_higher_symmetry(trials)
        yield stages, trials
        if is_measured(stages.pattern):
            yield from stages.as_measured(trials)
        else:
            yield stages.as_calculated(trials)

    def _moved(self, stages: Stages, trials: Sequence[Trial], random: np.random.Generator) -> list[Trial]:
        """Return the trials with what exchanging elements and displacing atoms of the best led to."""
        # The user knows which element is where, and about where.
        proposed = [trial for trial in trials if stages.candidates[trial.source].generator != GIVEN]
        start = stages.distinct(proposed, self.options.moved)
        moved = stages.middle([*exchanged(start), *kicked(start, random)])
        moved = stages.sharp(stages.best(moved, self.options.keep, EARLY_PARSIMONY), self.options.steps)
        return stages.best([*trials, *moved], None)

    def _released(self, stages: Stages, trials: Sequence[Trial], random: np.random.Generator) -> list[Trial]:
        """Return the trials with what the best became without symmetry, and in the symmetry that they then showed."""
        free = stages.sharp(released(stages.distinct(trials, self.options.released), random), self.options.steps)
        free = stages.best(free, self.options.released, EARLY_PARSIMONY)
        return stages.best([*trials, *free, *stages.sharp(symmetrised(free), self.options.steps)], None)

    def _trial(self, index: int, candidate: Candidate, profile: Profile, *, anchored: bool) -> Trial:
        """Return the candidate as a trial; `anchored` expects its atoms where it has them until the end.

        What a model of texture, composition and peak shapes cannot describe would move them, a little in every stage.
        """
        structure = candidate.structure
        numbers = np.array(structure.atomic_numbers)
        lattice, fractional = structure.lattice.matrix, structure.frac_coords
        directions = free_directions(lattice, fractional, numbers, keep_symmetry=self.options.keep_symmetry)
        anchor = fractional if anchored else None
        window = self.options.window
        limits = None
        if window is not None:
            limits = np.outer([1 - window, 1 + window], np.linalg.norm(lattice, axis=1))
        return Trial(index, lattice, fractional, numbers, profile, directions, anchor=anchor, window=limits)
