"""Displacements of sites, as `xtal_core.displacements` keeps them, read and turned into Cartesian ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xtal_core.displacements import ISOTROPIC, PLACES, TENSOR
from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

if TYPE_CHECKING:
    from pymatgen.core import Structure


def site_tensor(properties: Mapping[str, Any], label: str) -> FloatArray | None:
    """Return CIF's (3, 3) U of a site in Å², None for a site without a complete one.

    Raises StructureError when some components are given and others are not.
    """
    if properties.keys().isdisjoint(TENSOR):
        return None
    values = [_number(properties.get(name), name, label) for name in TENSOR]
    given = [value is not None for value in values]
    if not any(given):
        return None
    if not all(given):
        missing = ", ".join(name for name, there in zip(TENSOR, given, strict=True) if not there)
        raise StructureError(f"{label} lacks {missing}", "give all six components of the tensor or none")
    tensor = np.empty((3, 3))
    for (row, column), value in zip(PLACES, values, strict=True):
        tensor[row, column] = tensor[column, row] = value
    return tensor if tensor.any() else None


def site_isotropic(properties: Mapping[str, Any], label: str) -> float | None:
    """Return the mean squared displacement of a site in Å², None for a site without one.

    Raises StructureError for a negative one.
    """
    value = _number(properties.get(ISOTROPIC), ISOTROPIC, label)
    if value is not None and value < 0:
        raise StructureError(f"{ISOTROPIC} of {label} is {value:g}", "give a positive mean squared displacement")
    return value or None


def cartesian_displacements(structure: Structure, default: float, label: str) -> FloatArray:
    """Return the mean squared displacements of sites in Å²: (n_sites,) numbers, or (n_sites, 3, 3) Cartesian tensors.

    Sites that have none get `default`; one tensor makes tensors of all. CIF's U gives covariances of fractional
    coordinates as a*ᵢ a*ⱼ Uᵢⱼ, a* without 2π.
    """
    numbers = np.full(len(structure), default)
    tensors: dict[int, FloatArray] = {}
    for index, site in enumerate(structure):
        if not site.properties:
            continue
        name = f"site {index + 1} of {label}"
        tensor = site_tensor(site.properties, name)
        if tensor is not None:
            tensors[index] = tensor
        else:
            numbers[index] = site_isotropic(site.properties, name) or default
    if not tensors:
        return numbers
    lattice = structure.lattice.matrix
    to_cartesian = lattice * np.linalg.norm(np.linalg.inv(lattice), axis=0)[:, None]
    result = numbers[:, None, None] * np.eye(3)
    for index, tensor in tensors.items():
        result[index] = to_cartesian.T @ tensor @ to_cartesian
    return result


def _number(value: Any, name: str, label: str) -> float | None:
    """Return a site property as a number; None for None and NaN."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise StructureError(f"{name} of {label} is '{value}'", "give a number in Å²") from None
    if np.isinf(number):
        raise StructureError(f"{name} of {label} is infinite", "give a number in Å²")
    return None if np.isnan(number) else number
