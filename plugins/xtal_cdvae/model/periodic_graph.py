"""Which images of the atoms of a crystal are near each other, for many crystals at once.

All lattice translations that could bring two atoms within the cutoff are listed once for a lattice (`PairFrame`),
wherever the atoms are; what atoms at certain places see is chosen among them. Each pair of images is found once and
stands for both directions. Nothing depends on the choice of the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xtal_cdvae.model.crystal_batch import atom_owner

#: Å: neighbours as far as the last one that is kept, up to this, are kept as well: shells are never divided.
SHELL = 0.01


@dataclass(frozen=True, eq=False)
class PairFrame:
    """Pairs of atoms of a crystal, an atom and itself among them, and translations that may make them neighbours.

    Attributes
    ----------
    cutoff
        Å.
    first, second : (n_pairs,)
        Atoms, `first` ≤ `second`; sorted by `first`.
    crystal : (n_pairs,)
        Whose they are.
    pair : (n_candidates,)
        Which pair a translation is of; of an atom and itself there is only one of each two opposite translations.
    translation : (n_candidates, 3)
        In units of the lattice vectors.
    shift : (n_candidates, 3) Å
        The same in space, for the lattice that the frame was made for.
    """

    cutoff: float
    first: Tensor
    second: Tensor
    crystal: Tensor
    pair: Tensor
    translation: Tensor
    shift: Tensor


@dataclass(frozen=True, eq=False)
class Images:
    """Pairs of images of atoms within the cutoff.

    Attributes
    ----------
    pair : (n_images,)
        Rows of the `PairFrame`.
    vector : (n_images, 3) Å
        From the first atom of the pair to this image of the second.
    """

    pair: Tensor
    vector: Tensor


@dataclass(frozen=True, eq=False)
class Edges:
    """Directed edges between atoms; several may join the same two.

    Attributes
    ----------
    source, target : (n_edges,)
        Atoms; messages go from `source` to `target`.
    vector : (n_edges, 3) Å
        From `target` to `source`.
    reverse : (n_edges,)
        The edge in the opposite direction.
    """

    source: Tensor
    target: Tensor
    vector: Tensor
    reverse: Tensor


@torch.no_grad()
def pair_frame(lattice: Tensor, n_atoms: Tensor, cutoff: float) -> PairFrame:
    """Return the frame of crystals with `n_atoms` (n,) atoms in the cells of `lattice` (n, 3, 3) Å."""
    device = lattice.device
    # Within a crystal: the atoms from i on.
    owner = atom_owner(n_atoms)
    ends = n_atoms.cumsum(0)
    atoms = torch.arange(len(owner), device=device)
    partners = ends[owner] - atoms
    first = torch.repeat_interleave(atoms, partners)
    second = first + places(partners)
    crystal = owner[first]

    translation, of_crystal = translations(lattice, cutoff)
    per_crystal = torch.bincount(of_crystal, minlength=len(n_atoms))
    starts = per_crystal.cumsum(0) - per_crystal
    counts = per_crystal[crystal]
    pair = torch.repeat_interleave(torch.arange(len(first), device=device), counts)
    chosen = starts[crystal[pair]] + places(counts)
    positive = _is_positive(translation)
    kept = ((first != second)[pair] | positive[chosen]).nonzero()[:, 0]
    chosen = chosen[kept]
    shift = cartesian(translation, lattice, of_crystal)
    return PairFrame(cutoff, first, second, crystal, pair[kept], translation[chosen], shift[chosen])


def images(frame: PairFrame, frac_coords: Tensor, lattice: Tensor) -> Images:
    """Return what is within the cutoff when atoms are at `frac_coords` (n_atoms.sum(), 3).

    Vectors can be differentiated by `frac_coords` and `lattice` (n, 3, 3) Å, which is that of the frame.
    """
    difference = frac_coords[frame.second] - frac_coords[frame.first]
    nearest = cartesian(difference - difference.detach().round(), lattice, frame.crystal)
    with torch.no_grad():
        within = (nearest[frame.pair] + frame.shift).square().sum(-1) < frame.cutoff**2
        found = within.nonzero()[:, 0]
    pair = frame.pair[found]
    if lattice.requires_grad:
        shift = cartesian(frame.translation[found], lattice, frame.crystal[pair])
    else:
        shift = frame.shift[found]
    return Images(pair, nearest[pair] + shift)


def edges(frame: PairFrame, found: Images, n_atoms: int, neighbours: int) -> Edges:
    """Return edges in both directions between each of `n_atoms` atoms and its nearest `neighbours`.

    An atom has more than that if others are as near as the last, or if it is among the nearest of another that is not
    among its own.
    """
    half = len(found.pair)
    first, second = frame.first[found.pair], frame.second[found.pair]
    with torch.no_grad():
        target, length = torch.cat([first, second]), found.vector.norm(dim=-1).repeat(2)
        near = length <= _reach(target, length, n_atoms, neighbours)[target]
        kept = (near[:half] | near[half:]).nonzero()[:, 0]
    first, second, vector = first[kept], second[kept], found.vector[kept]
    places = torch.arange(len(kept), device=kept.device)
    return Edges(
        torch.cat([second, first]),
        torch.cat([first, second]),
        torch.cat([vector, -vector]),
        torch.cat([places + len(kept), places]),
    )


def _reach(target: Tensor, length: Tensor, n_atoms: int, neighbours: int) -> Tensor:
    """Return (n_atoms,) how far the nearest `neighbours` of each atom are, infinity for atoms with fewer."""
    by_length = length.argsort()
    order = by_length[target[by_length].argsort(stable=True)]
    counts = torch.bincount(target, minlength=n_atoms)
    reach = length.new_full((n_atoms,), torch.inf)
    many = counts > neighbours
    last = (counts.cumsum(0) - counts + neighbours - 1)[many]
    reach[many] = length[order[last]] + SHELL
    return reach


def translations(lattice: Tensor, cutoff: Tensor | float) -> tuple[Tensor, Tensor]:
    """Return (n_translations, 3) translations and the crystals they are of, sorted by crystal.

    They are all that bring a point of the cell −½ ≤ x ≤ ½ within `cutoff` (Å, one for each crystal or for all) of the
    origin, and some others. `lattice` is (n, 3, 3) Å.
    """
    cutoff = lattice.new_zeros(len(lattice)) + cutoff
    # Lattice planes are as far apart as the reciprocal vectors are short.
    planes = torch.linalg.inv(lattice).norm(dim=1)
    most = (cutoff[:, None] * planes + 0.5).floor().long()
    sides = 2 * most + 1
    counts = sides.prod(-1)
    crystal = torch.repeat_interleave(torch.arange(len(lattice), device=lattice.device), counts)
    place = places(counts)
    side = sides[crystal]
    steps = torch.stack(
        [place // (side[:, 1] * side[:, 2]), place // side[:, 2] % side[:, 1], place % side[:, 2]], dim=-1
    )
    translation = (steps - most[crystal]).to(lattice.dtype)
    near = cartesian(translation, lattice, crystal).norm(dim=-1) <= (cutoff + half_diagonal(lattice))[crystal]
    return translation[near], crystal[near]


def half_diagonal(lattice: Tensor) -> Tensor:
    """Return (n,) Å, the half of the longest diagonal of each cell of `lattice` (n, 3, 3) Å."""
    signs = torch.tensor([[1.0, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]], device=lattice.device)
    return (signs.to(lattice.dtype)[:, :, None] * lattice[:, None]).sum(2).norm(dim=-1).amax(-1) / 2


def _is_positive(translation: Tensor) -> Tensor:
    """Return (n,) whether the first component that is not zero is positive."""
    x, y, z = translation.unbind(-1)
    return (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))


def places(counts: Tensor) -> Tensor:
    """Return (counts.sum(),) 0 to count − 1 for each of `counts`."""
    starts = counts.cumsum(0) - counts
    return torch.arange(int(counts.sum()), device=counts.device) - torch.repeat_interleave(starts, counts)


def cartesian(fractional: Tensor, lattice: Tensor, crystal: Tensor) -> Tensor:
    """Return `fractional` (n_vectors, 3) in Å, when they are of the crystals `crystal` (n_vectors,)."""
    # Not as a matrix product: those may be asked for in lower precision.
    return (fractional[:, :, None] * lattice[crystal]).sum(1)
