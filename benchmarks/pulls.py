"""Errors of a refinement whose truth is known, in units of the standard uncertainties that it states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtal_core.candidate import Fit, Uncertainty
from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Row, column of the strain component that each of the six Voigt components stands for.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

#: Step by which lattice parameters are differentiated.
STEP = 1e-6

#: Lattice parameters whose relative change by every parameter is below this are fixed by symmetry.
FIXED = 1e-7

#: Lattice parameters that change alike, within this, are one and the same.
ALIKE = 1e-6


def structure_pulls(refined: Structure, truth: Structure, uncertainty: Uncertainty) -> dict[str, list[float]]:
    """Return the pulls {kind: values} of the free lattice parameters and of the free positions of `refined`.

    Both structures have the same cell, up to a rotation, and the atoms in the same order. Lattice parameters are those
    of the cell that was refined, each free one once; positions are the independent displacements that were refined.
    """
    n_structural = uncertainty.directions.shape[1]
    covariance = uncertainty.covariance[:n_structural, :n_structural]
    difference = np.concatenate([strain_between(refined, truth), _moves(refined, truth).ravel()])
    # What is left over is a common shift of the atoms, which is no parameter.
    errors, *_ = np.linalg.lstsq(uncertainty.directions, difference)
    errors = -errors
    strains = np.flatnonzero(np.abs(uncertainty.directions[:6]).max(axis=0) > 0)
    derivatives = _lattice_derivatives(refined.lattice.matrix, uncertainty.directions[:6])
    sigmas = np.sqrt(np.diag(covariance))
    lattice = derivatives @ errors / np.sqrt(np.einsum("ni,ij,nj->n", derivatives, covariance, derivatives))
    positions = np.setdiff1d(np.flatnonzero(sigmas > 0), strains)
    return {"lattice parameters": lattice.tolist(), "positions": (errors[positions] / sigmas[positions]).tolist()}


def profile_pulls(fit: Fit, truth: Profile) -> dict[str, float]:
    """Return the pulls of the profile parameters that have an uncertainty, by name."""
    assert fit.uncertainty is not None
    sigmas = np.sqrt(np.diag(fit.uncertainty.covariance))
    n_structural = fit.uncertainty.directions.shape[1]
    return {
        name: float((getattr(fit.profile, name) - getattr(truth, name)) / sigma)
        for name, sigma in zip(fit.uncertainty.names[n_structural:], sigmas[n_structural:], strict=True)
        if sigma > 0
    }


def strain_between(before: Structure, after: Structure) -> FloatArray:
    """Return the (6,) Voigt strain, shears doubled, that takes one cell to the other up to a rotation."""
    deformation = np.linalg.solve(before.lattice.matrix, after.lattice.matrix)
    values, vectors = np.linalg.eigh(deformation @ deformation.T)
    strain = (vectors * np.sqrt(values)) @ vectors.T - np.eye(3)
    return np.array([strain[i, j] * (1 if i == j else 2) for i, j in VOIGT])


def _moves(before: Structure, after: Structure) -> FloatArray:
    difference = after.frac_coords - before.frac_coords
    return difference - np.rint(difference)


def _lattice_derivatives(lattice: FloatArray, strains: FloatArray) -> FloatArray:
    """Return (n_free, n_parameters): derivatives of the free lattice parameters by `strains` (6, n_parameters)."""
    rows = np.zeros((6, strains.shape[1]))
    for column, components in enumerate(strains.T):
        tensor = np.zeros((3, 3))
        for value, (i, j) in zip(components, VOIGT, strict=True):
            tensor[i, j] = tensor[j, i] = value if i == j else value / 2
        ahead, behind = (_parameters(lattice @ (np.eye(3) + sign * STEP * tensor)) for sign in (1, -1))
        rows[:, column] = (ahead - behind) / (2 * STEP)
    relative = rows / _parameters(lattice)[:, None]
    chosen: list[int] = []
    for row in range(6):
        free = np.abs(relative[row]).max(initial=0) > FIXED
        if free and not any(np.allclose(relative[row], relative[other], rtol=0, atol=ALIKE) for other in chosen):
            chosen.append(row)
    return rows[chosen]


def _parameters(lattice: FloatArray) -> FloatArray:
    """Return the (6,) lengths in Å and angles in degrees."""
    from pymatgen.core import Lattice

    return np.array(Lattice(lattice).parameters)
