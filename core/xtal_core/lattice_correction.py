"""Volume and shape of proposed cells, fitted to the pattern before any proposal is judged.

A network gives lattice parameters within a few per cent; reflections of large crystals miss each other then. Atoms stay
where they are in the cell: six strains and the width of the reflections are all that is fitted, first the volume by a
scan, then all by damped Gauss–Newton steps (Levenberg 1944, Marquardt 1963), to a smoothed pattern first.

Atoms that are not quite right would be made up for by strains that are wrong. So each strain is expected to be small,
and the expectation weighed against the misfit as in a fit with a variance that is not known, n ln R² + Σ (ε/σ)² for n
independent observations: with a perfect pattern it counts for nothing, with a poor one it holds the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xtal_core.cells import CellBatch
from xtal_core.interfaces import DifferentiableSimulator, Simulator
from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray
from xtal_core.target import Target

#: Volumes tried, relative to the proposed one: 1.6 % apart in length.
VOLUME_FACTORS = np.geomspace(0.78, 1.28, 11)

#: σ of a strain that is still to be found once the volume is right.
EXPECTED_STRAIN = 0.02

#: Of a strain, in one step.
LARGEST_STEP = 0.03

#: Steps on each target.
STEPS = 6

FIRST_DAMPING = 1e-2

#: ε11, ε22, ε33, 2ε23, 2ε13, 2ε12, as `DifferentiableSimulator.linearise` counts them.
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True, eq=False)
class FittedCells:
    """Cells, what the reflections of each look like, and how well they describe the pattern.

    Attributes
    ----------
    cells
        n of them.
    profiles
        One a cell, without the smoothing of the target.
    residuals : (n,)
        R², scale and background fitted.
    """

    cells: CellBatch
    profiles: tuple[Profile, ...]
    residuals: FloatArray

    @classmethod
    def join(cls, parts: Sequence[FittedCells]) -> FittedCells:
        """Return the cells of all `parts`, in order."""
        return cls(
            CellBatch.join([part.cells for part in parts]),
            tuple(profile for part in parts for profile in part.profiles),
            np.concatenate([part.residuals for part in parts]),
        )


def fit_volumes(simulator: Simulator, target: Target, profile: Profile, cells: CellBatch) -> CellBatch:
    """Return `cells`, each at the volume at which it describes the pattern best."""
    patterns = simulator.scan_volume(cells, target.measurement, target.broadened(profile), VOLUME_FACTORS)
    best = residuals(target, patterns).argmin(axis=1)
    return replace(cells, lattices=cells.lattices * np.cbrt(VOLUME_FACTORS[best])[:, None, None])


def fit_strains(
    simulator: DifferentiableSimulator,
    targets: Sequence[Target],
    cells: CellBatch,
    profiles: Sequence[Profile],
    widths: tuple[float, float],
    observations: float,
    expected_strain: float,
) -> FittedCells:
    """Return `cells` with their lattices and Gaussian widths fitted to each of `targets` in turn.

    `widths` bound the standard deviation, in Å⁻¹, of the Gaussian; `observations` are how many numbers the pattern is
    worth; `expected_strain` is σ of a strain.
    """
    stiffness = np.diag([expected_strain**-2] * 6 + [0.0])
    profiles = list(profiles)
    values = np.full(len(cells), np.inf)
    strained = np.zeros((len(cells), 7))
    for target in targets:
        damping = np.full(len(cells), FIRST_DAMPING)
        values, matrices, gradients = _normal_equations(simulator, target, cells, profiles)
        for _ in range(STEPS):
            strength = values / observations
            pulled = strength[:, None, None] * stiffness
            step = _steps(matrices + pulled, gradients - np.einsum("nkl,nl->nk", pulled, strained), damping)
            trial_cells = replace(cells, lattices=cells.lattices @ (np.eye(3) + _strain(step[:, :6])))
            trial_profiles = [
                replace(profile, gaussian_sigma=float(np.clip(profile.gaussian_sigma + change, *widths)))
                for profile, change in zip(profiles, step[:, 6], strict=True)
            ]
            outcome, new_matrices, new_gradients = _normal_equations(simulator, target, trial_cells, trial_profiles)
            gain = values - outcome + strength * (_pull(strained, stiffness) - _pull(strained + step, stiffness))
            better = gain > 0
            strained = np.where(better[:, None], strained + step, strained)
            cells = replace(cells, lattices=np.where(better[:, None, None], trial_cells.lattices, cells.lattices))
            profiles = [new if b else old for b, new, old in zip(better, trial_profiles, profiles, strict=True)]
            values = np.where(better, outcome, values)
            matrices = np.where(better[:, None, None], new_matrices, matrices)
            gradients = np.where(better[:, None], new_gradients, gradients)
            damping = np.where(better, damping / 5, damping * 8)
    return FittedCells(cells, tuple(profiles), values)


def residuals(target: Target, patterns: FloatArray) -> FloatArray:
    """Return the (…) R² of `patterns` (…, n_points), scale and background of each fitted."""
    observed = target.observed
    patterns = target.without_background(patterns)
    overlap = np.maximum(patterns @ observed, 0.0)
    norms = np.einsum("...p,...p->...", patterns, patterns)
    return 1 - overlap**2 / (norms * float(observed @ observed) + 1e-300)


def _normal_equations(
    simulator: DifferentiableSimulator, target: Target, cells: CellBatch, profiles: Sequence[Profile]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return R² (n,), JᵀJ (n, 7, 7) and Jᵀ·misfit (n, 7) with respect to six strains and the Gaussian width."""
    result = simulator.linearise(
        cells,
        target.measurement,
        [target.broadened(profile) for profile in profiles],
        [np.eye(6 + 3 * count, 6) for count in cells.counts],
        ["gaussian_sigma"],
    )
    observed = target.observed
    total = float(observed @ observed)
    model = target.without_background(result.intensity)
    widths = np.array([profile.gaussian_sigma for profile in profiles])
    # Smoothing adds to the Gaussian in quadrature.
    chain = widths / np.hypot(widths, target.smoothing)
    jacobian = np.concatenate([result.structure_jacobian, result.profile_jacobian * chain[:, None, None]], axis=2)
    jacobian = target.without_background(jacobian, axis=1)
    norms = np.maximum(np.einsum("np,np->n", model, model), 1e-300)
    scales = np.maximum(model @ observed / norms, 0.0)
    misfit = observed - scales[:, None] * model
    # The scale follows the other parameters: variable projection (Golub and Pereyra 1973).
    along = np.einsum("np,npk->nk", model, jacobian) / norms[:, None]
    jacobian = scales[:, None, None] * (jacobian - model[:, :, None] * along[:, None, :])
    matrices = np.einsum("npk,npl->nkl", jacobian, jacobian) / total
    gradients = np.einsum("npk,np->nk", jacobian, misfit) / total
    return np.einsum("np,np->n", misfit, misfit) / total, matrices, gradients


def _steps(matrices: FloatArray, gradients: FloatArray, damping: FloatArray) -> FloatArray:
    """Return (n, 7) damped steps, shortened where a strain would exceed `LARGEST_STEP`."""
    diagonal = np.einsum("nkk->nk", matrices)
    floor = 1e-9 * np.maximum(diagonal.max(axis=1, keepdims=True), 1e-30)
    damped = matrices + (damping[:, None] * diagonal + floor)[:, :, None] * np.eye(matrices.shape[1])
    step = np.linalg.solve(damped, gradients[:, :, None])[:, :, 0]
    return step / np.maximum(np.abs(step[:, :6]).max(axis=1) / LARGEST_STEP, 1.0)[:, None]


def _strain(components: FloatArray) -> FloatArray:
    """Return the (n, 3, 3) symmetric strains with (n, 6) `components`."""
    strain = np.zeros((len(components), 3, 3))
    for column, (i, j) in enumerate(_VOIGT):
        strain[:, i, j] = strain[:, j, i] = components[:, column] * (1.0 if i == j else 0.5)
    return strain


def _pull(strained: FloatArray, stiffness: FloatArray) -> FloatArray:
    """Return (n,) Σ (ε/σ)² of strains (n, 7), beside which the change of width counts for nothing."""
    return np.einsum("nk,kl,nl->n", strained, stiffness, strained)
