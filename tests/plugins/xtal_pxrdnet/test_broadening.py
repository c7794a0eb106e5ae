import numpy as np
import pytest
import torch
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xtal_core.training_set import LARGEST_Q, LAST_REFLECTION, N_BINS
from xtal_powder.mp20_pxrd import mp20_pxrd_patterns, stick_patterns
from xtal_pxrdnet.broadening import (
    GAUSSIAN_SIGMA,
    N_POINTS,
    Variety,
    axis,
    broadened,
    gaussian_sigmas,
    normalised,
)


class Middle:
    """Random numbers that are all in the middle, for a Gaussian of known width and no noise."""

    def uniform(self, low, high):
        return (low + high) / 2

    def normal(self, mean, deviation, n):
        return np.full(n, mean)


@pytest.mark.parametrize("size", [10.0, 30.0, 100.0, None])
def test_patterns_are_those_of_mp20_pxrd(structures, size):
    """Which convolves on the grid; what leaves the axis is lost to its Gaussian, so that points at the ends differ."""
    chosen = structures[:4]
    expected = mp20_pxrd_patterns(chosen, Middle(), crystallite_size=size, noise=0.0)
    conventional = [SpacegroupAnalyzer(each).get_conventional_standard_structure() for each in chosen]
    sticks = torch.tensor(stick_patterns(conventional))
    sizes = torch.full((4,), float("inf") if size is None else size, dtype=torch.float64)
    found = broadened(sticks, sizes, torch.full((4,), sum(GAUSSIAN_SIGMA) / 2, dtype=torch.float64))
    np.testing.assert_allclose(found[:, 20:480], expected[:, 20:480], atol=1e-3)


def test_one_reflection_becomes_the_squared_sinc():
    """sinc²(Qτ/2) with sinc x = sin x / x is zero first at Q = 2π/τ and has an integral of 2π/τ."""
    sticks = torch.zeros(1, N_BINS, dtype=torch.float64)
    sticks[0, N_BINS // 2] = 1.0
    size = 20.0
    found = broadened(sticks, torch.tensor([size], dtype=torch.float64), torch.zeros(1, dtype=torch.float64))[0]
    step = LARGEST_Q / N_POINTS
    first_zero = N_POINTS // 2 + round(2 * np.pi / size / step)
    assert found[first_zero - 1 : first_zero + 2].min() < 2e-3
    assert float(found.sum()) * step == pytest.approx(2 * np.pi / size, rel=0.06)


def test_drawn_widths_and_sizes_are_within_their_limits():
    sizes = Variety(10.0, 100.0).sizes(2000, torch.device("cpu"))
    assert 10 <= sizes.min() < 10.5
    assert 95 < sizes.max() <= 100
    assert float(sizes.log().mean()) == pytest.approx(np.log(10 * 100) / 2, abs=0.05)
    assert Variety(10.0, 10.0).sizes(3, torch.device("cpu")).tolist() == pytest.approx([10.0] * 3)
    sigmas = gaussian_sigmas(2000, torch.device("cpu"))
    assert sigmas.min() >= GAUSSIAN_SIGMA[0]
    assert sigmas.max() <= GAUSSIAN_SIGMA[1]


def test_the_papers_patterns_are_complete_and_slightly_noisy():
    clean = torch.full((400, N_POINTS), 0.5)
    found = Variety(10.0, 10.0).disturbed(clean)
    assert bool((found.covered == 1).all())
    assert float((found.intensity - clean).std()) == pytest.approx(0.001, rel=0.02)


def test_every_other_pattern_has_a_background_that_is_not_too_high():
    found = Variety(10.0, 10.0, noise=0.0, background=0.1).disturbed(torch.zeros(2000, N_POINTS)).intensity
    highest = found.amax(-1)
    assert float((highest > 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert 0.09 < float(highest.max()) <= 0.1
    assert float(found.min()) == 0.0


def test_cut_patterns_say_where_they_were_measured():
    clean = 1 - torch.linspace(0, 1, N_POINTS).expand(500, -1)
    found = Variety(10.0, 10.0, noise=0.0, cut=True).disturbed(clean)
    assert bool((found.intensity[found.covered == 0] == 0).all())
    assert torch.allclose(found.intensity.amax(-1), torch.ones(500))
    ends = axis()[(found.covered * axis()).argmax(-1)]
    assert float((ends > LAST_REFLECTION - 0.05).float().mean()) == pytest.approx(0.5, abs=0.08)
    assert ends.max() <= LAST_REFLECTION


def test_normalised_patterns_are_not_negative_and_have_a_maximum_of_one():
    covered = torch.ones(1, N_POINTS)
    covered[0, :10] = 0
    intensity = torch.linspace(-1, 5, N_POINTS)[None].clone()
    intensity[0, :10] = 100
    found = normalised(intensity, covered).intensity
    assert float(found.min()) == 0.0
    assert float(found.max()) == pytest.approx(1.0)
