"""Random crystals, and other ways to describe the same crystal, for tests of what metrics of structures promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from pymatgen.core import Structure

seeds = st.integers(0, 10_000)

#: For properties that take some milliseconds an example.
quick = settings(max_examples=20, deadline=None, derandomize=True)


def crystal(seed: int, elements: Sequence[str] = ("H",), largest: int = 6) -> Structure:
    """Return a triclinic crystal of 1 to `largest` atoms, dealt the `elements` in turn."""
    random = np.random.default_rng(seed)
    n_atoms = int(random.integers(1, largest + 1))
    lattice = np.diag(random.uniform(3, 7, 3)) + random.normal(0, 0.5, (3, 3))
    return Structure(lattice, [elements[i % len(elements)] for i in range(n_atoms)], random.random((n_atoms, 3)))


def displaced(structure: Structure, size: float, seed: int) -> Structure:
    """Return the structure with every atom moved by `size` Å in a random direction."""
    shifts = np.random.default_rng(seed).normal(size=(len(structure), 3))
    shifts *= size / np.linalg.norm(shifts, axis=1, keepdims=True)
    positions = structure.cart_coords + shifts
    return Structure(structure.lattice, structure.species_and_occu, positions, coords_are_cartesian=True)


def unimodular(random: np.random.Generator, largest: int, steps: int = 4) -> np.ndarray:
    """Return a random matrix of whole numbers and determinant 1, a product of shears by up to `largest`."""
    matrix = np.eye(3, dtype=int)
    for _ in range(steps):
        row, column = random.permutation(3)[:2]
        step = np.eye(3, dtype=int)
        step[row, column] = random.integers(-largest, largest + 1)
        matrix = step @ matrix
    return matrix


def rotated(structure: Structure, random: np.random.Generator) -> Structure:
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    return Structure(structure.lattice.matrix @ turn, structure.species_and_occu, structure.frac_coords)


def reflected(structure: Structure, random: np.random.Generator) -> Structure:
    mirror = np.diag([1.0, 1.0, -1.0])
    turned = rotated(structure, random)
    return Structure(turned.lattice.matrix @ mirror, turned.species_and_occu, turned.frac_coords)


def in_another_cell(structure: Structure, random: np.random.Generator) -> Structure:
    return structure.make_supercell(unimodular(random, 2), in_place=False)


def in_a_supercell(structure: Structure, random: np.random.Generator) -> Structure:
    return structure.make_supercell(random.permutation([1, 1, 2]).tolist(), in_place=False)


def with_another_origin(structure: Structure, random: np.random.Generator) -> Structure:
    return Structure(structure.lattice, structure.species_and_occu, structure.frac_coords + random.random(3))


def with_sites_in_another_order(structure: Structure, random: np.random.Generator) -> Structure:
    order = random.permutation(len(structure))
    species = [structure.species_and_occu[i] for i in order]
    coordinates = structure.frac_coords[order] + random.integers(-2, 3, (len(structure), 3))
    return Structure(structure.lattice, species, coordinates)


#: What none of these metrics may depend on.
DESCRIPTIONS: tuple[Callable[[Structure, np.random.Generator], Structure], ...] = (
    rotated,
    reflected,
    in_another_cell,
    in_a_supercell,
    with_another_origin,
    with_sites_in_another_order,
)


def name_of(description: Callable[..., Structure]) -> str:
    return description.__name__.replace("_", " ")
