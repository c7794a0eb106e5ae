from dataclasses import replace

import numpy as np
import pytest
import torch
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from torch.distributions import Normal, kl_divergence

from xtal_cdvae.model.cdvae import CDVAE, Posterior
from xtal_cdvae.model.config import FAST, PAPER, CDVAEConfig, LossWeights
from xtal_cdvae.model.crystal_batch import CrystalBatch, crystal_means
from xtal_cdvae.model.sampling import langevin
from xtal_core.cells import CellBatch
from xtal_core.training_set import TrainingSet


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_settings_survive_being_written():
    for config in (PAPER, FAST, replace(FAST, weights=LossWeights(kl=0.5), sigma_coords=(2.0, 0.02))):
        assert CDVAEConfig.from_json(config.to_json()) == config


def test_the_divergence_is_torchs():
    mean, log_variance = torch.randn(3, 8, generator=seeded()), torch.randn(3, 8, generator=seeded(1))
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(Posterior(mean, log_variance).divergence(), expected)


def test_latent_vectors_are_drawn_with_the_mean_and_variance_of_the_posterior():
    posterior = Posterior(torch.full((20000, 2), 3.0), torch.tensor([0.0, -2.0]).expand(20000, 2))
    drawn = posterior.sample(seeded())
    torch.testing.assert_close(drawn.mean(0), torch.tensor([3.0, 3.0]), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.var(0), torch.tensor([1.0, np.exp(-2.0)]).float(), rtol=0.05, atol=0)


@pytest.mark.parametrize("denoiser", ["gemnet", "cspnet"])
def test_every_parameter_learns(small_model, crystals, denoiser):
    model = small_model(denoiser=denoiser, perturbed_species=1.0)
    posterior = model.encode(crystals)
    losses = model.losses(crystals, posterior.sample(seeded()), posterior, seeded())
    assert set(losses) == set(vars(LossWeights()))
    model.total(losses).backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_the_total_is_the_weighted_sum_of_the_losses_of_this_network(small_model, crystals):
    model = small_model()
    losses = {"coordinates": torch.tensor(2.0), "kl": torch.tensor(5.0), "pattern": torch.tensor(100.0)}
    assert model.total(losses).item() == pytest.approx(10 * 2 + 0.01 * 5)


def test_losses_are_the_same_for_the_same_noise(small_model, crystals):
    model = small_model(perturbed_species=0.5)
    z = torch.randn(len(crystals), 16, generator=seeded())
    first, second, other = (model.losses(crystals, z, None, seeded(seed)) for seed in (1, 1, 2))
    assert "kl" not in first
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["coordinates"] != other["coordinates"]
    assert first["lattice"] == other["lattice"]


def test_species_are_not_noisy_unless_asked_for(small_model, crystals):
    z = torch.randn(len(crystals), 16, generator=seeded())
    assert small_model(perturbed_species=0.0).losses(crystals, z, None, seeded())["species"] == 0
    assert small_model(perturbed_species=1.0).losses(crystals, z, None, seeded())["species"] > 0


@pytest.mark.parametrize("target", ["nearest", "wrapped"])
def test_a_network_that_moves_nothing_pays_for_the_noise(small_model, crystals, target):
    model = small_model(coordinate_target=target, sigma_coords=(0.02, 0.02))
    with torch.no_grad():
        model.denoiser.to_vector.weight.zero_()
    z = torch.zeros(len(crystals), 16)
    found = np.mean([model.losses(crystals, z, None, seeded(seed))["coordinates"].item() for seed in range(15)])
    # Half of three components of variance 1, less the motion of the crystal as a whole.
    expected = 1.5 * (1 - 1 / crystals.n_atoms).mean().item()
    assert found == pytest.approx(expected, rel=0.15)


def test_lattices_are_normalised_by_the_training_set(small_model, crystals):
    model = small_model()
    model.normalise_lattices(crystals.lattice, crystals.n_atoms)
    with torch.no_grad():
        for parameter in model.lattice_head.parameters():
            parameter.zero_()
        z = torch.randn(len(crystals), 16, generator=seeded())
        found = model.lattice_from(z, crystals.n_atoms)
    lengths = crystals.lattice.norm(dim=-1) / crystals.n_atoms[:, None] ** (1 / 3)
    expected = lengths.mean(0) * crystals.n_atoms[:, None] ** (1 / 3)
    torch.testing.assert_close(found.norm(dim=-1), expected)


def test_the_lattice_can_be_differentiated_by_the_latent_vector(small_model):
    z = torch.randn(2, 16, generator=seeded(), requires_grad=True)
    volumes = torch.linalg.det(small_model().lattice_from(z, torch.tensor([2, 5])))
    (gradient,) = torch.autograd.grad(volumes.sum(), z)
    assert gradient.abs().min() > 0


def test_means_are_those_of_each_crystal():
    found = crystal_means(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([2, 1]))
    assert found.tolist() == [[2.0], [5.0]]


def test_crystals_come_out_of_a_training_set_in_the_order_asked_for(structures):
    counts = [len(structure) for structure in structures]
    data = TrainingSet(
        names=tuple("abcde"),
        n_atoms=np.array(counts, np.int32),
        lattice=np.array([structure.lattice.matrix for structure in structures], np.float32),
        space_group=np.ones(5, np.int16),
        atomic_numbers=np.concatenate([structure.atomic_numbers for structure in structures]).astype(np.uint8),
        frac_coords=np.concatenate([structure.frac_coords for structure in structures]).astype(np.float32),
        stick_offsets=np.arange(6),
        stick_bins=np.arange(5).astype(np.uint16),
        stick_heights=np.ones(5, np.float32),
    )
    batch = CrystalBatch.from_training_set(data, [3, 0])
    assert batch.n_atoms.tolist() == [counts[3], counts[0]]
    assert batch.atomic_numbers.tolist() == [*structures[3].atomic_numbers, *structures[0].atomic_numbers]
    np.testing.assert_allclose(batch.frac_coords[: counts[3]], structures[3].frac_coords, atol=1e-6)
    np.testing.assert_allclose(batch.lattice[1], structures[0].lattice.matrix, atol=1e-6)


def test_four_crystals_are_learnt_by_heart_and_found_again():
    """A little of `benchmarks/overfit.py`: the whole of encoder, heads, denoiser and sampling."""
    chosen = [
        Structure.from_spacegroup(group, Lattice.cubic(length), elements, sites).get_primitive_structure()
        for group, length, elements, sites in (
            ("Fm-3m", 4.21, ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
            ("F-43m", 5.41, ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
            ("Pm-3m", 4.12, ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
            ("Fm-3m", 3.62, ["Cu"], [[0, 0, 0]]),
        )
    ]
    crystals = CrystalBatch.from_cells(CellBatch.from_structures(chosen))
    torch.manual_seed(0)
    small = replace(FAST, latent=16, encoder_width=16, encoder_blocks=1, encoder_inner=8, denoiser_width=64)
    model = CDVAE(replace(small, denoiser_layers=2))
    model.normalise_lattices(crystals.lattice, crystals.n_atoms)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 250)
    generator = seeded()
    for _ in range(250):
        posterior = model.encode(crystals)
        losses = model.losses(crystals, posterior.sample(generator), posterior, generator)
        optimiser.zero_grad()
        model.total(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        z = model.encode(crystals).mean
        lattice = model.lattice_from(z, crystals.n_atoms)
        count = model.crystal_parameters(z).atom_count.argmax(-1) + 1
    frac = langevin(
        model,
        z,
        crystals.atomic_numbers,
        crystals.n_atoms,
        lattice,
        steps_per_level=1,
        predictor=True,
        generator=generator,
    )
    assert count.tolist() == crystals.n_atoms.tolist()
    for i, structure in enumerate(chosen):
        atoms = crystals.owner == i
        numbers = crystals.atomic_numbers[atoms].tolist()
        found = Structure(lattice[i].double().numpy(), numbers, frac[atoms].double().numpy())
        # In units of (V/N)^⅓; random positions are 0.3 and more away.
        displacement, _ = StructureMatcher(0.3, 0.5, 10).get_rms_dist(found, structure) or (1.0, 1.0)
        assert displacement < 0.1


@pytest.mark.parametrize("denoiser", ["gemnet", "cspnet"])
def test_lower_precision_gives_nearly_the_same_losses(small_model, crystals, denoiser):
    model = small_model(denoiser=denoiser, perturbed_species=1.0)
    posterior = model.encode(crystals)
    exact = model.losses(crystals, posterior.mean, posterior, seeded())
    with torch.autocast("cpu", torch.bfloat16):
        posterior = model.encode(crystals)
        rough = model.losses(crystals, posterior.mean, posterior, seeded())
    # Species are drawn, so that a little difference may be a large one.
    for name in set(exact) - {"species"}:
        assert rough[name].item() == pytest.approx(exact[name].item(), rel=0.05)


def test_a_dense_crystal_does_not_overflow_a_trained_denoiser(small_model):
    diamond = Structure.from_spacegroup("Fd-3m", Lattice.cubic(3.567), ["C"], [[0, 0, 0]]).get_primitive_structure()
    crystals = CrystalBatch.from_cells(CellBatch.from_structures([diamond.perturb(0.5)]))
    model = small_model(denoiser="cspnet", denoiser_layers=6)
    with torch.no_grad():
        for parameter in model.denoiser.parameters():
            parameter.mul_(4)  # as large as training makes them
        found = model.denoise(torch.randn(1, 16), torch.tensor([0.5]), crystals)
    assert found.displacement.norm() < 1e6
