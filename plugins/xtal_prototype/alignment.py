"""Lays one crystal over another of the same type: setting, origin, site and species assignment.

Two crystals of one type can differ by everything that maps their space group onto itself: other axes, another origin,
species in exchanged roles. The mapping is found in four steps: unimodular changes of the primitive cell that preserve
the point group and bring the lattices close to each other, one for each coset of the point group; origin shifts that
put an atom of the rarest species onto one of the other crystal; exchanges of species with equal amounts; one-to-one
assignment of the atoms. The fit with the smallest displacements and strain wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_prototype.standard_cell import StandardCell, primitive_vectors

#: Of the mappings that look best when every atom takes its nearest neighbour, this many are worked out.
_TRIED = 6


@dataclass(frozen=True)
class Tolerance:
    """How far apart two crystals of one type may be.

    Attributes
    ----------
    length
        Relative difference of any lattice vector, at equal volume per atom.
    angle
        Degrees, of any cell angle.
    rms
        Root mean square displacement of the atoms, in units of (V/N)^⅓.
    """

    length: float
    angle: float
    rms: float


@dataclass(frozen=True, eq=False)
class Alignment:
    """A crystal in the setting and atom order of the reference.

    Attributes
    ----------
    lattice : (3, 3) Å
        Rows.
    fractional : (n_atoms, 3)
        Row i belongs to atom i of the reference and is its nearest image.
    numbers : (n_atoms,)
        Atomic numbers in that order.
    rms
        Displacement from the reference, in units of (V/N)^⅓.
    """

    lattice: FloatArray
    fractional: FloatArray
    numbers: IntArray
    rms: float


def align(reference: StandardCell, member: StandardCell, tolerance: Tolerance) -> Alignment | None:
    """Return `member` laid over `reference`, or None when they are farther apart than `tolerance`.

    Both need the same space group and as many atoms of as many species in orbits of the same sizes.
    """
    rulers = _unit_lattice(reference)
    classes = _Classes.of(reference, member)
    best: tuple[float, Alignment] | None = None
    for change in _lattice_changes(reference, member, tolerance):
        lattice = change @ member.lattice
        fractional = member.fractional @ np.linalg.inv(change)
        strain = _strain(reference.lattice, lattice)
        for rms, moved, order in _fit_atoms(reference.fractional, fractional, rulers, classes, tolerance.rms):
            cost = rms**2 + strain**2
            if best is None or cost < best[0]:
                best = cost, Alignment(lattice, moved, member.numbers[order], rms)
    return None if best is None else best[1]


@dataclass(frozen=True, eq=False)
class _Classes:
    """Which atoms may take which places.

    `reference[s]` and `member[s]` are the atoms of species s; `exchanges` lists, species of the reference by species,
    which species of the member may stand there; `anchor` is the reference's species with the fewest atoms.
    """

    reference: list[IntArray]
    member: list[IntArray]
    exchanges: list[tuple[int, ...]]
    anchor: int

    @classmethod
    def of(cls, reference: StandardCell, member: StandardCell) -> _Classes:
        atoms, kinds = zip(*(_species(cell) for cell in (reference, member)), strict=True)
        species = range(len(kinds[0]))
        alike = [[taken for taken in species if kinds[1][taken] == kind] for kind in kinds[0]]
        exchanges = [exchange for exchange in product(*alike) if len(set(exchange)) == len(exchange)]
        return cls(atoms[0], atoms[1], exchanges, min(species, key=lambda s: len(atoms[0][s])))


def orbit_sizes(cell: StandardCell) -> tuple[tuple[int, ...], ...]:
    """Return, for each species, the sorted numbers of atoms of its orbits in the primitive cell; species sorted.

    Cells that differ in this are of different types whatever their setting.
    """
    return tuple(sorted(_species(cell)[1]))


def _species(cell: StandardCell) -> tuple[list[IntArray], list[tuple[int, ...]]]:
    """Return the atoms of each species, and the sizes of its orbits."""
    numbers = sorted(set(cell.numbers.tolist()))
    atoms = [np.flatnonzero(cell.numbers == number) for number in numbers]
    return atoms, [tuple(sorted(Counter(cell.orbits[rows].tolist()).values())) for rows in atoms]


def _fit_atoms(
    reference: FloatArray, member: FloatArray, rulers: FloatArray, classes: _Classes, limit: float
) -> Iterator[tuple[float, FloatArray, IntArray]]:
    """Yield (rms, member's coordinates in the reference's order, that order) of the best mappings below `limit`."""
    anchor = reference[classes.reference[classes.anchor][0]]
    shifts, trials = [], []
    for taken in sorted({exchange[classes.anchor] for exchange in classes.exchanges}):
        shifts.append(anchor - member[classes.member[taken]])
        trials += [taken] * len(classes.member[taken])
    shift = np.concatenate(shifts)
    distance = _squared_distances(reference, member[None] + shift[:, None], rulers)
    # Each species against each: the sum of squared distances to the nearest atom bounds any one-to-one fit from below.
    nearest = np.array(
        [
            [distance[:, rows][:, :, columns].min(axis=2).sum(axis=1) for columns in classes.member]
            for rows in classes.reference
        ]
    )
    species = np.arange(len(classes.reference))
    bounds = [
        (nearest[species, exchange, trial].sum() / len(reference), trial, exchange)
        for trial, taken in enumerate(trials)
        for exchange in classes.exchanges
        if exchange[classes.anchor] == taken
    ]
    # The anchor atoms need not coincide: the bound holds for the trial origin only, hence the generous factor.
    promising = sorted(bound for bound in bounds if bound[0] < 4 * limit**2)[:_TRIED]
    for _, trial, exchange in promising:
        moved = member + shift[trial]
        _, roughly = _assign(reference, moved, rulers, classes, exchange)
        order, difference = _assign(reference, moved - roughly.mean(axis=0), rulers, classes, exchange)
        difference -= difference.mean(axis=0)
        rms = float(np.sqrt(((difference @ rulers) ** 2).sum(axis=1).mean()))
        if rms <= limit:
            yield rms, reference + difference, order


def _assign(
    reference: FloatArray, member: FloatArray, rulers: FloatArray, classes: _Classes, exchange: tuple[int, ...]
) -> tuple[IntArray, FloatArray]:
    """Return for each atom of the reference which one of the member takes its place, and how far away that is."""
    from scipy.optimize import linear_sum_assignment

    distance = _squared_distances(reference, member[None], rulers)[0]
    order = np.empty(len(reference), int)
    for rows, taken in zip(classes.reference, exchange, strict=True):
        columns = classes.member[taken]
        block = distance[np.ix_(rows, columns)]
        choice = block.argmin(axis=1)
        if len(np.unique(choice)) < len(choice):
            choice = linear_sum_assignment(block)[1]
        order[rows] = columns[choice]
    difference = member[order] - reference
    return order, difference - np.round(difference)


def _squared_distances(reference: FloatArray, trials: FloatArray, rulers: FloatArray) -> FloatArray:
    """Return (n_trials, n_reference, n_member) in the units of `rulers`."""
    difference = trials[:, None, :, :] - reference[None, :, None, :]
    difference -= np.round(difference)
    return ((difference @ rulers) ** 2).sum(axis=-1)


def _lattice_changes(reference: StandardCell, member: StandardCell, tolerance: Tolerance) -> FloatArray:
    """Return (n, 3, 3) integer changes of the member's lattice vectors, one for each distinct way to lay it over."""
    target, own = _unit_lattice(reference), _unit_lattice(member)
    vectors = _INTEGER_VECTORS @ own
    lengths = np.linalg.norm(vectors, axis=1)
    target_lengths = np.linalg.norm(target, axis=1)
    chosen = [np.flatnonzero(abs(lengths / length - 1) <= tolerance.length) for length in target_lengths]
    if not all(len(rows) for rows in chosen):
        return np.empty((0, 3, 3))

    def close(first: int, second: int) -> np.ndarray:
        wanted = target[first] @ target[second] / (target_lengths[first] * target_lengths[second])
        i, j = chosen[first], chosen[second]
        cosines = vectors[i] @ vectors[j].T / (lengths[i][:, None] * lengths[j])
        difference = np.degrees(np.arccos(np.clip(cosines, -1, 1)) - np.arccos(np.clip(wanted, -1, 1)))
        return abs(difference) <= tolerance.angle

    fits = close(0, 1)[:, :, None] & close(0, 2)[:, None, :] & close(1, 2)[None, :, :]
    indices = np.argwhere(fits)
    changes = np.stack([_INTEGER_VECTORS[chosen[axis][indices[:, axis]]] for axis in range(3)], axis=1)
    changes = changes[abs(abs(np.linalg.det(changes)) - 1) < 0.5]
    rotations, _ = space_group_operations(reference.hall_number, reference.centring)
    known = set(_hashes(rotations).tolist())
    # x_reference = mapping · x_member for columns of fractional coordinates.
    mappings = np.round(np.linalg.inv(changes).transpose(0, 2, 1))
    turned = mappings[:, None] @ rotations[None] @ np.round(np.linalg.inv(mappings))[:, None]
    preserving = np.isin(_hashes(turned), list(known)).all(axis=1)
    changes, mappings = changes[preserving], mappings[preserving]
    cosets = _hashes(rotations[None] @ mappings[:, None]).min(axis=1) if len(mappings) else np.empty(0)
    return changes[np.unique(cosets, return_index=True)[1]]


@cache
def space_group_operations(hall_number: int, centring: str) -> tuple[FloatArray, FloatArray]:
    """Return rotations (n, 3, 3) and translations (n, 3) of a space group, for columns in the primitive cell.

    One operation for each element of the point group.
    """
    import spglib

    operations = spglib.get_symmetry_from_database(hall_number)
    if operations is None:
        raise ValueError(f"there is no Hall number {hall_number}")
    # Operations that differ by a centring translation are the same one in the primitive cell.
    _, kept = np.unique(operations["rotations"], axis=0, return_index=True)
    basis = primitive_vectors(centring).T
    inverse = np.linalg.inv(basis)
    rotations = np.round(inverse @ operations["rotations"][kept] @ basis)
    return rotations, operations["translations"][kept] @ inverse.T


def _hashes(matrices: FloatArray) -> FloatArray:
    """Return one number for each of (..., 3, 3) matrices of small integers."""
    return (matrices.reshape(*matrices.shape[:-2], 9) + 20) @ (41.0 ** np.arange(9))


def _unit_lattice(cell: StandardCell) -> FloatArray:
    """Return the lattice scaled to one unit of volume an atom."""
    return cell.lattice * (len(cell.numbers) / abs(np.linalg.det(cell.lattice))) ** (1 / 3)


def _strain(first: FloatArray, second: FloatArray) -> float:
    """Return the norm of the logarithmic strain, volume change removed, that turns one lattice into the other."""
    metrics = [lattice @ lattice.T for lattice in (first, second)]
    stretches = 0.5 * np.log(np.abs(np.linalg.eigvals(np.linalg.solve(*metrics))))
    return float(np.linalg.norm(stretches - stretches.mean()))


_INTEGER_VECTORS = np.array([v for v in product(range(-2, 3), repeat=3) if any(v)], float)
