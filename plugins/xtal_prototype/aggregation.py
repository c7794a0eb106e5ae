"""Aggregates aligned members of a structure type into one exactly symmetric geometry.

Every formula has one vote: several entries of one compound are averaged first. Values are interquartile means, medians
that blend their neighbours, so that with three formulas or more no single material is reproduced.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_prototype.alignment import Alignment, space_group_operations
from xtal_prototype.atomic_volumes import expected_volume
from xtal_prototype.standard_cell import StandardCell
from xtal_prototype.table import PrototypeEntry

_TRIMMED_AT_EACH_END = 0.25
#: Makes the median absolute deviation an estimate of the standard deviation.
_MAD_TO_SIGMA = 1.4826


def aggregate(
    reference: StandardCell, members: Sequence[Alignment], formulas: Sequence[str], label: str
) -> PrototypeEntry:
    """Return the entry that `members`, aligned to `reference`, make together, its match rate left open.

    `formulas` are those of the members.
    """
    parameters = np.array([_cell_parameters(member.lattice) for member in members])
    volumes = np.array(
        [
            np.log(abs(np.linalg.det(member.lattice)) / expected_volume(Counter(member.numbers.tolist())))
            for member in members
        ]
    )
    coordinates = np.array([member.fractional for member in members])
    parameters, volumes, coordinates = (_by_formula(values, formulas) for values in (parameters, volumes, coordinates))
    lattice = symmetrise_lattice(_lattice(_centre(parameters)), reference)
    angles = _spread(np.degrees(parameters[:, 3:]))
    species = np.unique(reference.numbers, return_inverse=True)[1]
    first_atoms = [int(np.flatnonzero(species == index)[0]) for index in range(species.max() + 1)]
    return PrototypeEntry(
        label=label,
        space_group=reference.space_group,
        z_primitive=reference.z_primitive,
        z_conventional=reference.z_conventional,
        lattice=lattice / np.linalg.det(lattice) ** (1 / 3),
        fractional=symmetrise_coordinates(_centre(coordinates), reference) % 1.0,
        species=species,
        orbits=reference.orbits,
        site_species=tuple(Counter(int(member.numbers[atom]) for member in members) for atom in first_atoms),
        volume_ratio=float(np.exp(_centre(volumes))),
        n_members=len(members),
        n_formulas=len(set(formulas)),
        match_rate=float("nan"),
        length_spread=_spread(np.log(parameters[:, :3])),
        angle_spread=angles,
        volume_spread=float(_spread(volumes)),
        coordinate_spread=_spread(coordinates),
    )


def as_reference(entry: PrototypeEntry, reference: StandardCell) -> StandardCell:
    """Return `reference` with the geometry of an entry that was aggregated on it."""
    volume = abs(np.linalg.det(reference.lattice))
    return replace(reference, lattice=entry.lattice * volume ** (1 / 3), fractional=entry.fractional)


def symmetrise_lattice(lattice: FloatArray, reference: StandardCell) -> FloatArray:
    """Return a lattice (3, 3) with the metric of `lattice` averaged over the point group of `reference`."""
    rotations, _ = space_group_operations(reference.hall_number, reference.centring)
    metric = lattice @ lattice.T
    return np.linalg.cholesky(np.mean([rotation.T @ metric @ rotation for rotation in rotations], axis=0))


def symmetrise_coordinates(fractional: FloatArray, reference: StandardCell) -> FloatArray:
    """Return coordinates (n_atoms, 3) near those of `reference`, averaged over its space group."""
    rotations, translations = space_group_operations(reference.hall_number, reference.centring)
    total = np.zeros_like(fractional)
    for rotation, translation in zip(rotations, translations, strict=True):
        image, cell = _images(rotation, translation, reference)
        total += (fractional[image] + cell - translation) @ np.linalg.inv(rotation).T
    return total / len(rotations)


def _images(rotation: FloatArray, translation: FloatArray, reference: StandardCell) -> tuple[IntArray, FloatArray]:
    """Return for each atom the one it is mapped to, and in which cell that is: W x + t = x' + cell."""
    moved = reference.fractional @ rotation.T + translation
    difference = moved[:, None] - reference.fractional[None]
    cells = np.round(difference)
    distance = np.linalg.norm((difference - cells) @ reference.lattice, axis=-1)
    image = distance.argmin(axis=1)
    return image, cells[np.arange(len(image)), image]


def _cell_parameters(lattice: FloatArray) -> FloatArray:
    """Return (6,): lengths at unit volume, and angles in radians."""
    unit = lattice / abs(np.linalg.det(lattice)) ** (1 / 3)
    lengths = np.linalg.norm(unit, axis=1)
    cosines = (unit @ unit.T) / np.outer(lengths, lengths)
    return np.concatenate([lengths, np.arccos(cosines[[1, 0, 0], [2, 2, 1]])])


def _lattice(parameters: FloatArray) -> FloatArray:
    """Return vectors (3, 3) with `_cell_parameters` (6,)."""
    cosines = np.eye(3)
    cosines[[1, 0, 0], [2, 2, 1]] = cosines[[2, 2, 1], [1, 0, 0]] = np.cos(parameters[3:])
    return np.asarray(np.linalg.cholesky(cosines * np.outer(parameters[:3], parameters[:3])), float)


def _by_formula(values: FloatArray, formulas: Sequence[str]) -> FloatArray:
    """Return the mean of `values` for each formula, in order of the formulas."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, formula in enumerate(formulas):
        rows[formula].append(row)
    return np.array([values[rows[formula]].mean(axis=0) for formula in sorted(rows)])


def _centre(values: FloatArray) -> FloatArray:
    """Return the interquartile mean along the first axis."""
    from scipy.stats import trim_mean

    return trim_mean(values, _TRIMMED_AT_EACH_END, axis=0)


def _spread(values: FloatArray) -> FloatArray:
    return np.asarray(_MAD_TO_SIGMA * np.median(abs(values - np.median(values, axis=0)), axis=0), float)
