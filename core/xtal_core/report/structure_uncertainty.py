"""Standard uncertainties of a structure as it is written, from those of the parameters it was refined with.

A refinement varies strains and displacements of the cell it was given; a file shows lengths, angles and coordinates of
the standardised conventional cell. With x' = P x + p between the two, a parameter that strains the cell by ε and moves
the atoms by δx changes the metric G of the written cell by 2 L ε Lᵀ (rows of L are its vectors) and its coordinates by
P δx. Both are averaged over the symmetry operations of the file, as the structure itself was when it was standardised:
what symmetry fixes does not vary. From the derivatives J follows the covariance J C Jᵀ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gemmi
import numpy as np

from xtal_core.candidate import Uncertainty
from xtal_core.pattern import FloatArray
from xtal_core.report.setting import Setting

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Row, column of the strain component that each of the six Voigt components stands for.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

#: Å; how far an atom of the file may be from the image of an atom of the candidate.
SAME_ATOM = 0.05

#: Derivatives are of the order of 1; smaller ones than this are what rounding leaves of those that symmetry forbids.
FIXED = 1e-9

#: Relative to a length, an angle of 1 rad or a coordinate of 1: rounding may also leave this much of uncertainties that
#: are large before symmetry averages them to nothing.
NOTHING = 1e-8

#: Names of the quantities of a cell, in the order of the derivatives.
CELL_NAMES = ("a", "b", "c", "alpha", "beta", "gamma", "volume")


@dataclass(frozen=True, eq=False)
class StructureUncertainty:
    """Standard uncertainties of a written structure; 0 for what symmetry fixes.

    Attributes
    ----------
    cell
        Of lengths in Å, angles in degrees and the volume in Å³, by name.
    coordinates : (n_sites, 3)
        Of the fractional coordinates of the sites as listed in the file.
    """

    cell: dict[str, float]
    coordinates: FloatArray


def structure_uncertainty(
    structure: Structure, uncertainty: Uncertainty, setting: Setting, sites: FloatArray, symbols: list[str]
) -> StructureUncertainty:
    """Return the uncertainties of the sites at `sites` (n_sites, 3) with element `symbols`, and of their cell.

    `structure` is the candidate, whose `uncertainty` is known and which `setting` takes to the written cell.
    """
    n_structural = uncertainty.directions.shape[1]
    covariance = uncertainty.covariance[:n_structural, :n_structural]
    lattice = setting.lattice(structure.lattice.matrix)
    cell = _cell_derivatives(lattice, uncertainty.directions[:6], setting)
    moved = uncertainty.directions[6:].reshape(len(structure), 3, n_structural)
    coordinates = _coordinate_derivatives(structure, moved, lattice, setting, sites, symbols)
    sizes = np.array([*np.linalg.norm(lattice, axis=1), *[np.degrees(1.0)] * 3, abs(np.linalg.det(lattice))])
    return StructureUncertainty(
        dict(zip(CELL_NAMES, _sigmas(cell, covariance, sizes).tolist(), strict=True)),
        _sigmas(coordinates.reshape(3 * len(sites), n_structural), covariance, 1.0).reshape(-1, 3),
    )


def _sigmas(derivatives: FloatArray, covariance: FloatArray, sizes: FloatArray | float) -> FloatArray:
    """Return (n,) standard uncertainties of quantities of typical `sizes` (n,) with `derivatives` (n, n_parameters)."""
    derivatives = np.where(np.abs(derivatives) > FIXED, derivatives, 0.0)
    sigmas = np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", derivatives, covariance, derivatives), 0.0))
    return np.where(sigmas > NOTHING * sizes, sigmas, 0.0)


def _cell_derivatives(lattice: FloatArray, strains: FloatArray, setting: Setting) -> FloatArray:
    """Return (7, n_parameters): derivatives of the cell in the order of `CELL_NAMES` by `strains` (6, n_parameters)."""
    tensors = np.zeros((strains.shape[1], 3, 3))
    for (i, j), values in zip(VOIGT, strains, strict=True):
        tensors[:, i, j] += values / (1 if i == j else 2)
        if i != j:
            tensors[:, j, i] += values / 2
    metric = lattice @ lattice.T
    change = setting.averaged_metric(2 * lattice @ tensors @ lattice.T)
    lengths = np.sqrt(np.diag(metric))
    by_length = np.array([change[:, i, i] / (2 * lengths[i]) for i in range(3)])
    angles = []
    for i, j in ((1, 2), (0, 2), (0, 1)):
        cosine = metric[i, j] / (lengths[i] * lengths[j])
        by_cosine = change[:, i, j] / (lengths[i] * lengths[j])
        by_cosine = by_cosine - cosine * (by_length[i] / lengths[i] + by_length[j] / lengths[j])
        angles.append(-np.degrees(by_cosine / np.sqrt(1 - cosine**2)))
    volume = abs(np.linalg.det(lattice)) / 2 * np.einsum("ij,nji->n", np.linalg.inv(metric), change)
    return np.array([*by_length, *angles, volume])


def _coordinate_derivatives(
    structure: Structure,
    moved: FloatArray,
    lattice: FloatArray,
    setting: Setting,
    sites: FloatArray,
    symbols: list[str],
) -> FloatArray:
    """Return (n_sites, 3, n_parameters) from `moved` (n_atoms, 3, n_parameters) of the candidate's atoms."""
    places = setting.positions(structure.frac_coords)
    changes = np.einsum("ij,ajn->ain", setting.matrix, moved)
    images = np.einsum("oij,aj->oai", setting.rotations, places) + setting.translations[:, None]
    held = [{gemmi.Element(species.symbol).name for species in site.species} for site in structure]
    result = np.zeros((len(sites), 3, moved.shape[2]))
    for index, (site, symbol) in enumerate(zip(sites, symbols, strict=True)):
        difference = images - site
        difference -= np.rint(difference)
        same = np.linalg.norm(difference @ lattice, axis=-1) < SAME_ATOM
        same &= np.array([symbol in elements for elements in held])
        operations, atoms = np.nonzero(same)
        if len(operations):
            turned = np.einsum("oij,ojn->oin", setting.rotations[operations], changes[atoms])
            result[index] = turned.mean(axis=0)
    return result
