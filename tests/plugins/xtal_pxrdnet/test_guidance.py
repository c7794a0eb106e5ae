import numpy as np
import pytest
import torch

from xtal_core.cells import CellBatch
from xtal_core.filtering import Filter
from xtal_core.interfaces import Workbench
from xtal_core.testing.problems import problem_of
from xtal_pxrdnet.guidance import LARGEST_NOISE, LARGEST_PULL, PatternGuidance


@pytest.fixture(scope="module")
def screen(structures, simulator):
    return Filter(problem_of(structures[2], simulator), Workbench(simulator), correct_lattice=False)


def moved(structure, seed, amount=0.1):
    random = np.random.default_rng(seed)
    return structure.frac_coords + random.normal(0, amount, (len(structure), 3)) / structure.lattice.abc


def test_the_gradient_is_that_of_the_logarithm_of_r2(screen, structures, simulator):
    structure = structures[2]
    numbers = np.array(structure.atomic_numbers)
    guide = PatternGuidance(screen, simulator, [numbers], 1.0)
    start, lattice = moved(structure, 0), structure.lattice.matrix
    cells = CellBatch.from_cells([(lattice, start, numbers)])
    profile = screen.at_best_width(cells).profiles[0]

    def log_likelihood(cartesian):
        fractional = start + cartesian @ np.linalg.inv(lattice)
        target = screen.sharp
        pattern = simulator.simulate(
            CellBatch.from_cells([(lattice, fractional, numbers)]), target.measurement, [target.broadened(profile)]
        )[0]
        model, observed = target.without_background(pattern), target.observed
        scale = model @ observed / (model @ model)
        misfit = observed - scale * model
        return -0.5 * screen.observations * np.log(misfit @ misfit)

    found = guide(torch.tensor(start), torch.tensor(lattice[None]), 1e-6).numpy()
    for atom, axis in ((0, 0), (2, 1), (5, 2)):
        step = np.zeros_like(start)
        step[atom, axis] = 1e-4
        expected = (log_likelihood(step) - log_likelihood(-step)) / 2e-4
        assert found[atom, axis] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_following_the_gradient_makes_patterns_more_similar(screen, structures, simulator):
    structure = structures[2]
    numbers = np.array(structure.atomic_numbers)
    guide = PatternGuidance(screen, simulator, [numbers, numbers], 1.0)
    lattice = torch.tensor(np.stack([structure.lattice.matrix] * 2))
    frac = torch.tensor(np.concatenate([moved(structure, 1), moved(structure, 2)]))

    def residuals(places):
        parts = places.numpy().reshape(2, -1, 3)
        cells = CellBatch.from_cells((structure.lattice.matrix, part, numbers) for part in parts)
        return screen.at_best_width(cells).residuals

    step = guide(frac, lattice, 0.05)
    after = frac + 0.02 * step / step.norm(dim=-1).max() @ torch.linalg.inv(lattice[0])
    assert (residuals(after) < residuals(frac)).all()


def test_guidance_waits_for_small_noise_and_never_pulls_harder_than_the_noise(screen, structures, simulator):
    structure = structures[2]
    guide = PatternGuidance(screen, simulator, [np.array(structure.atomic_numbers)], 1e6)
    frac = torch.tensor(moved(structure, 0))
    lattice = torch.tensor(structure.lattice.matrix[None])
    assert not bool(guide(frac, lattice, 2 * LARGEST_NOISE).any())
    assert float(guide(frac, lattice, 0.1).norm(dim=-1).max()) == pytest.approx(LARGEST_PULL / 0.1)
