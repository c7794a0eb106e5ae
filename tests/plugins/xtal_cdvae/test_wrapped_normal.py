import itertools

import pytest
import torch

from xtal_cdvae.model.wrapped_normal import nearest_displacement, wrapped_displacement


@pytest.fixture
def cells():
    """A cubic, a skewed and a long cell with two atoms each, in double precision, and displacements of the atoms."""
    lattice = torch.tensor(
        [
            [[4.0, 0, 0], [0, 4, 0], [0, 0, 4]],
            [[3.0, 0, 0], [1.4, 3.2, 0], [4.1, -1.2, 3.9]],
            [[2.5, 0, 0], [0, 2.6, 0.4], [1.0, 0, 11]],
        ],
        dtype=torch.float64,
    )
    random = torch.randn(6, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return lattice, 2 * random, torch.tensor([2, 2, 2])


def images_of(displacement, lattice, reach=9):
    """Return (n_images, 3) of a displacement (3,)."""
    steps = torch.tensor(list(itertools.product(range(-reach, reach + 1), repeat=3)), dtype=torch.float64)
    return displacement + steps @ lattice


@pytest.mark.parametrize("sigma", [0.02, 0.3, 1.0, 1.4, 1.8, 2.5])
def test_the_score_is_the_derivative_of_the_logarithm_of_the_density(cells, sigma):
    lattice, displacement, n_atoms = cells

    def log_density(point, cell):
        return torch.logsumexp(-images_of(point, cell).square().sum(-1) / (2 * sigma**2), 0)

    found = wrapped_displacement(displacement, lattice, n_atoms, torch.full((3,), sigma, dtype=torch.float64))
    h = 1e-4 * sigma
    for atom in range(6):
        cell = lattice[atom // 2]
        slope = [
            (log_density(displacement[atom] + h * unit, cell) - log_density(displacement[atom] - h * unit, cell))
            / (2 * h)
            for unit in torch.eye(3, dtype=torch.float64)
        ]
        torch.testing.assert_close(found[atom] / sigma**2, torch.stack(slope), rtol=1e-5, atol=1e-6)


def test_little_noise_leads_straight_back(cells):
    lattice, displacement, n_atoms = cells
    little = 0.01 * displacement
    found = wrapped_displacement(little, lattice, n_atoms, torch.full((3,), 0.05, dtype=torch.float64))
    torch.testing.assert_close(found, -little)


def test_noise_much_larger_than_the_cell_tells_nothing(cells):
    lattice, displacement, n_atoms = cells
    found = wrapped_displacement(
        displacement[:4], lattice[:2], n_atoms[:2], torch.full((2,), 10.0, dtype=torch.float64)
    )
    assert found.abs().max() < 1e-6


def test_another_cell_of_the_lattice_makes_no_difference(cells):
    lattice, displacement, n_atoms = cells
    change = torch.tensor([[1.0, 1, 0], [0, 1, -2], [0, 0, 1]], dtype=torch.float64)
    for sigma in (0.4, 2.0):
        noise = torch.full((3,), sigma, dtype=torch.float64)
        first = wrapped_displacement(displacement, lattice, n_atoms, noise)
        second = wrapped_displacement(displacement, change @ lattice, n_atoms, noise)
        torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-7)


def test_single_precision_is_enough(cells):
    lattice, displacement, n_atoms = cells
    for sigma in (0.01, 0.5, 1.5, 3.0):
        noise = torch.full((3,), sigma, dtype=torch.float64)
        exact = wrapped_displacement(displacement, lattice, n_atoms, noise)
        found = wrapped_displacement(displacement.float(), lattice.float(), n_atoms, noise.float())
        torch.testing.assert_close(found.double() / sigma, exact / sigma, rtol=1e-3, atol=1e-3)


def test_the_nearest_image_is_that_of_brute_force(cells):
    lattice, displacement, n_atoms = cells
    found = nearest_displacement(displacement, lattice, n_atoms)
    for atom in range(6):
        candidates = images_of(displacement[atom], lattice[atom // 2], reach=5)
        nearest = candidates[candidates.norm(dim=-1).argmin()]
        torch.testing.assert_close(found[atom], -nearest)
