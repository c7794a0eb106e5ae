from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from xtal_core.errors import InputError, OptionError
from xtal_core.options import build_options
from xtal_pxrdnet.plugin import TrainingOptions
from xtal_pxrdnet.saved_model import load_pxrdnet
from xtal_pxrdnet.training import PXRDNetModel, cdvae_config, pxrdnet_config


def batches(model, data, seed=0, training=True):
    return model.batches(data, training=training, batch_size=8, seed=seed, workers=0)


def losses_of(network, batch, seed=0):
    torch.manual_seed(seed)
    return {name: float(value.detach()) for name, value in network.losses(*batch).items()}


def test_the_defaults_are_the_papers():
    options = build_options("pxrdnet", TrainingOptions, PXRDNetModel.presets()["paper"])
    config, ours = cdvae_config(options), pxrdnet_config(options)
    assert (config.latent, config.encoder_width, config.encoder_blocks, config.levels) == (256, 128, 4, 50)
    assert (config.denoiser, config.sigma_coords, config.denoiser_width) == ("gemnet", (10.0, 0.01), 128)
    weights = config.weights
    assert (weights.coordinates, weights.lattice, weights.kl, weights.species) == (10.0, 10.0, 0.01, 1.0)
    assert ours.variety.smallest_size == ours.variety.largest_size
    assert not ours.amortised
    assert (options.learning_rate, options.last_learning_rate, options.restart_epochs) == (5e-4, 1e-6, 65)


def test_presets_set_options_that_there_are():
    known = {field.name for field in fields(TrainingOptions)}
    for settings in PXRDNetModel.presets().values():
        assert settings.keys() <= known
        build_options("pxrdnet", TrainingOptions, settings)


@pytest.mark.parametrize("settings", [{}, {"amortised": False, "cut": False}, {"denoiser": "gemnet"}])
def test_all_losses_fall_on_a_few_crystals(training_set, settings, small_options):
    torch.manual_seed(0)
    model = PXRDNetModel(small_options(learning_rate=5e-3, kl_weight=0.001, **settings))
    module = model.module(training_set)
    network = module.network
    (whole,) = list(model.batches(training_set, training=False, batch_size=16, seed=0, workers=0))
    before = losses_of(network, whole)
    optimiser = module.configure_optimizers()["optimizer"]
    for epoch in range(30):
        for batch in batches(model, training_set, seed=epoch):
            loss = network.total(network.losses(*batch))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    after = losses_of(network, whole)
    for name in {"composition", "atom_count", "lattice", "pattern"} | ({"flow", "cell"} & before.keys()):
        assert after[name] < 0.9 * before[name], name
    assert ("flow" in before) == (network.proposer is not None)


def test_the_total_is_the_weighted_sum(training_set, small_options):
    module = PXRDNetModel(small_options(pattern_weight=3.0, kl_weight=0.5)).module(training_set)
    given = {"coordinates": 1.0, "lattice": 2.0, "kl": 3.0, "pattern": 4.0}
    losses = {name: torch.tensor(value) for name, value in given.items()}
    assert float(module.network.total(losses)) == pytest.approx(10 * 1 + 10 * 2 + 0.5 * 3 + 3 * 4)
    proposing = losses | {"flow": torch.tensor(7.0), "cell": torch.tensor(2.0)}
    assert float(module.network.total(proposing)) == pytest.approx(52.5)


def test_loaded_weights_make_the_same_network(training_set, tmp_path, small_options):
    model = PXRDNetModel(small_options())
    module = model.module(training_set)
    tensors, texts = model.tensors(module)
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, tmp_path / "x.safetensors", texts)
    with pytest.raises(InputError, match="does not say of which model"):
        load_pxrdnet(str(tmp_path / "x.safetensors"), torch.device("cpu"))
    texts["model"] = "pxrdnet"
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, tmp_path / "x.safetensors", texts)
    loaded, _ = load_pxrdnet(str(tmp_path / "x.safetensors"), torch.device("cpu"))
    z = torch.randn(4, 8)
    network = module.network.eval()
    sizes = torch.full((4,), 10.0)
    torch.testing.assert_close(loaded.regressor(z, sizes), network.regressor(z, sizes))
    torch.testing.assert_close(loaded.cdvae.crystal_parameters(z).lattice, network.cdvae.crystal_parameters(z).lattice)


def test_tensors_are_the_modules_own(training_set, small_options):
    model = PXRDNetModel(small_options())
    module = model.module(training_set)
    name = "regressor.last.bias"
    model.tensors(module)[0][name].fill_(7.0)
    assert float(module.network.regressor.last.bias.detach()) == 7.0


def test_batches_are_shuffled_from_the_seed_and_only_in_training(training_set, small_options):
    model = PXRDNetModel(small_options())

    def order(**settings):
        return torch.cat([crystals.lattice[:, 0, 0] for crystals, _ in batches(model, training_set, **settings)])

    assert torch.equal(order(seed=1), order(seed=1))
    assert not torch.equal(order(seed=1), order(seed=2))
    plain = torch.from_numpy(training_set.lattice[:, 0, 0])
    assert torch.equal(order(training=False), plain)


def test_sticks_come_with_their_crystals(training_set, small_options):
    model = PXRDNetModel(small_options())
    (crystals, sticks), *_ = list(batches(model, training_set))
    for row in range(len(crystals)):
        index = int(np.argmin(np.abs(training_set.lattice - crystals.lattice[row].numpy()).sum((1, 2))))
        assert torch.equal(sticks[row], torch.from_numpy(training_set.sticks([index])[0]))


def test_cells_beyond_the_network_are_refused_before_training(training_set, small_options):
    with pytest.raises(InputError, match="crystals of 6 atoms, the model 5"):
        PXRDNetModel(small_options(max_atoms=5)).module(training_set)
    heavy = replace(training_set, atomic_numbers=np.full_like(training_set.atomic_numbers, 103))
    with pytest.raises(InputError, match="the element 103"):
        PXRDNetModel(small_options()).module(heavy)


def test_sizes_in_the_wrong_order_are_an_option_error(small_options):
    with pytest.raises(OptionError, match="smallest_size"):
        PXRDNetModel(small_options(smallest_size=50.0, largest_size=10.0))


def test_validation_takes_the_same_noise_every_time_and_leaves_that_of_training_alone(training_set, small_options):
    model = PXRDNetModel(small_options())
    module = model.module(training_set)
    logged = []
    module.log_dict = lambda values, **_: logged.append(values)
    (batch,) = list(model.batches(training_set, training=False, batch_size=16, seed=0, workers=0))
    module.eval()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    module.validation_step(batch, 0)
    assert torch.equal(torch.rand(1), expected)
    module.validation_step(batch, 0)
    assert torch.equal(logged[0]["val_loss"], logged[1]["val_loss"])
