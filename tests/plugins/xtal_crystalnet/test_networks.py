"""CrystalNet's networks and their training."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from xtal_core.errors import InputError, OptionError
from xtal_core.options import build_options
from xtal_crystalnet.learning import ablated, without_ratios
from xtal_crystalnet.model.config import CrystalNetConfig
from xtal_crystalnet.model.crystalnet import CrystalNet
from xtal_crystalnet.model.lattice_metric import LatticeScale
from xtal_crystalnet.patterns import N_SEEN
from xtal_crystalnet.plugin import TrainingOptions
from xtal_crystalnet.saved_model import load_crystalnet
from xtal_crystalnet.training import CrystalNetModel, network_config


def some_points(n, seed=0):
    return torch.rand(1, n, 3, generator=torch.Generator().manual_seed(seed))


def test_the_defaults_are_the_papers():
    options = build_options("crystalnet", TrainingOptions, CrystalNetModel.presets()["paper"])
    assert network_config(options) == CrystalNetConfig()
    assert (options.kl_weight, options.strata, options.near_atoms) == (0.05, 10, 0)
    assert (options.learning_rate, options.last_learning_rate, options.restart_epochs) == (1e-3, 1e-6, 100)
    network = CrystalNet(CrystalNetConfig())
    patterns, composition = torch.rand(2, 2, N_SEEN), torch.rand(2, 118)
    told = network.embeddings(patterns, composition)
    assert [tuple(each.mean.shape) for each in told] == [(2, 512), (2, 512)]
    assert network.frequencies.shape == (128, 3)
    assert float(network.frequencies.std()) == pytest.approx(3, rel=0.1)
    assert len(network.regressor.layers) == 4


def test_presets_set_options_that_there_are():
    known = {field.name for field in fields(TrainingOptions)}
    for settings in CrystalNetModel.presets().values():
        assert settings.keys() <= known
        build_options("crystalnet", TrainingOptions, settings)


@pytest.mark.parametrize("settings", [{}, {"periodic": False, "norm": "batch", "density_scale": 0.0}])
def test_all_losses_fall_on_a_few_crystals(training_set, small_model, settings):
    torch.manual_seed(0)
    model = small_model(ablated=0.0, learning_rate=3e-3, **settings)
    module = model.module(training_set)
    seen = []
    module.log_dict = lambda named, **_: seen.append({name: float(value.detach()) for name, value in named.items()})
    (batch,) = model.batches(training_set, training=False, batch_size=16, seed=0, workers=0)
    optimiser = torch.optim.Adam(module.parameters(), 3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        module.training_step(batch, 0).backward()
        optimiser.step()
    first, last = ({k: np.mean([s[k] for s in part]) for k in seen[0]} for part in (seen[:5], seen[-5:]))
    assert last["train_density"] < 0.6 * first["train_density"]
    assert last["train_lattice"] < 0.6 * first["train_lattice"]


@torch.no_grad()
@pytest.mark.parametrize("periodic", [True, False])
def test_densities_have_the_period_of_the_cell_at_its_border_with_periodic_features_only(
    training_set, small_model, periodic
):
    network = small_model(periodic=periodic).module(training_set).network.eval()
    conditions = network.conditions(torch.randn(2, 32, generator=torch.Generator().manual_seed(1)))
    points = some_points(200)
    spread = float(network(conditions, points).std(1).max())
    moved = network(conditions, points + torch.tensor([1.0, -2.0, 3.0]))
    assert float((moved - network(conditions, points)).abs().max()) < 1e-2 * spread
    # The network sees a cell from −½ to ½, whose ends are one place.
    y = points[..., 1:]
    ends = (network(conditions, torch.cat([torch.full_like(y[..., :1], x), y], -1)) for x in (-0.499999, 0.499999))
    first, last = ends
    difference = float((first - last).abs().max()) / spread
    assert difference < 1e-2 if periodic else difference > 0.1


@torch.no_grad()
def test_points_for_all_maps_give_what_points_for_each_give(training_set, small_model):
    network = small_model().module(training_set).network.eval()
    conditions = network.conditions(torch.randn(3, 32))
    points = some_points(15)
    torch.testing.assert_close(network(conditions, points), network(conditions, points.expand(3, -1, -1)))


def test_densities_come_back_from_what_the_network_sees():
    density = torch.tensor([0.0, 0.3, 40.0, 900.0])
    for scale in (0.0, 3.0):
        network = CrystalNet(CrystalNetConfig(latent=8, growth=1, dense_layers=1, width=8, density_scale=scale))
        assert network.decoded(network.encoded(density)).tolist() == pytest.approx(density.tolist(), rel=1e-4)


def test_the_kl_term_is_the_divergence_of_normal_distributions(training_set, small_model):
    network = small_model().module(training_set).network
    pattern, _ = network.embeddings(torch.rand(4, 2, N_SEEN), torch.rand(4, 118))
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(pattern.mean, pattern.deviation), torch.distributions.Normal(0.0, 1.0)
    )
    assert float(pattern.kl().detach()) == pytest.approx(float(expected.mean().detach()), rel=1e-5)


def test_lattices_come_back_from_six_numbers(structures):
    lattices = torch.tensor(np.array([each.lattice.matrix for each in structures]))
    scale = LatticeScale()
    scale.set(lattices)
    back = scale.lattice(scale.scaled(lattices))
    metric = back @ back.transpose(1, 2)
    assert metric.numpy() == pytest.approx((lattices @ lattices.transpose(1, 2)).numpy(), rel=1e-4, abs=1e-3)


def test_less_of_a_formula_is_told_in_each_ablation():
    composition = torch.zeros(4, 10)
    composition[:, [0, 3, 7]] = torch.tensor([0.5, 0.25, 0.25])
    full, elements, dropped, nothing = without_ratios(composition, torch.tensor([3, 0, 1, 2])).unbind()
    assert torch.equal(full, composition[0])
    assert elements[[0, 3, 7]].tolist() == [1, 1, 1]
    assert sorted(dropped[[0, 3, 7]].tolist()) == [0, 1, 1]
    assert not nothing.any()


def test_the_only_element_of_a_formula_is_never_dropped():
    composition = torch.zeros(50, 10)
    composition[:, 4] = 1
    assert torch.equal(without_ratios(composition, torch.ones(50, dtype=torch.long)), composition)


def test_formulas_are_ablated_as_often_as_asked_for():
    torch.manual_seed(0)
    composition = torch.zeros(3000, 10)
    composition[:, :2] = 0.5
    changed = (ablated(composition, 0.3) != composition).any(1).float().mean()
    assert float(changed) == pytest.approx(0.3, abs=0.03)


def test_training_takes_the_crystal_systems_that_were_asked_for(training_set, small_model):
    cubic = small_model(systems="cubic").batches(training_set, training=False, batch_size=99, seed=0, workers=0)
    (batch,) = cubic
    assert len(batch.sticks) == int((training_set.space_group >= 195).sum())
    with pytest.raises(InputError, match="no crystal of the set is triclinic"):
        small_model(systems="triclinic").module(training_set)
    with pytest.raises(OptionError, match="'cube' is no crystal system"):
        small_model(systems="cube")


def test_validation_sees_the_same_points_every_time(training_set, small_model):
    loader = small_model().batches(training_set, training=False, batch_size=4, seed=0, workers=0)
    first, second = ([batch.points for batch in loader] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_weights_come_back_as_they_were_saved(weights, training_set, small_model, tmp_path):
    model = load_crystalnet(str(weights), "cpu")
    assert model.narrowest == 0.01
    assert len(model.systems) == 7
    stored = load_file(weights)
    assert all(torch.equal(tensor, stored[name]) for name, tensor in model.network.state_dict().items())
    broken = tmp_path / "broken.safetensors"
    save_file({"a": torch.zeros(1)}, broken, {"model": "crystalnet", "crystalnet": "{}"})
    with pytest.raises(InputError, match="another release"):
        load_crystalnet(str(broken), "cpu")
    with pytest.raises(OptionError, match="cannot be used"):
        load_crystalnet(str(weights), "cuda:99")
