"""G(r) of periodic structures. What is calculated, and how exactly, is in `docs/pair-distribution.md`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_pair_distribution.conditions import Conditions
from xtal_pair_distribution.crystal import Crystal
from xtal_pair_distribution.pairs import PairDistances, PairVectors
from xtal_pair_distribution.peaks import Grid, longest_step, peak_tail, radial_distribution
from xtal_pair_distribution.scattering import scattering_strengths
from xtal_pair_distribution.termination import extension, plan_termination

if TYPE_CHECKING:
    from diffpy.structure import Structure as DiffpyStructure
    from pymatgen.core import Structure


def pair_distributions(
    structures: Sequence[Structure | DiffpyStructure | Crystal],
    conditions: Conditions,
    labels: Sequence[str] | None = None,
) -> FloatArray:
    """Return (n_structures, n_r) Å⁻²: G(r) of each structure at `conditions.r`.

    G(r) = R(r)/r − 4π r ρ₀ with R(r) = Σᵢⱼ cᵢ bᵢ cⱼ bⱼ/(N ⟨b⟩²) · Gaussian(r − rᵢⱼ, σᵢⱼ), as defined for PDFfit2
    (C. L. Farrow et al., J. Phys.: Condens. Matter 19, 335219 (2007)).

    Parameters
    ----------
    structures
        With displacements as in `xtal_core.displacements`, or as their own `U` for diffpy structures.
    conditions
        Radiation, resolution, displacements of atoms that have none, and the grid.
    labels
        Names of the structures, for messages; "structure 1" and so on by default.

    Raises
    ------
    StructureError
        Naming the structure whose G(r) is not defined: no atoms, a flat cell, unknown species, scattering lengths or
        that average to 0, displacements that are not positive, or pairs that delta1 and delta2 leave without a width.
    """
    rows = np.empty((len(structures), len(conditions.r)))
    for number, structure in enumerate(structures):
        label = labels[number] if labels is not None else f"structure {number + 1}"
        rows[number] = _pair_distribution(_crystal(structure, conditions.u_iso, label), conditions)
    return rows


def _crystal(structure: Any, u_iso: float, label: str) -> Crystal:
    if isinstance(structure, Crystal):
        return structure
    # diffpy.structure is loaded only for its own structures, which alone are lists.
    if isinstance(structure, list):
        from xtal_pair_distribution import diffpy_boundary

        return Crystal.from_structure(diffpy_boundary.from_diffpy(structure, label), u_iso, label)  # type: ignore[arg-type]
    return Crystal.from_structure(structure, u_iso, label)


def _pair_distribution(crystal: Crystal, conditions: Conditions) -> FloatArray:
    """Return (n_r,) Å⁻²: G(r) of one structure."""
    pairs = PairVectors.between_atoms(crystal, _normalised_strengths(crystal, conditions))
    reach = conditions.r_max + extension(conditions)
    tail = peak_tail(pairs, conditions, reach, crystal)
    distances = PairDistances.below(reach + tail, crystal.lattice, pairs)
    nearest = distances.shortest()
    longest = longest_step(pairs, conditions, nearest, crystal)
    grid = _grid(conditions, reach, longest)
    radial, slope = _envelopes(grid, conditions.q_damp)
    peaks = radial_distribution(distances, conditions, nearest, grid, tail, longest)
    g = peaks * radial - crystal.number_density * slope
    if _is_terminated(conditions):
        return plan_termination(conditions, grid.step, grid.n).apply(g)
    stride = round(conditions.r_step / grid.step)
    return g[round((conditions.r_min - grid.origin) / grid.step) :: stride][: len(conditions.r)]


@lru_cache(maxsize=8)
def _envelopes(grid: Grid, q_damp: float) -> tuple[FloatArray, FloatArray]:
    """Return damping/r, 0 at r = 0 where G(r) vanishes, and 4π r · damping, both (n,)."""
    r = grid.r
    damping = np.exp(-0.5 * (q_damp * r) ** 2)
    return np.divide(damping, r, out=np.zeros(grid.n), where=r > 0), 4 * np.pi * r * damping


def _normalised_strengths(crystal: Crystal, conditions: Conditions) -> FloatArray:
    """Return (n_atoms,) cᵢ bᵢ/(⟨b⟩ √N), so that G(r) sums products of two of them."""
    strengths = scattering_strengths(crystal.symbols, conditions.radiation, crystal.label)
    mean = crystal.occupancies @ strengths / crystal.n_atoms
    if abs(mean) < 1e-6 * np.abs(strengths).max():
        raise StructureError(f"the scattering lengths of {crystal.name} average to 0", "use X-rays")
    return crystal.occupancies * strengths / (mean * math.sqrt(crystal.n_atoms))


def _is_terminated(conditions: Conditions) -> bool:
    return bool(conditions.q_min or conditions.q_max)


def _grid(conditions: Conditions, reach: float, longest: float) -> Grid:
    """Return the grid up to `reach` Å for calculation, with steps of at most `longest` Å that divide those asked for.

    For termination it contains r = 0, about which G(r) is odd; otherwise all points that are asked for.
    """
    step = conditions.r_step / math.ceil(conditions.r_step / longest - 1e-9)
    origin = 0.0 if _is_terminated(conditions) else conditions.r_min % step
    return Grid(origin, step, math.ceil((reach - origin) / step - 1e-6) + 1)
