import numpy as np
import pytest
import torch

from xtal_core.measurement import Profile
from xtal_powder.nodes import Nodes, choose_nodes
from xtal_powder.widths import local_profiles

WAVELENGTH = 1.54184
BENT = [Nodes(7, 0.5, 6.0), Nodes(7, 0.5, 6.0, 1.5), Nodes(7, 0.5, 6.0, -6.3)]


@pytest.mark.parametrize("nodes", BENT)
def test_each_weight_is_one_at_its_node_and_zero_at_the_others(nodes):
    weights, _ = nodes.weights(torch.as_tensor(nodes.positions))
    np.testing.assert_allclose(weights, np.eye(7), atol=1e-12)


@pytest.mark.parametrize("nodes", BENT)
def test_weights_have_the_sum_one_and_their_slopes_zero(nodes):
    weights, slopes = nodes.weights(torch.linspace(0.0, 7.0, 50, dtype=torch.float64))
    np.testing.assert_allclose(weights.sum(0), 1.0, atol=1e-12)
    np.testing.assert_allclose(slopes.sum(0), 0.0, atol=1e-10)


@pytest.mark.parametrize("nodes", BENT)
def test_slopes_are_those_of_finite_differences(nodes):
    q = torch.tensor([0.3, 0.8, 2.0, 5.5, 6.4], dtype=torch.float64)
    _, slopes = nodes.weights(q)
    expected = (nodes.weights(q + 1e-6)[0] - nodes.weights(q - 1e-6)[0]) / 2e-6
    np.testing.assert_allclose(slopes, expected, atol=1e-8)


def test_polynomials_of_fewer_degrees_than_nodes_are_interpolated_exactly():
    nodes, q = BENT[0], torch.linspace(0.5, 6.0, 31, dtype=torch.float64)
    np.testing.assert_allclose(nodes.weights(q)[0].T.numpy() @ nodes.positions**6, q**6, rtol=1e-10)


def test_outside_the_ends_weights_are_those_at_the_ends():
    inside, outside = (BENT[1].weights(torch.tensor(q, dtype=torch.float64))[0] for q in ([0.5, 6.0], [-1.0, 9.0]))
    np.testing.assert_allclose(inside, outside, atol=1e-12)


def test_constant_widths_need_one_node():
    assert choose_nodes(Profile(100.0, 0.01, 0.002), 0.5, 6.0, WAVELENGTH, 1e-5).count == 1


def test_the_more_widths_vary_and_the_less_error_is_allowed_the_more_nodes():
    def count(strain, tolerance=1e-5):
        return choose_nodes(Profile(None, 0.003, strain_sigma=strain), 0.5, 6.0, WAVELENGTH, tolerance).count

    assert count(1e-5) < count(5e-4) < count(2e-3)
    assert count(5e-4, 1e-2) < count(5e-4, 1e-4) < count(5e-4, 1e-6)


def test_nodes_are_close_where_widths_change_fast():
    """Of strain alone at small Q, of the instrument near backscattering."""
    strained = choose_nodes(Profile(strain_hwhm=1e-3), 0.3, 6.0, WAVELENGTH, 1e-5)
    instrument = choose_nodes(Profile(instrument_sigma=0.05), 0.3, 8.0, WAVELENGTH, 1e-5)
    assert np.median(strained.positions) < 3.0
    assert np.median(instrument.positions) > 4.3


def test_similar_profiles_share_nodes():
    one, other = (
        choose_nodes(Profile(None, 0.003, strain_sigma=strain, instrument_sigma=0.05), 0.5, 6.0, WAVELENGTH, 1e-5)
        for strain in (1.00e-3, 1.01e-3)
    )
    assert one == other


def test_the_profile_at_a_node_has_constant_widths():
    profile = Profile(80.0, 0.01, 0.002, 0.7, 0.1, 0.003, 0.001)
    (local,) = local_profiles(profile, np.array([2.0]), WAVELENGTH)
    assert local == Profile(80.0, pytest.approx(np.hypot(0.01, 0.006)), pytest.approx(0.004))
