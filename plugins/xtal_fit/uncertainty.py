"""Standard uncertainties of a refinement, from the normal matrix of its measured points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xtal_core.candidate import Uncertainty
from xtal_core.interfaces import DifferentiableSimulator
from xtal_fit.least_squares import normal_equations
from xtal_fit.measured_points import MeasuredPoints
from xtal_fit.trial import ProfileParameter, Trial

#: A parameter whose curvature is below this fraction of its peers' is not determined by the pattern.
UNDETERMINED = 1e-12


def uncertainties(
    simulator: DifferentiableSimulator,
    points: MeasuredPoints,
    trials: Sequence[Trial],
    parameters: Sequence[ProfileParameter],
    n_linear: int,
) -> list[Uncertainty]:
    """Return how well `points` determine the structure and the profile `parameters` of each of `trials`.

    Scale and background (`n_linear` coefficients) are eliminated, not fixed: the inverse of what is left of the normal
    matrix is the covariance of the others. Where the standard uncertainties of the points are known, the covariance is
    theirs, multiplied by the reduced χ² if that is above 1; where not, the misfit stands for them. A parameter at its
    bound, or one that the pattern does not depend on, is treated as fixed and has no uncertainty.

    Expectations take no part: these are uncertainties by the data alone.
    """
    found = []
    for trial, equations in zip(trials, normal_equations(simulator, points, trials, parameters), strict=True):
        n_structural = trial.active.shape[1]
        free = np.array([*[True] * n_structural, *(_is_free(trial, parameter) for parameter in parameters)])
        diagonal = np.diag(equations.matrix)
        free &= diagonal > UNDETERMINED * diagonal.max(initial=0.0)
        total = float(points.observed @ points.observed)
        degrees_of_freedom = max(points.n_included - n_linear - int(free.sum()), 1)
        variance = equations.residual * total / degrees_of_freedom
        covariance = np.zeros_like(equations.matrix)
        covariance[np.ix_(free, free)] = _inverse(equations.matrix[np.ix_(free, free)] * total)
        chi_squared = None if points.mean_weight is None else variance * points.mean_weight
        if points.mean_weight is not None:
            variance = max(variance, 1 / points.mean_weight)
        names = [*(f"strain {n + 1}" for n in range(trial.directions.n_strains))]
        names += [f"displacement {n + 1}" for n in range(n_structural - len(names))]
        found.append(
            Uncertainty(
                names=(*names, *(parameter.name for parameter in parameters)),
                directions=trial.active,
                covariance=covariance * variance,
                reduced_chi_squared=chi_squared,
            )
        )
    return found


def _is_free(trial: Trial, parameter: ProfileParameter) -> bool:
    """Return whether the profile has the parameter, and not at one of its bounds."""
    if parameter.name == "march_coefficient" and trial.profile.march_axis is None:
        return False
    value = getattr(trial.profile, parameter.name)
    return value is not None and parameter.lowest < value < parameter.highest


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Return the inverse of a symmetric positive matrix whose rows may differ by orders of magnitude in scale."""
    scale = 1 / np.sqrt(np.diag(matrix))
    return np.linalg.pinv(matrix * np.outer(scale, scale), hermitian=True) * np.outer(scale, scale)
