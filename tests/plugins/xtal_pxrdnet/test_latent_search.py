import numpy as np
import pytest
import torch
from torch.distributions import Normal

from xtal_core.interfaces import Workbench
from xtal_pxrdnet.broadening import N_POINTS, Patterns
from xtal_pxrdnet.latent_search import Goal, objective, search
from xtal_pxrdnet.saved_model import load_pxrdnet

COMPOSITION = torch.zeros(100)
COMPOSITION[[10, 16]] = 0.5


@pytest.fixture(scope="module")
def model(weights):
    return load_pxrdnet(str(weights), torch.device("cpu"))[0]


def goal(n, covered=None):
    torch.manual_seed(1)
    mask = torch.ones(1, N_POINTS) if covered is None else covered
    return Goal(Patterns(torch.rand(1, N_POINTS) * mask, mask), 10.0, COMPOSITION, torch.full((n,), 2))


def test_the_objective_is_equation_4(model):
    """The four terms, written with other means; log p(z) without its constant."""
    torch.manual_seed(0)
    z = torch.randn(3, 8)
    wanted = goal(3)
    told = model.cdvae.crystal_parameters(z)
    pattern = (model.regressor(z, torch.full((3,), 10.0)) - wanted.patterns.intensity).abs().mean(-1)
    prior = -Normal(0, 1).log_prob(z).sum(-1) - 8 * 0.5 * np.log(2 * np.pi)
    count = -torch.log(torch.softmax(told.atom_count, -1)[:, 1])
    composition = -(COMPOSITION * torch.log(torch.softmax(told.composition, -1))).sum(-1)
    expected = pattern + 2e-4 * prior + 0.1 * count + 0.1 * composition
    torch.testing.assert_close(objective(model, z, wanted), expected)


def test_what_was_not_measured_does_not_count(model):
    covered = torch.zeros(1, N_POINTS)
    covered[0, 100:300] = 1
    wanted = goal(2, covered)
    elsewhere = wanted.patterns.intensity.clone()
    elsewhere[0, 300:] = 5.0
    z = torch.randn(2, 8)
    other = Goal(Patterns(elsewhere * covered, covered), 10.0, COMPOSITION, torch.full((2,), 2))
    torch.testing.assert_close(objective(model, z, wanted), objective(model, z, other))


def test_the_search_lowers_the_objective_of_every_latent_vector(model, simulator):
    z = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    wanted = goal(6)
    found = search(model, z, wanted, 35, Workbench(simulator))
    assert bool((objective(model, found, wanted) < objective(model, z, wanted)).all())


def test_latent_vectors_are_searched_independently_of_each_other(model, simulator):
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    together = search(model, z, goal(3), 20, Workbench(simulator))
    alone = search(model, z[:1], goal(1), 20, Workbench(simulator))
    torch.testing.assert_close(together[:1], alone, atol=1e-3, rtol=1e-3)
