"""Where a structure keeps the displacements of its atoms: site properties under pymatgen's names.

`u_iso` is the mean squared displacement of a site in Å² along any direction. The tensor of an anisotropic site is in
the six properties that pymatgen's own `ThermalDisplacementMatrices` writes, `U11_cif` to `U12_cif`, in Å²: components
of CIF's U, on axes along the reciprocal basis vectors. Where a site has both, the tensor counts. None and NaN mean that
the site has no such parameter, and so does a displacement of zero, which is how files of the PDF programs say it.

The tensor belongs to the cell it was given in: whoever changes to another basis has to transform it or leave it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xtal_core.pattern import FloatArray

if TYPE_CHECKING:
    from pymatgen.core import Structure

ISOTROPIC = "u_iso"
TENSOR = ("U11_cif", "U22_cif", "U33_cif", "U23_cif", "U13_cif", "U12_cif")

#: Where each component of TENSOR stands in the matrix.
PLACES = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def tensor_properties(tensor: FloatArray | None) -> dict[str, float | None]:
    """Return the site properties that hold CIF's (3, 3) U in Å²; without one, None in each."""
    return {name: None if tensor is None else float(tensor[place]) for name, place in zip(TENSOR, PLACES, strict=True)}


def without_displacements(structure: Structure) -> Structure:
    """Return a copy of a structure that carries no displacements."""
    copy = structure.copy()
    for name in (ISOTROPIC, *TENSOR):
        if name in copy.site_properties:
            copy.remove_site_property(name)
    return copy
