"""The refiner: from many rough candidates to a few refined ones, in stages of rising resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xtal_core.agreement import fit_scale_and_background, measurement_for, resample
from xtal_core.candidate import Candidate, Fit
from xtal_core.cells import CellBatch
from xtal_core.errors import OptionError
from xtal_core.interfaces import DifferentiableSimulator, Refiner, Workbench
from xtal_core.problem import Problem
from xtal_core.target import Target, is_measured, make_target, peak_width, starting_profile
from xtal_fit.least_squares import fit
from xtal_fit.plugin import FitOptions
from xtal_fit.release import released, symmetrised
from xtal_fit.symmetry import free_directions
from xtal_fit.trial import ProfileParameter, Trial

#: Å⁻¹; smoothing of the first stage, in which cells a few per cent off must find their way.
COARSE_WIDTH = 0.1

#: R² of a noise-free pattern below which a symmetric candidate needs no further search.
SOLVED = 2e-6

#: Å; how far atoms are expected to move once the symmetry is given up.
DISPLACEMENT_PRIOR = 0.5


class FitRefiner(Refiner):
    """Least-squares refinement in stages.

    1. On the smoothed pattern, strains only, for every candidate.
    2. The better half, on a less smoothed pattern, with displacements.
    3. The best `keep`, on the pattern as it is, with the profile.
    4. The best of those once more without symmetry, where that is worth its parameters.
    """

    def __init__(self, options: FitOptions) -> None:
        self.options = options

    def refine(self, problem: Problem, candidates: Sequence[Candidate], workbench: Workbench) -> list[Candidate]:
        """Return the refined candidates, best first; see `Refiner.refine`."""
        simulator = workbench.simulator
        if not isinstance(simulator, DifferentiableSimulator):
            raise OptionError("the refiner 'fit' needs a differentiable simulator", "use --simulator powder")
        pattern = problem.pattern
        native = peak_width(pattern)
        profile = starting_profile(pattern, problem.crystallite_size)
        edge = float(pattern.q[-1])

        def target(smoothing: float) -> Target:
            return make_target(pattern, smoothing, native, reflections_to=edge)

        trials = [self._trial(index, candidate, profile) for index, candidate in enumerate(candidates)]
        strained = [replace(trial, displaced=False) for trial in trials]
        strained = fit(simulator, target(COARSE_WIDTH), strained, [], 6)
        better = _best(strained, max(self.options.keep, len(trials) // 2))
        middle = COARSE_WIDTH / 2 if native < COARSE_WIDTH / 2 else 0.0
        moved = fit(
            simulator, target(middle), [replace(trial, displaced=True) for trial in better], _widths(problem, native), 8
        )
        parameters = _profile_parameters(problem, native)
        sharp = target(0.0)
        final = fit(simulator, sharp, _best(moved, self.options.keep), parameters, self.options.steps)
        final = _best(final, len(final))
        if self.options.released and final[0].residual > SOLVED:
            free = released(_distinct(final, self.options.released), workbench.random(1))
            free = fit(simulator, sharp, free, parameters, self.options.steps, DISPLACEMENT_PRIOR)
            free = _best(free, self.options.released)
            symmetric = fit(simulator, sharp, symmetrised(free), parameters, self.options.steps)
            final = sorted([*final, *free, *symmetric], key=lambda trial: trial.residual)
        return self._with_fits(problem, candidates, final, simulator, edge, len(parameters))

    def _trial(self, index: int, candidate: Candidate, profile: object) -> Trial:
        structure = candidate.structure
        numbers = np.array(structure.atomic_numbers)
        lattice, fractional = structure.lattice.matrix, structure.frac_coords
        return Trial(
            index,
            lattice,
            fractional,
            numbers,
            profile,
            free_directions(lattice, fractional, numbers, keep_symmetry=self.options.keep_symmetry),
        )

    def _with_fits(self, problem, candidates, trials, simulator, edge, n_profile):
        """Return candidates with refined structures and their fit on the measured points."""
        from pymatgen.core import Structure

        pattern = problem.pattern
        measurement = replace(measurement_for(pattern), reflections_to=edge)
        cells = CellBatch.from_cells((t.lattice, t.fractional, t.numbers) for t in trials)
        simulated = resample(
            simulator.simulate(cells, measurement, [t.profile for t in trials]), measurement, pattern.q
        )
        fits = fit_scale_and_background(pattern, simulated)
        return [
            candidates[trial.source].with_fit(
                Structure(trial.lattice, trial.numbers.tolist(), trial.fractional),
                Fit(
                    fits.calculated[row],
                    fits.backgrounds[row],
                    trial.profile,
                    float(fits.scales[row]),
                    trial.residual,
                    fits.n_parameters + n_profile + trial.directions.n_directions,
                ),
            )
            for row, trial in enumerate(trials)
        ]


def _best(trials: Sequence[Trial], n: int) -> list[Trial]:
    return sorted(trials, key=lambda trial: trial.residual)[:n]


def _distinct(trials: Sequence[Trial], n: int) -> list[Trial]:
    """Return the first `n` trials that differ in residual or cell."""
    chosen: list[Trial] = []
    for trial in trials:
        volume = abs(np.linalg.det(trial.lattice))
        if not any(
            abs(trial.residual - other.residual) < 1e-3 * other.residual
            and abs(volume / abs(np.linalg.det(other.lattice)) - 1) < 1e-3
            for other in chosen
        ):
            chosen.append(trial)
    return chosen[:n]


def _widths(problem: Problem, native: float) -> list[ProfileParameter]:
    return [ProfileParameter("gaussian_sigma", 0.1 * native, 3 * native)]


def _profile_parameters(problem: Problem, native: float) -> list[ProfileParameter]:
    parameters = [ProfileParameter("gaussian_sigma", 0.05 * native, 3 * native)]
    if problem.crystallite_size is None:
        parameters.append(ProfileParameter("lorentzian_hwhm", 0.0, 3 * native))
    if is_measured(problem.pattern):
        parameters.append(ProfileParameter("zero_shift", -0.3, 0.3, 0.0, 0.1))
        parameters.append(ProfileParameter("b_iso", 0.0, 6.0, 0.7, 0.7))
    return parameters
