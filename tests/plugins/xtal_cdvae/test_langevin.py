from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_cdvae.model.denoiser import Denoised
from xtal_cdvae.model.periodic_graph import pair_frame
from xtal_cdvae.model.sampling import langevin, noise_levels
from xtal_cdvae.model.wrapped_normal import nearest_displacement, wrapped_displacement


class PerfectModel:
    """Knows where the atoms are, and no more: its gradient is that of the wrapped normal distribution around them."""

    def __init__(self, truth):
        self.truth = truth
        self.config = SimpleNamespace(sigma_coords=(3.0, 0.01), levels=50)

    def frame(self, lattice, n_atoms):
        return pair_frame(lattice, n_atoms, 3.0)

    def away(self, frac, lattice):
        return ((frac - self.truth.frac_coords)[:, :, None] * lattice[self.truth.owner]).sum(1)

    def denoise(self, z, sigma, crystals, frame):
        away = self.away(crystals.frac_coords, crystals.lattice)
        return Denoised(wrapped_displacement(away, crystals.lattice, crystals.n_atoms, sigma), away)


def sample(model, crystals, seed=0, **settings):
    z = torch.zeros(len(crystals), getattr(model.config, "latent", 1))
    generator = torch.Generator().manual_seed(seed)
    return langevin(
        model, z, crystals.atomic_numbers, crystals.n_atoms, crystals.lattice, generator=generator, **settings
    )


def distances_from_truth(model, frac):
    truth = model.truth
    return nearest_displacement(model.away(frac, truth.lattice), truth.lattice, truth.n_atoms).norm(dim=-1)


@pytest.mark.parametrize(
    "settings",
    [
        {"levels": 30, "steps_per_level": 4},
        {"steps_per_level": 0, "predictor": True},
        {"levels": 20, "steps_per_level": 1, "predictor": True},
    ],
    ids=["Langevin steps alone", "predictor alone", "both"],
)
def test_the_right_gradient_leads_to_the_right_places(crystals, settings):
    model = PerfectModel(crystals)
    assert distances_from_truth(model, sample(model, crystals, **settings)).max() < 0.05


def test_langevin_steps_at_one_level_draw_from_the_density_of_that_level(crystals):
    copies = CrystalBatch(
        crystals.atomic_numbers[:2].repeat(200),
        crystals.frac_coords[:2].repeat(200, 1),
        crystals.lattice[:1].expand(200, 3, 3),
        torch.full((200,), 2),
    )
    model = PerfectModel(copies)
    sigma = 0.2
    model.config.sigma_coords = (sigma, sigma)
    seen = []

    def only_look(frac, lattice, noise):
        seen.append(frac)
        return torch.zeros_like(frac)

    sample(model, copies, levels=1, steps_per_level=60, step_size=0.1 * sigma**2, guidance=only_look)
    # Before the last step, which goes all the way to the clean position.
    spread = (distances_from_truth(model, seen[-1]).square().mean() / 3).sqrt()
    # Steps of ε instead of infinitesimal ones make the variance larger by the factor 1 / (1 − ε / 2σ²).
    assert spread.item() == pytest.approx(sigma / 0.95**0.5, rel=0.06)


def test_the_same_seed_draws_the_same_and_another_one_does_not(small_model, crystals):
    model = small_model()
    settings = {"levels": 4, "steps_per_level": 2, "predictor": True}
    first, again, other = (sample(model, crystals, seed, **settings) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_coordinates_are_in_the_cell(small_model, crystals):
    frac = sample(small_model(denoiser="gemnet"), crystals, levels=3, steps_per_level=2)
    assert frac.shape == crystals.frac_coords.shape
    assert frac.min() >= 0
    assert frac.max() < 1


def test_guidance_adds_its_gradient(crystals):
    model = PerfectModel(crystals)
    move = torch.tensor([0.2, 0.0, 0.0])

    def guidance(frac, lattice, sigma):
        # That of the same density 0.2 Å away: the product of both lies in the middle.
        noise = torch.full((len(crystals),), sigma)
        return wrapped_displacement(model.away(frac, lattice) - move, lattice, crystals.n_atoms, noise) / sigma**2

    model.config.sigma_coords = (1.0, 0.01)
    frac = sample(model, crystals, levels=25, steps_per_level=3, step_size=5e-5, guidance=guidance)
    away = -nearest_displacement(model.away(frac, crystals.lattice), crystals.lattice, crystals.n_atoms)
    torch.testing.assert_close(away.mean(0), move / 2, atol=0.02, rtol=0)


def test_levels_fall_from_the_largest_to_the_smallest_by_a_constant_ratio():
    levels = noise_levels(10.0, 0.01, 50)
    assert (levels[0], levels[-1], len(levels)) == (10.0, pytest.approx(0.01), 50)
    ratios = [after / before for before, after in pairwise(levels)]
    assert ratios == pytest.approx([ratios[0]] * 49)
    assert noise_levels(10.0, 0.01, 1) == [0.01]


def test_progress_is_shown_level_by_level(crystals):
    shown = []

    def progress(levels):
        for level in levels:
            shown.append(level)
            yield level

    sample(PerfectModel(crystals), crystals, levels=5, steps_per_level=1, progress=progress)
    assert shown == noise_levels(3.0, 0.01, 5)


def test_from_a_start_atoms_go_no_farther_than_the_noise_takes_them(crystals):
    class Indifferent(PerfectModel):
        def denoise(self, z, sigma, crystals, frame):
            return Denoised(torch.zeros_like(crystals.frac_coords), crystals.frac_coords)

    model = Indifferent(crystals)
    near = sample(model, crystals, levels=1, steps_per_level=0, start=crystals.frac_coords, largest_noise=0.05)
    far = sample(model, crystals, levels=1, steps_per_level=0)
    assert 0.01 < distances_from_truth(model, near).max() < 0.3
    assert distances_from_truth(model, far).max() > 0.5


def test_from_a_start_the_truth_is_found(crystals):
    model = PerfectModel(crystals)
    frac = sample(model, crystals, steps_per_level=1, predictor=True, start=crystals.frac_coords, largest_noise=0.3)
    assert distances_from_truth(model, frac).max() < 0.05
