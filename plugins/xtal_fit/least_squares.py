"""Levenberg–Marquardt for many structures at once, scale and background eliminated.

Scale and background are linear, so that for every structure they follow from its pattern (variable projection; Golub
and Pereyra 1973, in Kaufman's approximation). What is left is a small dense problem a structure, while patterns and
Jacobians of all structures come from the simulator in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from xtal_core.cells import CellBatch
from xtal_core.interfaces import DifferentiableSimulator
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import BoolArray, FloatArray
from xtal_core.workers import SideWorkers
from xtal_fit.trial import ProfileParameter, Trial

#: Largest change in one step: strain components, and displacements in Å.
LARGEST_STRAIN = 0.03
LARGEST_DISPLACEMENT = 0.25

#: Å; how far each coordinate of an atom is expected to be from its anchor, or to move from where a fit started.
EXPECTED_DISPLACEMENT = 0.3

#: Atomic number from which X-rays see an atom well; lighter ones are expected to stay nearer to where they started.
WELL_SEEN = 8

#: What a step must gain in a search, as a fraction of the cost.
CONVERGED = 1e-4

#: Groups of trials for each process.
GROUPS = 4

FIRST_DAMPING = 1e-3
LARGEST_DAMPING = 1e4


class FitTarget(Protocol):
    """What trials are fitted to: `xtal_core.target.Target`, or the measured points themselves."""

    @property
    def measurement(self) -> Measurement:
        """The axis on which patterns are calculated."""
        ...

    @property
    def smoothing(self) -> float:
        """Standard deviation in Å⁻¹ of the smoothing applied."""
        ...

    @property
    def observed(self) -> FloatArray:
        """(n_points,): what calculated patterns should be."""
        ...

    def broadened(self, profile: Profile) -> Profile:
        """Return `profile` with the smoothing added."""
        ...

    def without_background(self, patterns: FloatArray, axis: int = -1) -> FloatArray:
        """Return `patterns`, weighted and projected, with the points of `observed` along `axis`."""
        ...


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Where a structure stands: its misfit, the pull of expectations, and the linear problems that go with them.

    `residual` is the sum of squared misfits relative to the observed sum of squares, `pull` the sum of squared
    deviations from expectations in units of their uncertainties.
    """

    residual: float
    matrix: FloatArray
    gradient: FloatArray
    pull: float
    pull_matrix: FloatArray
    pull_gradient: FloatArray

    def cost(self, strength: float) -> float:
        """Return the misfit with expectations weighing `strength`."""
        return self.residual + strength * self.pull


def fit(
    simulator: DifferentiableSimulator,
    target: FitTarget,
    trials: Sequence[Trial],
    parameters: Sequence[ProfileParameter],
    steps: int,
    observations: float,
    *,
    workers: SideWorkers | None = None,
    converged: float = CONVERGED,
    hold_bounds: bool = False,
) -> list[Trial]:
    """Return `trials` after at most `steps` accepted or rejected steps each.

    Expectations (of profile parameters, and of atoms to stay near where they started) are weighed against a misfit of
    unknown variance, n ln R² + Σ (deviation/uncertainty)² for n independent `observations`: they guide a poor fit and
    do not bias a good one. `jobs` groups of trials are fitted at the same time. A fit
    has converged when a step lowers the cost by less than the fraction `converged`, or none lowers it.

    `hold_bounds` leaves a profile parameter out of a step that would carry it beyond its bound, so that the others do
    not wait for what it cannot do. A search of a few steps does without.
    """
    # Large and small cells alternate, so that all groups take about as long; trials converge sooner or later.
    order = sorted(range(len(trials)), key=lambda i: -len(trials[i].numbers) * trials[i].active.shape[1])
    n_groups = 1 if workers is None or workers.jobs == 1 else min(GROUPS * workers.jobs, len(order))
    groups = [order[start::n_groups] for start in range(n_groups)]
    chunks = [
        (simulator, target, [trials[i] for i in group], parameters, steps, observations, converged, hold_bounds)
        for group in groups
    ]
    fitted = [_fit_group(chunk) for chunk in chunks] if workers is None else workers.map(_fit_group, chunks)
    by_index = {
        i: trial for group, done in zip(groups, fitted, strict=True) for i, trial in zip(group, done, strict=True)
    }
    return [by_index[i] for i in range(len(trials))]


#: Simulator, target, trials, parameters, steps, observations, `converged` and `hold_bounds` of `fit`.
_Chunk = tuple[DifferentiableSimulator, FitTarget, Sequence[Trial], Sequence[ProfileParameter], int, float, float, bool]


def _fit_group(chunk: _Chunk) -> list[Trial]:
    simulator, target, trials, parameters, steps, observations, converged, hold_bounds = chunk
    states = list(trials)
    starts = [trial.fractional if trial.anchor is None else trial.anchor for trial in trials]
    equations = _linearise(simulator, target, states, starts, parameters)
    damping = np.full(len(states), FIRST_DAMPING)
    running = [i for i in range(len(states)) if equations[i].matrix.shape[0]]
    for _ in range(steps):
        if not running:
            break
        strengths = {i: equations[i].residual / observations for i in running}
        proposals = [_step(states[i], equations[i], strengths[i], damping[i], parameters, hold_bounds) for i in running]
        outcomes = _linearise(simulator, target, proposals, [starts[i] for i in running], parameters)
        still = []
        for i, proposal, outcome in zip(running, proposals, outcomes, strict=True):
            before = equations[i].cost(strengths[i])
            gain = before - outcome.cost(strengths[i])
            if gain > 0:
                finished = gain < converged * before
                states[i], equations[i] = proposal, outcome
                damping[i] = max(damping[i] / 5, 1e-9)
            else:
                damping[i] *= 8
                finished = damping[i] > LARGEST_DAMPING
            if not finished:
                still.append(i)
        running = still
    return [
        replace(state, residual=e.residual, converged=i not in running)
        for i, (state, e) in enumerate(zip(states, equations, strict=True))
    ]


def normal_equations(
    simulator: DifferentiableSimulator,
    target: FitTarget,
    trials: Sequence[Trial],
    parameters: Sequence[ProfileParameter],
) -> list[NormalEquations]:
    """Return where `trials` stand; their parameters are the active structural ones, then `parameters`."""
    return _linearise(simulator, target, trials, [trial.fractional for trial in trials], parameters)


def _linearise(
    simulator: DifferentiableSimulator,
    target: FitTarget,
    trials: Sequence[Trial],
    starts: Sequence[FloatArray],
    parameters: Sequence[ProfileParameter],
) -> list[NormalEquations]:
    """Return the normal equations of every trial; parameters are the structural ones, then the profile's."""
    directions = [trial.active for trial in trials]
    result = simulator.linearise(
        CellBatch.from_cells((t.lattice, t.fractional, t.numbers) for t in trials),
        target.measurement,
        [target.broadened(trial.profile) for trial in trials],
        directions,
        [parameter.name for parameter in parameters],
    )
    observed = target.observed
    total = float(observed @ observed)
    simulated = target.without_background(result.intensity)
    structural = target.without_background(result.structure_jacobian, axis=1)
    profile = target.without_background(result.profile_jacobian, axis=1)
    equations = []
    for row, trial in enumerate(trials):
        model = simulated[row]
        norm = float(model @ model)
        scale = max(float(model @ observed) / norm, 0.0) if norm > 0 else 0.0
        misfit = observed - scale * model
        chain = [_chain(parameter, trial.profile, target) for parameter in parameters]
        jacobian = scale * np.concatenate(
            [structural[row][:, : directions[row].shape[1]], profile[row] * np.array(chain)], axis=1
        )
        if norm > 0:
            jacobian = jacobian - np.outer(model, model @ jacobian) / norm
        matrix = jacobian.T @ jacobian / total
        gradient = jacobian.T @ misfit / total
        residual = float(misfit @ misfit) / total
        equations.append(
            NormalEquations(residual, matrix, gradient, *_expectations(trial, starts[row], parameters, len(gradient)))
        )
    return equations


def _chain(parameter: ProfileParameter, profile: Profile, target: FitTarget) -> float:
    """Return d(simulated parameter)/d(refined parameter): smoothing adds to the Gaussian width in quadrature."""
    if parameter.name != "gaussian_sigma":
        return 1.0
    return profile.gaussian_sigma / max(np.hypot(profile.gaussian_sigma, target.smoothing), 1e-12)


def _expectations(
    trial: Trial, start: FloatArray, parameters: Sequence[ProfileParameter], n_parameters: int
) -> tuple[float, FloatArray, FloatArray]:
    """Return the sum of squared deviations from expectations, its curvature and its downhill gradient."""
    pull, matrix, gradient = 0.0, np.zeros((n_parameters, n_parameters)), np.zeros(n_parameters)
    n_structural = n_parameters - len(parameters)
    for row, parameter in enumerate(parameters, start=n_structural):
        if parameter.expected is None:
            continue
        deviation = (getattr(trial.profile, parameter.name) - parameter.expected) / parameter.uncertainty
        pull += deviation**2
        matrix[row, row] = 1 / parameter.uncertainty**2
        gradient[row] = -deviation / parameter.uncertainty
    if trial.displaced and n_structural > trial.directions.n_strains:
        rows = slice(trial.directions.n_strains, n_structural)
        moves = trial.directions.columns[6:, trial.directions.n_strains :].reshape(len(start), 3, -1)
        per_expected = 1 / (EXPECTED_DISPLACEMENT * np.minimum(trial.numbers / WELL_SEEN, 1))
        cartesian = np.einsum("acd,ce,a->aed", moves, trial.lattice, per_expected).reshape(3 * len(start), -1)
        moved = ((trial.fractional - start) @ trial.lattice * per_expected[:, None]).ravel()
        pull += float(moved @ moved)
        matrix[rows, rows] = cartesian.T @ cartesian
        gradient[rows] = -(cartesian.T @ moved)
    return pull, matrix, gradient


def _step(
    trial: Trial,
    equations: NormalEquations,
    strength: float,
    damping: float,
    parameters: Sequence[ProfileParameter],
    hold_bounds: bool,
) -> Trial:
    """Return the trial after one damped Gauss–Newton step within the allowed lengths and bounds."""
    matrix = equations.matrix + strength * equations.pull_matrix
    diagonal = np.diag(matrix)
    floor = 1e-9 * max(float(diagonal.max(initial=0.0)), 1e-30)
    gradient = equations.gradient + strength * equations.pull_gradient
    n_structural = len(gradient) - len(parameters)
    low, high = np.zeros((2, len(gradient)), bool)
    if hold_bounds:
        values = np.array([getattr(trial.profile, parameter.name) for parameter in parameters])
        low[n_structural:] = values <= [parameter.lowest for parameter in parameters]
        high[n_structural:] = values >= [parameter.highest for parameter in parameters]
    step = _solve_held(matrix + np.diag(damping * diagonal + floor), gradient, low, high)
    n_strains = trial.directions.n_strains
    longest = max(
        np.abs(step[:n_strains]).max(initial=0.0) / LARGEST_STRAIN,
        np.abs(step[n_strains:n_structural]).max(initial=0.0) / LARGEST_DISPLACEMENT,
        1.0,
    )
    step = step / longest
    profile = trial.profile
    for parameter, change in zip(parameters, step[n_structural:], strict=True):
        value = getattr(profile, parameter.name)
        # At most a factor of two for widths, so that none collapses in a single step.
        if parameter.lowest > 0:
            change = float(np.clip(change, -value / 2, value))
        profile = replace(
            profile, **{parameter.name: float(np.clip(value + change, parameter.lowest, parameter.highest))}
        )
    return trial.stepped(step[:n_structural], profile)


def _solve_held(matrix: FloatArray, gradient: FloatArray, low: BoolArray, high: BoolArray) -> FloatArray:
    """Return (n,) the solution of `matrix` x = `gradient` with x = 0 where it would leave the bound that it is at.

    `low` and `high` (n,) tell which parameters are at their lower and at their upper bound.
    """
    free = np.ones(len(gradient), bool)
    while True:
        step = np.zeros(len(gradient))
        step[free] = np.linalg.solve(matrix[np.ix_(free, free)], gradient[free])
        leaving = (low & (step < 0)) | (high & (step > 0))
        if not leaving.any():
            return step
        free &= ~leaving
