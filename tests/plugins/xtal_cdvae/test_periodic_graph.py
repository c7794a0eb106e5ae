import itertools

import numpy as np
import pytest
import torch

from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_cdvae.model.encoder import triplets
from xtal_cdvae.model.periodic_graph import SHELL, edges, images, pair_frame

CUTOFF = 5.0


def neighbours_by_brute_force(structure, cutoff):
    """Return sorted rows (first, second, vector) of all images of all atoms within the cutoff."""
    lattice, frac = structure.lattice.matrix, structure.frac_coords
    reach = range(-8, 9)
    rows = []
    for shift in itertools.product(reach, reach, reach):
        vectors = (frac[None] + np.array(shift) - frac[:, None]) @ lattice
        distances = np.linalg.norm(vectors, axis=-1)
        for i, j in np.argwhere((distances < cutoff) & (distances > 1e-6)):
            rows.append((i, j, *np.round(vectors[i, j], 3)))
    return sorted(rows)


def skewed(structure):
    copy = structure.copy()
    copy.make_supercell([[1, 1, 0], [0, 1, -1], [0, 0, 1]], to_unit_cell=False)
    return copy


def directed(frame, found):
    """Return the rows of both directions, as `neighbours_by_brute_force` has them."""
    first, second = frame.first[found.pair], frame.second[found.pair]
    vectors = found.vector.double().numpy()
    rows = []
    for i, j, vector in zip(first.tolist(), second.tolist(), vectors, strict=True):
        rows += [(i, j, *np.round(vector, 3)), (j, i, *np.round(-vector, 3))]
    return rows


def same_rows(rows, expected):
    key = lambda row: (row[0], row[1], *np.round(row[2:], 1))  # noqa: E731
    first, second = np.array(sorted(rows, key=key), float), np.array(sorted(expected, key=key), float)
    return first.shape == second.shape and np.abs(first - second).max() < 2e-3


@pytest.mark.parametrize("change", [lambda structure: structure, skewed], ids=["as it is", "in a skewed cell"])
def test_images_are_those_of_brute_force(structures, change):
    for structure in map(change, structures):
        lattice = torch.tensor(structure.lattice.matrix.copy())[None]
        frame = pair_frame(lattice, torch.tensor([len(structure)]), CUTOFF)
        found = images(frame, torch.tensor(structure.frac_coords), lattice)
        assert same_rows(directed(frame, found), neighbours_by_brute_force(structure, CUTOFF))


def test_a_batch_gives_what_single_crystals_give(crystals):
    frame = pair_frame(crystals.lattice, crystals.n_atoms, CUTOFF)
    together = images(frame, crystals.frac_coords, crystals.lattice)
    start, rows = 0, []
    for i, n in enumerate(crystals.n_atoms.tolist()):
        lattice = crystals.lattice[i : i + 1]
        alone = pair_frame(lattice, crystals.n_atoms[i : i + 1], CUTOFF)
        found = images(alone, crystals.frac_coords[start : start + n], lattice)
        rows += [(a + start, b + start, *vector) for a, b, *vector in directed(alone, found)]
        start += n
    assert same_rows(directed(frame, together), rows)


def test_coordinates_outside_the_cell_change_nothing(crystals):
    frame = pair_frame(crystals.lattice, crystals.n_atoms, CUTOFF)
    moved = crystals.frac_coords + torch.randint(-3, 4, crystals.frac_coords.shape)
    first = images(frame, crystals.frac_coords, crystals.lattice)
    second = images(frame, moved, crystals.lattice)
    assert same_rows(directed(frame, first), directed(frame, second))


def test_vectors_have_exact_derivatives_by_coordinates_and_lattice(noisy):
    lattice = noisy.lattice.double().requires_grad_()
    frac = noisy.frac_coords.double().requires_grad_()
    frame = pair_frame(lattice.detach(), noisy.n_atoms, CUTOFF)

    def smooth_sum(frac, lattice):
        lengths = images(frame, frac, lattice).vector.norm(dim=-1)
        return (CUTOFF - lengths).pow(3).sum()

    assert torch.autograd.gradcheck(smooth_sum, (frac, lattice), eps=1e-6, rtol=1e-5)


def test_edges_are_those_to_the_nearest_neighbours_of_either_end_with_whole_shells(structures):
    for structure in structures:
        crystal = CrystalBatch(
            torch.tensor(structure.atomic_numbers),
            torch.tensor(structure.frac_coords),
            torch.tensor(structure.lattice.matrix.copy())[None],
            torch.tensor([len(structure)]),
        )
        frame = pair_frame(crystal.lattice, crystal.n_atoms, CUTOFF)
        graph = edges(frame, images(frame, crystal.frac_coords, crystal.lattice), len(structure), 8)
        rows = neighbours_by_brute_force(structure, CUTOFF)
        lengths = {i: sorted(np.linalg.norm(row[2:]) for row in rows if row[0] == i) for i in range(len(structure))}
        reach = {i: (all_of_it[7] if len(all_of_it) > 8 else np.inf) + SHELL for i, all_of_it in lengths.items()}
        kept = [row for row in rows if np.linalg.norm(row[2:]) <= max(reach[row[0]], reach[row[1]])]
        vectors = graph.vector.numpy()
        found = [
            (i, j, *vector) for i, j, vector in zip(graph.target.tolist(), graph.source.tolist(), vectors, strict=True)
        ]
        assert same_rows(found, kept)


def test_the_reverse_of_an_edge_goes_back_along_it(crystals):
    frame = pair_frame(crystals.lattice, crystals.n_atoms, CUTOFF)
    found = images(frame, crystals.frac_coords, crystals.lattice)
    graph = edges(frame, found, len(crystals.atomic_numbers), 8)
    assert torch.equal(graph.source[graph.reverse], graph.target)
    assert torch.equal(graph.vector[graph.reverse], -graph.vector)
    assert torch.equal(graph.reverse[graph.reverse], torch.arange(len(graph.reverse)))


def test_triplets_are_all_pairs_of_edges_that_meet_except_there_and_back(crystals):
    frame = pair_frame(crystals.lattice, crystals.n_atoms, 3.5)
    found = images(frame, crystals.frac_coords, crystals.lattice)
    graph = edges(frame, found, len(crystals.atomic_numbers), 6)
    incoming, outgoing = triplets(graph)
    source, target, reverse = graph.source.tolist(), graph.target.tolist(), graph.reverse.tolist()
    pairs = itertools.product(range(len(source)), repeat=2)
    expected = {(a, b) for a, b in pairs if target[a] == source[b] and a != reverse[b]}
    assert set(zip(incoming.tolist(), outgoing.tolist(), strict=True)) == expected
    assert len(incoming) == len(expected)


def test_a_crystal_without_neighbours_has_no_edges():
    lattice = 20 * torch.eye(3)[None]
    frame = pair_frame(lattice, torch.tensor([1]), CUTOFF)
    graph = edges(frame, images(frame, torch.zeros(1, 3), lattice), 1, 8)
    assert len(graph.source) == len(triplets(graph)[0]) == 0
