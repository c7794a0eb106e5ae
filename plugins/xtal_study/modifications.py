"""What can be done to a crystal, exactly: describing it otherwise, and changing it by a stated amount.

Every function returns a new structure and leaves its argument alone. Lengths are in Å. Where something is drawn at
random, the generator comes in as an argument, so that the same seed gives the same modification. Fractional coordinates
stay as they result and are not wrapped into the cell.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike
from pymatgen.core import Element, Lattice, Structure

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

#: Row operations of determinant 1 whose products are the changes of axes; each adds one axis to another.
_SHEARS = [(row, column) for row in range(3) for column in range(3) if row != column]


def rebuild(structure: Structure, matrix: FloatArray, fractional: FloatArray) -> Structure:
    """Return the sites of `structure` in the lattice `matrix` (3, 3) Å, rows a, b, c, at `fractional` (n_atoms, 3)."""
    return Structure(Lattice(matrix), structure.species_and_occu, fractional)


# The same crystal, described otherwise ------------------------------------------------------------------------------


def repeat(structure: Structure, numbers: tuple[int, int, int]) -> Structure:
    """Return the supercell of `numbers` cells along a, b and c."""
    return structure.make_supercell(numbers, to_unit_cell=False, in_place=False)


def shift_origin(structure: Structure, shift: ArrayLike) -> Structure:
    """Return the structure with `shift` (3,), in fractions of the axes, added to all coordinates."""
    return rebuild(structure, structure.lattice.matrix, structure.frac_coords + np.asarray(shift, float))


def change_axes(structure: Structure, transformation: FloatArray) -> Structure:
    """Return the structure on other axes of its lattice: a' = T a, x' = x T⁻¹.

    `transformation` is T, (3, 3) integers of determinant ±1; atoms stay where they are. Raises StructureError for
    another determinant, which would be another lattice.
    """
    if abs(abs(np.linalg.det(transformation)) - 1) > 1e-9:
        raise StructureError("a change of axes must have the determinant 1 or −1", "use repeat for supercells")
    matrix = transformation @ structure.lattice.matrix
    return rebuild(structure, matrix, structure.frac_coords @ np.linalg.inv(transformation))


def random_axes(random: np.random.Generator, shears: int = 3) -> FloatArray:
    """Return a (3, 3) integer matrix of determinant 1: a cyclic exchange of axes, then `shears` additions of one axis.

    Each shear adds or subtracts one axis to another. The cyclic exchange a → b → c → a is always there.
    """
    transformation = np.roll(np.eye(3), 1, axis=1)
    for _ in range(shears):
        row, column = _SHEARS[random.integers(len(_SHEARS))]
        shear = np.eye(3)
        shear[row, column] = random.choice((-1, 1))
        transformation = shear @ transformation
    return transformation


def reorder(structure: Structure, random: np.random.Generator) -> Structure:
    """Return the structure with its sites listed in random order."""
    return Structure.from_sites([structure[int(i)] for i in random.permutation(len(structure))])


def rotate(structure: Structure, random: np.random.Generator) -> Structure:
    """Return the structure turned as a rigid body by a rotation drawn evenly from all rotations."""
    from scipy.spatial.transform import Rotation

    turned = structure.lattice.matrix @ Rotation.random(rng=random).as_matrix().T
    return rebuild(structure, turned, structure.frac_coords)


def mirror(structure: Structure) -> Structure:
    """Return the mirror image in the plane x = 0: the other enantiomorph of a chiral crystal, else the same crystal."""
    return rebuild(structure, structure.lattice.matrix * [-1.0, 1.0, 1.0], structure.frac_coords)


# Another crystal, by a stated amount --------------------------------------------------------------------------------


def expand(structure: Structure, fraction: float) -> Structure:
    """Return the structure with its volume multiplied by 1 + `fraction`, all lengths alike; symmetry stays exactly."""
    return rebuild(structure, structure.lattice.matrix * (1 + fraction) ** (1 / 3), structure.frac_coords)


def expand_along_z(structure: Structure, fraction: float) -> Structure:
    """Return the structure with all lengths along the Cartesian z axis multiplied by 1 + `fraction`.

    The volume changes as much as by `expand`. In a standard setting z is the direction of c: symmetry stays in
    hexagonal, tetragonal and orthorhombic crystals, and is lowered in cubic ones.
    """
    return rebuild(structure, structure.lattice.matrix * [1.0, 1.0, 1 + fraction], structure.frac_coords)


def strain(structure: Structure, size: float, random: np.random.Generator) -> Structure:
    """Return the structure under a random strain: lattice vectors a (1 + ε), fractional coordinates kept.

    ε is symmetric, its six independent components are drawn from a normal distribution, and it is then scaled to the
    Frobenius norm `size`, so that no distance changes by more than the fraction `size`.
    """
    drawn = random.normal(size=(3, 3))
    tensor = drawn + drawn.T
    tensor *= size / np.linalg.norm(tensor)
    return rebuild(structure, structure.lattice.matrix @ (np.eye(3) + tensor), structure.frac_coords)


def displace_atoms(structure: Structure, distance: float, random: np.random.Generator) -> Structure:
    """Return the structure with noise on all atoms, of root mean square length `distance` Å exactly.

    Displacements are drawn from an isotropic normal distribution; their mean, which would be a shift of the origin, is
    taken off before they are scaled. Raises StructureError for a cell of one atom, where nothing remains.
    """
    if len(structure) == 1:
        raise StructureError("a cell of one atom has no displacement that is not a shift", "repeat the cell first")
    moves = random.normal(size=(len(structure), 3))
    moves -= moves.mean(axis=0)
    moves *= distance / np.sqrt((moves**2).sum(axis=1).mean())
    return rebuild(structure, structure.lattice.matrix, structure.frac_coords + moves @ structure.lattice.inv_matrix)


def displace_one_atom(structure: Structure, site: int, distance: float, random: np.random.Generator) -> Structure:
    """Return the structure with the atom `site` of every cell moved by `distance` Å in a random direction.

    A random direction is along no symmetry element: an atom that was on a special position leaves it. Raises
    StructureError for a cell of one atom, where the move is a shift of the origin.
    """
    if len(structure) == 1:
        raise StructureError("moving the only atom of a cell is a shift of the origin", "repeat the cell first")
    direction = random.normal(size=3)
    fractional = structure.frac_coords.copy()
    fractional[site] += distance * direction / np.linalg.norm(direction) @ structure.lattice.inv_matrix
    return rebuild(structure, structure.lattice.matrix, fractional)


def exchange_elements(structure: Structure) -> Structure:
    """Return the structure with its most and its least electronegative element exchanged, everywhere.

    In some types, rock salt among them, the result is the same crystal with another origin. Raises StructureError for
    an elemental crystal.
    """
    elements = sorted(structure.composition.elements, key=lambda element: (element.X, element.Z))
    if len(elements) < 2:
        raise StructureError("a crystal of one element has nothing to exchange", "take a compound")
    low, high = elements[0], elements[-1]
    return structure.replace_species({low: high, high: low}, in_place=False)


def substitute(structure: Structure) -> Structure:
    """Return the structure with one element replaced by a neighbour in its group of the periodic table.

    It is the element with most atoms in the cell (of several, the lightest); it becomes the element one period
    below, or above where there is none below or the crystal already contains it. All positions stay. Raises
    StructureError when neither is possible.
    """
    elements = structure.composition.elements
    for old in sorted(elements, key=lambda element: (-structure.composition[element], element.Z)):
        for new in _neighbours_in_group(Element(old.symbol)):
            if new not in elements:
                return structure.replace_species({old: new}, in_place=False)
    raise StructureError("no element has a free neighbour in its group", "take another structure")


def _neighbours_in_group(element: Element) -> list[Element]:
    """Return the elements of the same group one period below and one above, up to Rn; none for the f block."""
    if element.is_lanthanoid or element.is_actinoid:
        return []
    found = []
    for row in (element.row + 1, element.row - 1):
        if row < 7:
            # Places of the table without an element raise.
            with suppress(ValueError):
                found.append(Element.from_row_and_group(row, element.group))
    return found
