"""Descriptors of the atoms' surroundings, in blocks by the elements they tell of.

dscribe's descriptors have a block of numbers for every element, or pair of elements, that they are told of, and blocks
of absent elements are zero. Each structure is therefore described with its own elements only, once, and two structures
are compared by the blocks that both have: exactly what describing both with all elements of either would give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pymatgen.core import DummySpecies, Structure

from xtal_core.errors import PluginError, StructureError
from xtal_core.pattern import FloatArray

#: Values by the atomic numbers of the elements they tell of, one or two of them: an array (n_atoms, width) for each.
Blocks = dict[tuple[int, ...], FloatArray]

#: A site is full when its occupancy is 1 within this.
OCCUPANCY_TOLERANCE = 1e-3


def import_dscribe(metric: str) -> Any:
    """Return the module `dscribe.descriptors`. Raises PluginError, saying how to install it, when it is missing."""
    try:
        from dscribe import descriptors
    except ImportError as error:
        raise PluginError(metric, f'needs dscribe ({error}): pip install "xtal-solve[local-environment]"') from error
    return descriptors


def environments(
    structure: Structure, label: str, metric: str, describe: Callable[[Any, tuple[int, ...]], Blocks]
) -> Blocks:
    """Return the environments of the atoms, each scaled to unit length over all blocks.

    `describe` makes blocks from an `ase.Atoms` and the atomic numbers in it. An environment that is zero, that of an
    atom without neighbours for some descriptors, stays so. Raises StructureError, naming the site and the `metric`, for
    vacancies and shared sites, for impossible cells, and where all environments are zero.
    """
    from ase import Atoms

    _check(structure, label, metric)
    lattice = structure.lattice
    # Wrapped before and after: dscribe takes atoms outside the cell for neighbours that are not there.
    fractional = lattice.get_lll_frac_coords(structure.frac_coords - np.floor(structure.frac_coords))
    fractional -= np.floor(fractional)
    cell = lattice.get_lll_reduced_lattice().matrix
    numbers = [site.species.elements[0].Z for site in structure]
    blocks = describe(
        Atoms(numbers=numbers, positions=fractional @ cell, cell=cell, pbc=True), tuple(sorted(set(numbers)))
    )
    lengths = np.sqrt(np.sum([np.einsum("ij,ij->i", block, block) for block in blocks.values()], axis=0))
    if not lengths.any():
        raise StructureError(
            f"no atom of {_name(structure, label)} has a neighbour within {metric}.r_cut", f"raise {metric}.r_cut"
        )
    scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return {elements: block * scale[:, None] for elements, block in blocks.items()}


def _check(structure: Structure, label: str, metric: str) -> None:
    if not len(structure):
        raise StructureError(f"{label} has no sites", "give a structure with at least one atom")
    for number, site in enumerate(structure, start=1):
        elements = site.species.elements
        if (
            len(elements) > 1
            or isinstance(elements[0], DummySpecies)
            or abs(site.species.num_atoms - 1) > OCCUPANCY_TOLERANCE
        ):
            raise StructureError(
                f"site {number} ({site.label}) of {_name(structure, label)} holds {site.species_string}, "
                f"{metric} needs one atom of one element",
                "compare an ordered model, or choose --metric structure-matcher",
            )
    if not (np.isfinite(structure.cart_coords).all() and structure.volume > 1e-6):
        raise StructureError(
            f"the cell of {_name(structure, label)} is flat or not finite", "check its lattice and coordinates"
        )


def _name(structure: Structure, label: str) -> str:
    return f"{structure.composition.formula} ({label})"
