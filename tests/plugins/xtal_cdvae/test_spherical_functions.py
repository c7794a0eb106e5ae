import numpy as np
import pytest
import torch
from scipy.special import eval_legendre, spherical_jn
from torch_geometric.nn.models.dimenet import Envelope

from xtal_cdvae.model.gemnet import sum_over_angles
from xtal_cdvae.model.radial_basis import RadialBasis
from xtal_cdvae.model.spherical_basis import SphericalBasis, bessel_zeros, legendre
from xtal_cdvae.model.spherical_harmonics import spherical_harmonics


@pytest.fixture
def directions():
    random = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    poles = torch.tensor([[0, 0, 1.0], [0, 0, -1.0], [1, 0, 0]], dtype=torch.float64)
    return torch.cat([random / random.norm(dim=-1, keepdim=True), poles])


def test_products_of_spherical_harmonics_sum_up_to_legendre_polynomials(directions):
    cosines = (directions @ directions.T).clamp(-1, 1)
    for order, harmonics in enumerate(spherical_harmonics(directions, 7)):
        assert harmonics.shape == (len(directions), 2 * order + 1)
        np.testing.assert_allclose((harmonics @ harmonics.T).numpy(), eval_legendre(order, cosines.numpy()), atol=1e-12)


def test_spherical_harmonics_are_orthogonal():
    # Gauss–Legendre in cos θ, equidistant in φ: exact for these orders.
    cosines, weights = np.polynomial.legendre.leggauss(8)
    angles = 2 * np.pi * np.arange(16) / 16
    z, angle = (torch.tensor(grid.ravel()) for grid in np.meshgrid(cosines, angles, indexing="ij"))
    sphere = torch.stack([(1 - z**2).sqrt() * angle.cos(), (1 - z**2).sqrt() * angle.sin(), z], dim=-1)
    values = torch.cat(spherical_harmonics(sphere, 4), dim=-1)
    products = values.T @ (values * torch.tensor(weights).repeat_interleave(16)[:, None] / 32)
    norms = np.concatenate([np.full(2 * order + 1, 1 / (2 * order + 1)) for order in range(4)])
    np.testing.assert_allclose(products.numpy(), np.diag(norms), atol=1e-12)


def test_legendre_polynomials_are_scipys():
    x = np.linspace(-1, 1, 21)
    for orders in (1, 2, 7):
        found = legendre(torch.from_numpy(x), orders)
        np.testing.assert_allclose(found, np.stack([eval_legendre(n, x) for n in range(orders)], -1), atol=1e-12)


def test_zeros_of_order_0_are_multiples_of_pi_and_others_are_zeros_in_order():
    zeros = bessel_zeros(5, 6)
    np.testing.assert_allclose(zeros[0], np.pi * np.arange(1, 7))
    np.testing.assert_allclose(spherical_jn(np.arange(5)[:, None], zeros), 0, atol=1e-12)
    # tan z = z
    np.testing.assert_allclose(np.tan(zeros[1]), zeros[1])
    assert (np.diff(zeros) > 0).all()
    assert (np.diff(zeros, axis=0) > 0).all()
    assert zeros[1, 0] == pytest.approx(4.493409)


def test_the_spherical_basis_is_bessel_functions_times_harmonics_even_at_short_distances():
    distance = torch.tensor([0.05, 0.3, 0.7, 1.234, 3.9, 5.99])
    cosine = torch.tensor([0.3, -0.9, 1.0, -1.0, 0.0, 0.77])
    basis = SphericalBasis(7, 6, 6.0)
    found = basis(distance, cosine, torch.arange(6)).reshape(6, 7, 6)
    x = distance.double().numpy() / 6
    zeros = bessel_zeros(7, 6)
    for order in range(7):
        for n in range(6):
            z = zeros[order, n]
            norm = np.sqrt(2) / abs(spherical_jn(order + 1, z))
            harmonic = np.sqrt((2 * order + 1) / (4 * np.pi)) * eval_legendre(order, cosine.double().numpy())
            expected = Envelope(5)(torch.from_numpy(x)).numpy() * norm * spherical_jn(order, z * x) * harmonic
            np.testing.assert_allclose(found[:, order, n], expected, rtol=1e-4, atol=2e-4)


def test_the_spherical_basis_can_be_differentiated_by_the_distance():
    basis = SphericalBasis(4, 3, 6.0).double()
    distance = torch.tensor([0.51, 2.02, 4.4], dtype=torch.float64, requires_grad=True)
    cosine = torch.tensor([0.2, 0.4, -0.7], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda d: basis(d, cosine, torch.arange(3)), distance, eps=1e-6)


def test_radial_functions_are_finite_at_no_distance_and_vanish_at_the_cutoff():
    basis = RadialBasis(16, 5.0)
    assert basis(torch.zeros(1)).isfinite().all()
    assert basis(torch.tensor([5.0, 7.0])).abs().max() < 1e-5
    x = np.array([0.1, 0.5])
    expected = np.sqrt(2) * np.sin(3 * np.pi * x) / x * (1 - x**2) ** 3
    np.testing.assert_allclose(basis(torch.from_numpy(5 * x))[:, 2], expected, rtol=1e-6)


def test_the_sum_over_angles_is_the_sum_over_all_triplets(directions):
    n_edges, n_atoms, width, orders = len(directions), 5, 3, 7
    generator = torch.Generator().manual_seed(1)
    target = torch.randint(0, n_atoms, (n_edges,), generator=generator)
    weights = torch.randn(n_edges, orders, width, generator=generator, dtype=torch.float64)
    messages = torch.randn(n_edges, width, generator=generator, dtype=torch.float64)
    found = sum_over_angles(weights, messages, spherical_harmonics(directions, orders), target, n_atoms)
    expected = torch.zeros_like(found)
    for ca in range(n_edges):
        for ba in range(n_edges):
            if ba != ca and target[ba] == target[ca]:
                cosine = float((directions[ca] @ directions[ba]).clamp(-1, 1))
                polynomials = torch.tensor([eval_legendre(order, cosine) for order in range(orders)])
                expected[ca] += (weights[ca] * polynomials[:, None]).sum(0) * messages[ba]
    torch.testing.assert_close(found, expected)
