"""From the structure in a file to the crystal in a training set, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import spglib
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from xtal_core.errors import StructureError
from xtal_core.readers.structure_cif import structures_in_cif

if TYPE_CHECKING:
    from xtal_core.interfaces import CalculatesSticks
    from xtal_core.pattern import FloatArray

#: Å and degrees: how exactly symmetry must hold, the values of pymatgen's SpacegroupAnalyzer and so of MP-20-PXRD.
SYMMETRY_TOLERANCE, ANGLE_TOLERANCE = 0.01, 5.0

#: Relative differences within which lengths count as equal in a Niggli reduction, tried in turn: where edges differ by
#: just this, the reduction does not end.
REDUCTION_TOLERANCES = (1e-5, 1e-4, 1e-6)


@dataclass(frozen=True, eq=False)
class Crystal:
    """One crystal as it is stored: arrays and units are those of `xtal_core.training_set.TrainingSet`."""

    lattice: NDArray[np.float32]
    space_group: int
    atomic_numbers: NDArray[np.uint8]
    frac_coords: NDArray[np.float32]
    stick_bins: NDArray[np.uint16]
    stick_heights: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Cells:
    """The two cells of a crystal that are needed: the reduced primitive one, and the conventional one."""

    lattice: NDArray[np.floating]
    atomic_numbers: NDArray[np.integer]
    frac_coords: NDArray[np.floating]
    space_group: int
    conventional: Structure


def crystals_in(cif: str, place: str, simulator: CalculatesSticks) -> list[Crystal] | str:
    """Return the crystals in the text of a CIF, or why they cannot be taken; `place` says where it is from."""
    try:
        cells = [_standardise(structure) for structure in structures_in_cif(cif, place)]
        sticks = simulator.stick_patterns([each.conventional for each in cells])
    except StructureError as error:
        # Where it is from is said by whoever lists reasons, as a file may have moved since.
        return f"{error.problem}; {error.remedy}" if error.remedy else error.problem
    return [_crystal(each, pattern) for each, pattern in zip(cells, sticks, strict=True)]


def _crystal(cells: _Cells, pattern: FloatArray) -> Crystal:
    bins = np.flatnonzero(pattern)
    frac_coords = (cells.frac_coords % 1).astype(np.float32)
    frac_coords[frac_coords == 1] = 0  # what rounding to single precision made of the largest numbers below 1
    return Crystal(
        lattice=cells.lattice.astype(np.float32),
        space_group=cells.space_group,
        atomic_numbers=cells.atomic_numbers.astype(np.uint8),
        frac_coords=frac_coords,
        stick_bins=bins.astype(np.uint16),
        stick_heights=(pattern[bins] / pattern.max()).astype(np.float32),
    )


def _standardise(structure: Structure) -> _Cells:
    """Return both cells of an ordered structure, from one search for its symmetry.

    The primitive cell keeps the atoms where the file has them; the conventional one is symmetrised. Raises
    StructureError for disorder, and where no symmetry can be found.
    """
    if not structure.is_ordered:
        raise StructureError("it is disordered: sites are shared or partly occupied")
    numbers = np.array([site.specie.Z for site in structure])
    matrix = structure.lattice.matrix
    cell: Any = (matrix, structure.frac_coords, numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=SYMMETRY_TOLERANCE, angle_tolerance=ANGLE_TOLERANCE)
    if found is None:
        raise StructureError("its symmetry cannot be determined")
    attempts = (spglib.niggli_reduce(found.primitive_lattice, eps=eps) for eps in REDUCTION_TOLERANCES)
    reduced = next((lattice for lattice in attempts if lattice is not None), None)
    if reduced is None:
        raise StructureError("its cell cannot be reduced")
    # Of the atoms that one atom of the primitive cell stands for, the first.
    _, first = np.unique(found.mapping_to_primitive, return_index=True)
    cartesian = structure.frac_coords[first] @ matrix
    return _Cells(
        lattice=reduced,
        atomic_numbers=numbers[first],
        frac_coords=np.linalg.solve(reduced.T, cartesian.T).T,
        space_group=int(found.number),
        conventional=Structure(Lattice(found.std_lattice), found.std_types.tolist(), found.std_positions),
    )


def names_of(name: str, n_crystals: int) -> Sequence[str]:
    """Return a name for each crystal of a text: `name` for a single one, name#1, name#2, … for several."""
    return [name] if n_crystals == 1 else [f"{name}#{i}" for i in range(1, n_crystals + 1)]
