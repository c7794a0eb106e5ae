"""The stages of a refinement, from a smoothed pattern to the pattern as it is, and the choice of trials in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from xtal_core.agreement import fit_scale_and_background, resample
from xtal_core.candidate import Candidate
from xtal_core.cells import CellBatch
from xtal_core.interfaces import DifferentiableSimulator
from xtal_core.measurement import Profile
from xtal_core.parsimony import Parsimony, parsimony_of
from xtal_core.pattern import Pattern
from xtal_core.pattern_features import is_measured, is_noisy, peak_width
from xtal_core.problem import Problem
from xtal_core.robust_weights import downweighted
from xtal_core.target import Target, make_target, starting_profile
from xtal_core.workers import SideWorkers
from xtal_fit.least_squares import FitTarget, fit
from xtal_fit.moves import restarted, symmetrised, undisplaced
from xtal_fit.plugin import FitOptions
from xtal_fit.trial import ProfileParameter, Trial
from xtal_fit.uncertainty import uncertainties
from xtal_fit.whole_pattern import WholePattern, whole_pattern

#: Å⁻¹; smoothing of the first stage, in which cells a few per cent off must find their way.
COARSE_WIDTH = 0.1

#: Steps of the first two stages.
COARSE_STEPS = 7
MIDDLE_STEPS = 8

#: Structures with more free parameters are only strained in the first stage.
FEW_DIRECTIONS = 26

#: R², and number of free parameters, that need no further search: of a pattern without noise, and of one with, whose
#: texture, background and peak shapes are never described perfectly.
SOLVED = 1e-6, 12
SOLVED_MEASURED = 0.03, 10

#: Å⁻¹; sharper peaks are smoothed to this width until the last stage, which only the best candidates reach.
SEARCH_WIDTH = 0.02

#: Candidates refined, and steps made, at the full resolution of a sharp pattern.
FINAL_KEEP = 12
FINAL_STEPS = 12

#: R² above which the error of smoothed patterns does not matter.
NEARLY_DESCRIBED = 1e-3

#: How often weights follow a robust fit.
ROBUST_ROUNDS = 3

#: Candidates refined against the measured points.
WHOLE_KEEP = 14

#: How many of them are refined until they converge.
CONVERGING = 5

#: Trials that restarts are drawn around.
RESTARTING = 3

#: How many candidates that came from the same structure type are refined further.
MOST_OF_A_KIND = 3


def first_stages(
    problem: Problem,
    candidates: Sequence[Candidate],
    simulator: DifferentiableSimulator,
    workers: SideWorkers,
    options: FitOptions,
) -> Stages:
    """Return the stages as the pattern suggests them before anything was fitted."""
    pattern = problem.pattern
    return Stages(
        problem,
        candidates,
        simulator,
        options,
        workers,
        native_width=peak_width(pattern),
        parsimony=parsimony_of(pattern),
        edge=float(pattern.q[-1]),
        profile=starting_profile(pattern, problem.crystallite_size),
    )


@dataclass(frozen=True, eq=False)
class Stages:
    """The stages of one refinement, and what they share."""

    problem: Problem
    candidates: Sequence[Candidate]
    simulator: DifferentiableSimulator
    options: FitOptions
    workers: SideWorkers
    native_width: float
    parsimony: Parsimony
    edge: float | None
    profile: Profile
    weighted: Pattern | None = None

    @property
    def pattern(self) -> Pattern:
        """What was measured."""
        return self.problem.pattern

    @property
    def fitted(self) -> Pattern:
        """The pattern with the uncertainties that it is fitted with: its own, unless others were put in their place."""
        return self.pattern if self.weighted is None else self.weighted

    def target(self, smoothing: float) -> Target:
        """Return the pattern smoothed by `smoothing` Å⁻¹."""
        return make_target(self.fitted, smoothing, self.native_width, reflections_to=self.edge)

    def with_edge(self, trials: Sequence[Trial]) -> Stages:
        """Return the stages with reflections beyond the last point, or without, whichever describes `trials` better.

        A sample has such reflections, and broad ones reach into the pattern; calculated patterns often lack them.
        """
        beyond = replace(self, edge=None)
        residuals = [
            min(
                trial.residual
                for trial in fit(self.simulator, stages.target(0.0), trials, [], 0, self.parsimony.observations)
            )
            for stages in (self, beyond)
        ]
        return self if residuals[0] <= residuals[1] else beyond

    @property
    def widest_gaussian(self) -> float:
        """Å⁻¹: with what the crystallite size adds, peaks a third wider than they are seen to be."""
        size = self.problem.crystallite_size
        rest = (1.33 * self.native_width) ** 2 - (0.0 if size is None else 6 / size**2)
        return float(np.sqrt(max(rest, (0.6 * self.native_width) ** 2)))

    @property
    def search_smoothing(self) -> float:
        """Å⁻¹: what takes the peaks to `SEARCH_WIDTH`, if they are sharper."""
        return float(np.sqrt(max(SEARCH_WIDTH**2 - self.native_width**2, 0.0)))

    def with_size(self, trials: Sequence[Trial]) -> Stages:
        """Return the stages with a crystallite size to be refined, if that describes broad peaks better.

        Small crystals show the side lobes of sinc²; a distribution of sizes, or strain, does not, and the Lorentzian
        does better.
        """
        if self.problem.crystallite_size is not None or self.native_width < SEARCH_WIDTH:
            return self
        width = self.native_width
        sized = replace(
            self, profile=replace(self.profile, crystallite_size=np.sqrt(6) / width, gaussian_sigma=0.3 * width)
        )
        residuals = [
            min(
                trial.residual
                for trial in stages.sharp([replace(t, profile=stages.profile) for t in trials], MIDDLE_STEPS)
            )
            for stages in (self, sized)
        ]
        return self if residuals[0] <= residuals[1] else sized

    def coarse(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials fitted to the smoothed pattern, those with many parameters by strains only."""
        started = [replace(t, displaced=t.directions.n_directions <= FEW_DIRECTIONS) for t in trials]
        return self._fit(self.target(COARSE_WIDTH), started, [], COARSE_STEPS)

    def middle(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials fitted to a less smoothed pattern, atoms and the Gaussian width included."""
        native = self.native_width
        target = self.target(COARSE_WIDTH / 2 if native < COARSE_WIDTH / 2 else 0.0)
        width = ProfileParameter("gaussian_sigma", 0.1 * native, self.widest_gaussian)
        started = [replace(trial, displaced=True) for trial in trials]
        return self._fit(target, started, [width], MIDDLE_STEPS)

    def sharp(self, trials: Sequence[Trial], steps: int) -> list[Trial]:
        """Return the trials fitted to the pattern at the resolution of the search, with the whole profile."""
        return self._fit(self.target(self.search_smoothing), trials, self.parameters(), steps)

    def final(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the best trials at full resolution, those of a pattern with broad peaks as they are."""
        if self.native_width >= SEARCH_WIDTH:
            return self.best(trials, None)
        return self.best(self._sharpest(self.best(self.distinct(trials, 2 * FINAL_KEEP), FINAL_KEEP)), None)

    def with_higher_symmetry(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials, and the best of them in every higher symmetry that they come close to."""
        higher = self._sharpest(symmetrised(self.distinct(trials, FINAL_KEEP)))
        return self.best([*trials, *higher], None)

    def as_measured(self, trials: Sequence[Trial]) -> Iterator[tuple[Stages, list[Trial]]]:
        """Yield the best trials refined against the measured points, texture and all, displaced and not.

        For a problem that asks for it, points far above the best fit then count less, for the search as for the end of
        it, and less again after the next fit.
        """
        stages, chosen = self, self.distinct(trials, WHOLE_KEEP)
        refined = stages._whole(chosen)
        yield stages, refined
        for _ in range(ROBUST_ROUNDS if self.problem.robust else 0):
            fitted = stages.with_fits(refined[:1])[0].fit
            assert fitted is not None
            stages = replace(stages, weighted=downweighted(self.pattern, fitted.calculated))
            refined = stages._whole(stages.final(stages.sharp(chosen, self.options.steps)))
            yield stages, refined

    def _whole(self, trials: Sequence[Trial]) -> list[Trial]:
        whole = self.whole_pattern
        refined = self.best(whole.refine([*trials, *undisplaced(trials, self.candidates)]), None)
        chosen = self.distinct(refined, CONVERGING)
        rest = [trial for trial in refined if trial not in chosen]
        return self.best([*whole.converged(chosen), *rest], None)

    def restarted(self, trials: Sequence[Trial], random: np.random.Generator) -> list[Trial]:
        """Return the trials, and what the best of them became from starts drawn at random around them."""
        known_size = self.problem.crystallite_size is not None
        drawn = restarted(self.distinct(trials, RESTARTING), self.options.restarts, random, known_size=known_size)
        return self.best([*trials, *self.sharp(drawn, self.options.steps)], None)

    def as_calculated(
        self, trials: Sequence[Trial], n: int = FINAL_KEEP, direct: Sequence[Trial] = ()
    ) -> tuple[Stages, list[Trial]]:
        """Return the trials, the `n` best of them refined against the points of a pattern without noise.

        So are the trials `direct`, as an alternative to what was made of them.

        Smoothing, however little, errs at the ends of a pattern by some 1e-6 of its squares, which is enough to keep
        atoms 0.01 Å away from where they belong; so is the wrong answer to whether there are reflections beyond the
        last point. Both no longer matter here: the stages returned have the better answer.
        """
        close = [trial for trial in self.distinct(trials, n) if trial.residual < NEARLY_DESCRIBED]
        close += [replace(trial, displaced=True) for trial in direct]
        if not close:
            return self, list(trials)
        either = [replace(self, edge=float(self.pattern.q[-1])), replace(self, edge=None)]
        decided = min(either, key=lambda stages: stages._on_points(close[:1])[0].residual)
        rest = [trial for trial in trials if trial not in close]
        return decided, decided.best([*decided._on_points(close), *rest], None)

    def _on_points(self, trials: Sequence[Trial]) -> list[Trial]:
        return self._fit(self.whole_pattern.points, trials, self.parameters(), self.options.steps)

    @cached_property
    def whole_pattern(self) -> WholePattern:
        """The last stage of a measured pattern."""
        return whole_pattern(
            self.simulator,
            self.fitted,
            self.profile,
            self.native_width,
            self.parsimony,
            known_size=self.problem.crystallite_size is not None,
            options=self.options,
            reflections_to=self.edge,
            workers=self.workers,
        )

    def _sharpest(self, trials: Sequence[Trial]) -> list[Trial]:
        return self._fit(self.target(0.0), trials, self.parameters(), FINAL_STEPS)

    def _fit(
        self, target: FitTarget, trials: Sequence[Trial], parameters: Sequence[ProfileParameter], steps: int
    ) -> list[Trial]:
        observations = self.parsimony.observations
        return fit(self.simulator, target, trials, parameters, steps, observations, workers=self.workers)

    def parameters(self) -> list[ProfileParameter]:
        """Return the profile parameters that are refined at full resolution."""
        native = self.native_width
        parameters = [ProfileParameter("gaussian_sigma", 0.05 * native, self.widest_gaussian)]
        if self.profile.crystallite_size is None:
            parameters.append(ProfileParameter("lorentzian_hwhm", 0.0, 3 * native))
        elif self.problem.crystallite_size is None:
            parameters.append(ProfileParameter("crystallite_size", 0.5 / native, 20 / native))
        if is_measured(self.pattern):
            parameters.append(ProfileParameter("zero_shift", -0.3, 0.3, 0.0, 0.1))
            parameters.append(ProfileParameter("b_iso", 0.0, 6.0, 0.7, 0.7))
        return parameters

    def best(self, trials: Sequence[Trial], n: int | None, parsimony: float = 1.0) -> list[Trial]:
        """Return the `n` best trials of every generator, best first, at most a few of one origin; all of them for None.

        Each generator has its own `n`, because what one proposes is rough in another way than what another does: of
        trials half refined those of a structure type describe the pattern well sooner than those of a network.

        `parsimony` scales the penalty on free parameters: what has not converged yet is not judged by its R² alone.
        A measured pattern tempts with distorted structures, so that the prior has a say before the end; on a calculated
        one the right structure shows by its residual, and unlikely types must not be given up early.
        """
        prior_counts = is_measured(self.pattern)

        def merit(trial: Trial) -> float:
            n_parameters = parsimony * trial.directions.n_directions
            return self.parsimony.merit(trial.residual, n_parameters, self._prior(trial) if prior_counts else 0.0)

        ordered = sorted(trials, key=merit)
        if n is None:
            return ordered
        taken: Counter[str] = Counter()
        of_a_kind: Counter[str] = Counter()
        chosen = []
        for trial in ordered:
            candidate = self.candidates[trial.source]
            kind = candidate.details.get("prototype", f"{trial.source}")
            if taken[candidate.generator] < n and of_a_kind[kind] < MOST_OF_A_KIND:
                chosen.append(trial)
                taken[candidate.generator] += 1
                of_a_kind[kind] += 1
        return chosen

    def solved(self, trials: Sequence[Trial]) -> bool:
        """Return whether the best trial is so good, for its parameters, that no further search is needed."""
        best = trials[0]
        enough = SOLVED_MEASURED if is_noisy(self.pattern) else SOLVED
        penalised = self.parsimony.penalised(best.residual, best.directions.n_directions)
        return penalised < self.parsimony.penalised(*enough)

    def distinct(self, trials: Sequence[Trial], n: int) -> list[Trial]:
        """Return the first `n` trials of every generator that differ in residual or volume.

        Of those that do not, the likeliest is taken.
        """
        taken: Counter[str] = Counter()
        ended: set[str] = set()
        chosen: list[Trial] = []
        for trial in trials:
            generator = self.candidates[trial.source].generator
            if generator in ended:
                continue
            volume = np.linalg.det(trial.lattice)
            for place, other in enumerate(chosen):
                if (
                    self.candidates[other.source].generator == generator
                    and abs(trial.residual / other.residual - 1) < 1e-2
                    and abs(volume / np.linalg.det(other.lattice) - 1) < 1e-3
                ):
                    simpler = trial.directions.n_directions <= other.directions.n_directions
                    if simpler and self._prior(trial) > self._prior(other):
                        chosen[place] = trial
                    break
            else:
                if taken[generator] == n:
                    ended.add(generator)
                else:
                    chosen.append(trial)
                    taken[generator] += 1
        return chosen

    def _prior(self, trial: Trial) -> float:
        return self.candidates[trial.source].prior - trial.unlikelihood

    def with_fits(self, trials: Sequence[Trial]) -> list[Candidate]:
        """Return candidates with refined structures and their fit on the measured points."""
        from pymatgen.core import Structure

        if not trials:
            return []
        pattern = self.pattern
        measurement = self.whole_pattern.points.measurement
        cells = CellBatch.from_cells((t.lattice, t.fractional, t.numbers) for t in trials)
        simulated = self.simulator.simulate(cells, measurement, [t.profile for t in trials])
        sigma = None if self.weighted is None else self.weighted.uncertainty
        fits = fit_scale_and_background(pattern, resample(simulated, measurement, pattern.q), sigma)
        parameters = self.whole_pattern.all_parameters() if is_measured(pattern) else self.parameters()
        determined = uncertainties(
            self.simulator, self.whole_pattern.points, trials, parameters, n_linear=fits.n_parameters
        )
        return [
            self._stating(trial).with_fit(
                Structure(trial.lattice, trial.numbers.tolist(), trial.fractional),
                replace(
                    fits.fit(row, trial.profile, self.n_parameters(trial), determined[row]),
                    converged=trial.converged,
                    remarks=trial.moves,
                ),
            )
            for row, trial in enumerate(trials)
        ]

    def n_parameters(self, trial: Trial) -> int:
        """Return how many parameters, scale and background apart, describe `trial`."""
        if is_measured(self.pattern):
            return self.whole_pattern.n_parameters(trial)
        return trial.directions.n_directions + len(self.parameters())

    def _stating(self, trial: Trial) -> Candidate:
        """Return the candidate that `trial` came from, with its prior and the assumption about its last reflections."""
        candidate = self.candidates[trial.source]
        details = candidate.details | {"reflections_beyond_pattern": self.edge is None}
        return replace(candidate, prior=self._prior(trial), details=details)
