"""Encoder and denoisers do not depend on how a crystal is described; displacements turn with it."""

from dataclasses import replace

import pytest
import torch

from xtal_cdvae.model.cdvae import CDVAE
from xtal_cdvae.model.config import PAPER
from xtal_cdvae.model.crystal_batch import CrystalBatch

TOLERANCE = 1e-4


def rotation():
    matrix, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(4)))
    return matrix * torch.linalg.det(matrix)


def rotated(crystals):
    return replace(crystals, lattice=crystals.lattice @ rotation().T)


def mirrored(crystals):
    return replace(crystals, lattice=crystals.lattice * torch.tensor([1.0, 1, -1]))


def shifted(crystals):
    shift = torch.rand(len(crystals), 3, generator=torch.Generator().manual_seed(5))
    return crystals.with_coordinates(crystals.frac_coords + shift[crystals.owner])


def with_atoms_anywhere(crystals):
    whole = torch.randint(-3, 4, crystals.frac_coords.shape, generator=torch.Generator().manual_seed(6))
    return crystals.with_coordinates(crystals.frac_coords + whole)


def in_other_cells(change):
    def describe(crystals):
        matrix = torch.tensor(change, dtype=torch.float32)
        frac = crystals.frac_coords @ torch.linalg.inv(matrix)
        return CrystalBatch(crystals.atomic_numbers, frac, matrix @ crystals.lattice, crystals.n_atoms)

    return describe


#: A description, and what it does to vectors.
DESCRIPTIONS = {
    "rotated": (rotated, rotation()),
    "mirrored": (mirrored, torch.diag(torch.tensor([1.0, 1, -1]))),
    "from another origin": (shifted, torch.eye(3)),
    "with atoms in other cells": (with_atoms_anywhere, torch.eye(3)),
    "with axes exchanged": (in_other_cells([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), torch.eye(3)),
    "with an axis reversed": (in_other_cells([[1, 0, 0], [0, -1, 0], [0, 0, 1]]), torch.eye(3)),
    "in a sheared cell": (in_other_cells([[1, 1, 0], [0, 1, 0], [0, 0, 1]]), torch.eye(3)),
    "in a strongly skewed cell": (in_other_cells([[1, 2, -1], [0, 1, 2], [0, 0, 1]]), torch.eye(3)),
}


@pytest.fixture(params=["small", "paper"], scope="module")
def encoder(request, small_model):
    """The encoder, small and with the sizes of the paper."""
    if request.param == "small":
        return small_model()
    torch.manual_seed(0)
    return CDVAE(replace(PAPER, denoiser="cspnet")).eval()


@pytest.mark.parametrize("name", DESCRIPTIONS)
@torch.no_grad()
def test_latent_vectors_do_not_depend_on_the_description(encoder, crystals, name):
    describe, _ = DESCRIPTIONS[name]
    expected, found = encoder.encode(crystals), encoder.encode(describe(crystals))
    scale = expected.mean.abs().max()
    assert (found.mean - expected.mean).abs().max() < TOLERANCE * scale
    assert (found.log_variance - expected.log_variance).abs().max() < TOLERANCE * expected.log_variance.abs().max()


@torch.no_grad()
def test_latent_vectors_do_not_depend_on_the_order_of_the_atoms(encoder, crystals):
    order = order_within_crystals(crystals)
    expected = encoder.encode(crystals).mean
    assert (encoder.encode(reordered(crystals, order)).mean - expected).abs().max() < TOLERANCE * expected.abs().max()


@torch.no_grad()
def test_different_crystals_have_different_latent_vectors(encoder, crystals, noisy):
    first, second = encoder.encode(crystals).mean, encoder.encode(noisy).mean
    # Of the crystal with one atom nothing changes when it moves.
    assert (first - second).abs().amax(-1)[:-1].min() > 100 * TOLERANCE * first.abs().max()
    torch.testing.assert_close(first[-1], second[-1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", DESCRIPTIONS)
@pytest.mark.parametrize("denoiser", ["gemnet", "cspnet"])
@torch.no_grad()
def test_displacements_turn_with_the_crystal_and_depend_on_nothing_else(small_model, noisy, denoiser, name):
    model = small_model(denoiser=denoiser)
    describe, turn = DESCRIPTIONS[name]
    z, sigma = inputs(model, noisy)
    expected, found = model.denoise(z, sigma, noisy), model.denoise(z, sigma, describe(noisy))
    scale = expected.displacement.abs().max()
    assert (found.displacement - expected.displacement @ turn.T).abs().max() < TOLERANCE * scale
    assert (found.species - expected.species).abs().max() < TOLERANCE * expected.species.abs().max()


@pytest.mark.parametrize("denoiser", ["gemnet", "cspnet"])
@torch.no_grad()
def test_displacements_are_reordered_with_the_atoms(small_model, noisy, denoiser):
    model = small_model(denoiser=denoiser)
    order = order_within_crystals(noisy)
    z, sigma = inputs(model, noisy)
    expected, found = model.denoise(z, sigma, noisy), model.denoise(z, sigma, reordered(noisy, order))
    scale = expected.displacement.abs().max()
    assert (found.displacement - expected.displacement[order]).abs().max() < TOLERANCE * scale


@pytest.mark.parametrize("denoiser", ["gemnet", "cspnet"])
@torch.no_grad()
def test_no_crystal_is_moved_as_a_whole(small_model, noisy, denoiser):
    model = small_model(denoiser=denoiser)
    displacement = model.denoise(*inputs(model, noisy), noisy).displacement
    sums = torch.zeros(len(noisy), 3).index_add_(0, noisy.owner, displacement)
    assert displacement.abs().max() > 1e-3
    assert sums.abs().max() < 1e-5


@pytest.mark.parametrize("denoiser", ["gemnet", "cspnet"])
@torch.no_grad()
def test_a_batch_gives_what_single_crystals_give(small_model, noisy, denoiser):
    model = small_model(denoiser=denoiser)
    z, sigma = inputs(model, noisy)
    together = model.denoise(z, sigma, noisy).displacement
    for i in range(len(noisy)):
        atoms = noisy.owner == i
        one = slice(i, i + 1)
        alone = CrystalBatch(
            noisy.atomic_numbers[atoms], noisy.frac_coords[atoms], noisy.lattice[one], noisy.n_atoms[one]
        )
        found = model.denoise(z[one], sigma[one], alone).displacement
        torch.testing.assert_close(found, together[atoms], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("denoiser", ["gemnet", "cspnet"])
@torch.no_grad()
def test_atoms_on_one_place_are_no_trouble(small_model, crystals, denoiser):
    model = small_model(denoiser=denoiser)
    found = model.denoise(*inputs(model, crystals), crystals.with_coordinates(torch.zeros_like(crystals.frac_coords)))
    assert found.displacement.isfinite().all()
    assert found.species.isfinite().all()


def inputs(model, crystals):
    """Return latent vectors and noise for crystals."""
    z = torch.randn(len(crystals), model.config.latent, generator=torch.Generator().manual_seed(7))
    return z, torch.linspace(0.05, 1.5, len(crystals))


def order_within_crystals(crystals):
    """Return (n_atoms,) the atoms of each crystal in reverse order."""
    places = torch.arange(len(crystals.owner))
    ends = crystals.n_atoms.cumsum(0)[crystals.owner]
    return ends - 1 - (places - (ends - crystals.n_atoms[crystals.owner]))


def reordered(crystals, order):
    return CrystalBatch(crystals.atomic_numbers[order], crystals.frac_coords[order], crystals.lattice, crystals.n_atoms)
