"""Parameters of a refinement that the pattern cannot tell apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xtal_core.candidate import Uncertainty
from xtal_core.pattern import FloatArray

#: Correlations beyond this are reported.
STRONG = 0.95


class Correlation(NamedTuple):
    """Two parameters and the correlation of their errors, from −1 to 1."""

    first: str
    second: str
    coefficient: float


def parameter_uncertainties(uncertainty: Uncertainty) -> dict[str, float]:
    """Return the standard uncertainty of every parameter that has one, by name."""
    sigma = np.sqrt(np.maximum(np.diag(uncertainty.covariance), 0.0))
    return {name: float(value) for name, value in zip(uncertainty.names, sigma, strict=True) if value > 0}


def strong_correlations(uncertainty: Uncertainty, above: float = STRONG) -> list[Correlation]:
    """Return the pairs of parameters whose errors are correlated by more than `above`, the strongest first."""
    matrix = correlation_matrix(uncertainty.covariance)
    first, second = np.triu_indices(len(matrix), 1)
    values = matrix[first, second]
    pairs = [
        Correlation(uncertainty.names[i], uncertainty.names[j], float(value))
        for i, j, value in zip(first, second, values, strict=True)
        if abs(value) > above
    ]
    return sorted(pairs, key=lambda pair: -abs(pair.coefficient))


def correlation_matrix(covariance: FloatArray) -> FloatArray:
    """Return the (n, n) correlations of a covariance matrix; parameters without variance have none."""
    sigma = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.outer(sigma, sigma)
    return np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
