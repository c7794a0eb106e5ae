"""Displacement parameters in CIF, isotropic and anisotropic, on every site that symmetry makes of an atom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gemmi
import numpy as np

from xtal_core.displacements import ISOTROPIC, PLACES, tensor_properties
from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_core.readers.cif_syntax import parse_number

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.core.operations import SymmOp

_LABEL = "_atom_site_label"
_COORDINATES = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
_OCCUPANCY = "_atom_site_occupancy"
#: Isotropic parameters, and what turns each into a mean squared displacement in Å².
_ISOTROPIC = {"_atom_site_U_iso_or_equiv": 1.0, "_atom_site_B_iso_or_equiv": 1 / (8 * math.pi**2)}
#: Tensors, and what turns each into CIF's U in Å²; β is U on the lengths of the reciprocal axes.
_TENSORS = {"U": 1.0, "B": 1 / (8 * math.pi**2), "beta": 1 / (2 * math.pi**2)}
_COMPONENTS = tuple(f"{row + 1}{column + 1}" for row, column in PLACES)
_UNKNOWN = ("?", ".")

#: Largest difference in fractional coordinates between an atom of the list and its site.
_SAME_PLACE = 1e-3

#: Sums over the atoms of a site, weighted by occupancy: of their weights, displacements and covariances.
_SUMS = [("weight", float), ("u", float), ("covariance", float, (3, 3)), ("tensor", bool)]


@dataclass(frozen=True, eq=False)
class _DisplacedAtom:
    """A row of the list of atoms.

    Attributes
    ----------
    fractional : (3,)
    occupancy
        How much it counts where several atoms share a site.
    isotropic : Å²
        Its mean squared displacement; None where the file gives none.
    covariance : (3, 3), optional
        That of its fractional coordinates, where the file gives a tensor.
    """

    fractional: FloatArray
    occupancy: float
    isotropic: float | None
    covariance: FloatArray | None

    @property
    def is_displaced(self) -> bool:
        """Whether the file says how it is displaced."""
        return self.isotropic is not None or self.covariance is not None


def attach_displacements(
    structure: Structure, block: gemmi.cif.Block, operations: Sequence[SymmOp], path: str | Path
) -> None:
    """Give the sites of `structure` the displacements that its data block states, as `xtal_core.displacements` says.

    A site that several rows of the list, or several symmetry operations, lead to gets the mean, weighted by occupancy:
    the tensor then has the symmetry of its site, and atoms that share one move alike. A tensor counts more than
    an isotropic parameter of the same atom, which is then its equivalent. Nothing changes where the file states none.

    Parameters
    ----------
    structure
        As the block describes it, in its cell.
    block
        The data block.
    operations
        Symmetry operations on fractional coordinates, which made the sites of the atoms listed.
    path
        For messages.

    Raises
    ------
    StructureError
        For parameters that are not numbers, incomplete tensors, and tensors of atoms that are not in the list.
    """
    inverse = np.linalg.inv(structure.lattice.matrix)
    reciprocal = np.linalg.norm(inverse, axis=0)
    atoms = [atom for atom in _atoms(block, reciprocal, path) if atom.occupancy > 0 and atom.is_displaced]
    if not atoms:
        return
    sites = np.zeros(
        len(structure), dtype=[("weight", float), ("u", float), ("tensor", bool), ("covariance", float, (3, 3))]
    )
    rotations = np.array([operation.rotation_matrix for operation in operations])
    translations = np.array([operation.translation_vector for operation in operations])
    for atom in atoms:
        shifts = structure.frac_coords - (rotations @ atom.fractional + translations)[:, None]
        distances = np.abs(shifts - np.rint(shifts)).max(axis=2)
        (made,) = np.nonzero(distances.min(axis=1) < _SAME_PLACE)
        reached = distances.argmin(axis=1)[made]
        if atom.covariance is None:
            turned = np.broadcast_to((atom.isotropic or 0.0) * inverse.T @ inverse, (len(made), 3, 3))
        else:
            turned = rotations[made] @ atom.covariance @ rotations[made].transpose(0, 2, 1)
        np.add.at(sites["weight"], reached, atom.occupancy)
        np.add.at(sites["u"], reached, atom.occupancy * (atom.isotropic or 0.0))
        np.add.at(sites["covariance"], reached, atom.occupancy * turned)
        sites["tensor"][reached] |= atom.covariance is not None
    rows = [_properties(site, np.outer(reciprocal, reciprocal)) for site in sites]
    for name in rows[0]:
        values = [row[name] for row in rows]
        if any(value is not None for value in values):
            structure.add_site_property(name, values)


def _properties(site: np.void, lengths: FloatArray) -> dict[str, float | None]:
    """Return the site properties of weighted sums over atoms; `lengths` (3, 3) are products of |a*|, |b*| and |c*|."""
    if not site["weight"]:
        return {ISOTROPIC: None, **tensor_properties(None)}
    if site["tensor"]:
        return {ISOTROPIC: None, **tensor_properties(site["covariance"] / site["weight"] / lengths)}
    return {ISOTROPIC: float(site["u"] / site["weight"]), **tensor_properties(None)}


def _atoms(block: gemmi.cif.Block, reciprocal: FloatArray, path: str | Path) -> list[_DisplacedAtom]:
    """Return the list of atoms with their displacements; `reciprocal` (3,) are the lengths of a*, b*, c* in Å⁻¹."""
    tensors = _tensors(block, reciprocal, path)
    tags = list(_ISOTROPIC)
    table = block.find([_LABEL, *_COORDINATES, f"?{_OCCUPANCY}", *(f"?{tag}" for tag in tags)])
    atoms, labels = [], set()
    for row in table:
        label = gemmi.cif.as_string(row[0])
        labels.add(label)
        mean_square = None
        for index, tag in enumerate(tags, start=5):
            if mean_square is None and row.has(index) and row[index] not in _UNKNOWN:
                mean_square = _number(row[index], tag, label, block, path) * _ISOTROPIC[tag]
        atoms.append(
            _DisplacedAtom(
                np.array([gemmi.cif.as_number(row[index]) for index in (1, 2, 3)]),
                gemmi.cif.as_number(row[4], 1.0) if row.has(4) else 1.0,
                mean_square,
                tensors.get(label),
            )
        )
    strangers = sorted(tensors.keys() - labels)
    if strangers:
        problem = f"block '{block.name}': the displacement tensor of {strangers[0]} belongs to no atom"
        raise StructureError(problem, "correct its label or remove it", path)
    return atoms


def _tensors(block: gemmi.cif.Block, reciprocal: FloatArray, path: str | Path) -> dict[str, FloatArray]:
    """Return {label: (3, 3) covariance of fractional coordinates} of the anisotropic atoms."""
    lengths = np.outer(reciprocal, reciprocal)
    tensors: dict[str, FloatArray] = {}
    for kind, to_u in _TENSORS.items():
        tags = [f"_atom_site_aniso_{kind}_{component}" for component in _COMPONENTS]
        for row in block.find(["_atom_site_aniso_label", *tags]):
            label = gemmi.cif.as_string(row[0])
            texts = [row[index] for index in range(1, 7)]
            if all(text in _UNKNOWN for text in texts):
                continue
            covariance = np.empty((3, 3))
            for (i, j), tag, text in zip(PLACES, tags, texts, strict=True):
                covariance[i, j] = covariance[j, i] = _number(text, tag, label, block, path) * to_u
            tensors.setdefault(label, covariance if kind == "beta" else covariance * lengths)
    return tensors


def _number(text: str, tag: str, label: str, block: gemmi.cif.Block, path: str | Path) -> float:
    number = parse_number(text)
    if number is None:
        raise StructureError(
            f"block '{block.name}': {tag} of {label} is '{text}'", "give a number, or ? if it is not known", path
        )
    return number[0]
