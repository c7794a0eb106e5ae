"""Points where densities are learned."""

import numpy as np
import pytest

from xtal_crystalnet.points import draw
from xtal_crystalnet.standard_cell import standard_cell


@pytest.fixture(scope="module", params=["salt", "quartz"])
def cell(request):
    crystal = request.getfixturevalue(request.param)
    return standard_cell(crystal.lattice.matrix, crystal.frac_coords, np.array(crystal.atomic_numbers))


@pytest.mark.parametrize("near_atoms", [0, 300])
def test_weighted_means_are_means_over_the_cell_wherever_points_are_drawn(cell, near_atoms):
    """The mean density is the number of electrons by the volume."""
    random = np.random.default_rng(1)
    drawn = [draw(cell, 6, near_atoms, random) for _ in range(150)]
    means = np.array([(each.weights * each.density).mean() for each in drawn])
    expected = cell.numbers.sum() / abs(np.linalg.det(cell.lattice))
    assert means.mean() == pytest.approx(expected, abs=4 * means.std() / np.sqrt(len(means)))
    assert means.mean() == pytest.approx(expected, rel=0.05)
    assert np.mean([each.weights.mean() for each in drawn]) == pytest.approx(1, rel=0.02)


def test_points_near_atoms_make_means_more_certain(cell):
    def spread(strata, near_atoms):
        random = np.random.default_rng(2)
        drawn = [draw(cell, strata, near_atoms, random) for _ in range(100)]
        return np.std([(each.weights * each.density).mean() for each in drawn])

    assert spread(5, 91) < 0.7 * spread(6, 0)


def test_each_part_of_the_cell_has_a_point(cell):
    drawn = draw(cell, 4, 10, np.random.default_rng(3))
    parts = {tuple(part) for part in np.floor(drawn.points[:64] * 4).astype(int).tolist()}
    assert len(parts) == 64
    assert len(drawn.points) == len(drawn.density) == len(drawn.weights) == 74
    assert drawn.points.min() >= 0
    assert drawn.points.max() < 1
