"""The regressor, the pattern encoder and the flow, each by itself."""

import pytest
import torch

from xtal_pxrdnet.broadening import N_POINTS, Patterns
from xtal_pxrdnet.model.latent_flow import LatentFlow
from xtal_pxrdnet.model.pattern_encoder import N_SEEN, PatternEncoder, fractions
from xtal_pxrdnet.model.pxrdnet import PXRDNetConfig, Variety
from xtal_pxrdnet.model.regressor import PatternRegressor


def test_the_regressor_learns_patterns_of_latent_vectors_and_sizes():
    torch.manual_seed(0)
    regressor = PatternRegressor(4)
    z, sizes = torch.randn(16, 4), torch.tensor([10.0, 40.0]).repeat(8)
    place = torch.linspace(0, 1, N_POINTS)
    wanted = torch.exp(-(((place - 0.5 - 0.1 * z[:, :1]) / (1 / sizes[:, None])) ** 2))
    optimiser = torch.optim.Adam(regressor.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = (regressor(z, sizes) - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


def test_every_layer_of_the_dense_block_sees_all_before_it():
    """Figure 8: 8 channels a layer, so that layer i has 8 i of them to look at."""
    regressor = PatternRegressor(4)
    assert [layer[0].in_channels for layer in regressor.dense] == [8, 16, 24, 32]
    assert regressor.last.in_channels == 8


def test_the_pattern_encoder_sees_everything_up_to_the_last_reflection():
    torch.manual_seed(0)
    encoder = PatternEncoder(4, 8, 10, 6).eval()
    intensity = torch.rand(1, N_POINTS, requires_grad=True)
    found = encoder(Patterns(intensity, torch.ones(1, N_POINTS)), torch.full((1, 10), 0.1), torch.tensor([3]))
    found.square().sum().backward()
    assert bool((intensity.grad[0, : N_SEEN - 1] != 0).all())
    assert not bool(intensity.grad[0, N_SEEN:].any())


def test_fractions_count_the_atoms_of_each_crystal():
    found = fractions(torch.tensor([1, 1, 8, 3]), torch.tensor([0, 0, 0, 1]), 2, 9)
    assert found[0, [0, 7]].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert found[1, 2] == 1.0
    assert found.sum(-1).tolist() == pytest.approx([1.0, 1.0])


def test_a_flow_carries_noise_along_the_velocity_it_has_learned():
    """A constant velocity v takes noise to noise + v, in any number of steps."""
    flow = LatentFlow(3, 2, 8, 1)
    torch.nn.init.zeros_(flow.leave[1].weight)
    flow.leave[1].bias.data = torch.tensor([1.0, -2.0, 0.5])
    noise = torch.randn(5, 3)
    for steps in (1, 7):
        found = flow.sample(torch.zeros(5, 2), noise, steps).detach()
        torch.testing.assert_close(found, noise + torch.tensor([1.0, -2.0, 0.5]))


def test_the_flow_proposes_what_is_likely_in_two_places_and_nothing_in_between():
    torch.manual_seed(0)
    flow = LatentFlow(2, 1, 64, 2)
    optimiser = torch.optim.Adam(flow.parameters(), lr=3e-3)
    for _ in range(400):
        features = torch.randn(256, 1).sign()
        side = torch.randn(256, 1).sign()
        # The feature tells the second coordinate, and nothing about the sign of the first.
        target = torch.cat([2 * side, features], -1) + 0.1 * torch.randn(256, 2)
        loss = flow.loss(target, features, torch.randn(256, 2), torch.rand(256)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        found = flow.sample(torch.ones(500, 1), torch.randn(500, 2), 20)
    assert float((found[:, 1] - 1).abs().mean()) < 0.25
    assert float((found[:, 0].abs() - 2).abs().mean()) < 0.4
    assert 0.35 < float((found[:, 0] > 0).float().mean()) < 0.65


def test_the_loss_of_a_flow_without_a_clue_is_the_variance_of_the_velocity():
    flow = LatentFlow(4, 2, 8, 1)
    torch.nn.init.zeros_(flow.leave[1].weight)
    torch.nn.init.zeros_(flow.leave[1].bias)
    target, noise = torch.randn(4000, 4), torch.randn(4000, 4)
    loss = float(flow.loss(target, torch.zeros(4000, 2), noise, torch.rand(4000)).mean().detach())
    assert loss == pytest.approx(2.0, rel=0.05)


def test_settings_survive_as_text():
    config = PXRDNetConfig(Variety(10.0, 100.0, background=0.1, cut=True), amortised=True, flow_width=7)
    assert PXRDNetConfig.from_json(config.to_json()) == config
