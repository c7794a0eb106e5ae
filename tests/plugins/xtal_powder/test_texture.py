"""Preferred orientation: the weights themselves, and patterns made of weighted reflections."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Radiation
from xtal_powder.texture import march_factors

PROFILE = Profile(None, 0.01)


def factors(cosines, coefficient):
    """Return the weights of reflections at angles of the given cosines to the axis."""
    cosines = np.asarray(cosines, float)
    g = np.stack([np.sqrt(1 - cosines**2), 0 * cosines, cosines], -1)[None] * 1.7
    axes = torch.tensor([[0.0, 0.0, 0.3]], dtype=torch.float64)
    return march_factors(torch.as_tensor(g), axes, torch.tensor([[coefficient]], dtype=torch.float64))[0].numpy()


@pytest.mark.parametrize("coefficient", [0.3, 0.8, 1.0, 2.5])
def test_orientations_are_redistributed_none_are_added(coefficient):
    """The mean over all directions is 1 (Dollase's correction)."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    assert weights @ factors(nodes, coefficient) / 2 == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("coefficient", [0.4, 1.7])
def test_weights_along_the_axis_and_across_it(coefficient):
    along, across = factors([1.0, 0.0], coefficient)
    assert along == pytest.approx(coefficient**-3)
    assert across == pytest.approx(coefficient**1.5)


def test_the_opposite_side_of_a_plane_has_the_same_weight():
    np.testing.assert_allclose(factors([0.3, -0.3], 0.5), factors([0.3, 0.3], 0.5))


@pytest.mark.parametrize("axis_of_texture", [(0, 0, 1), (1, -1, 2)])
def test_peaks_of_a_textured_powder_are_weighted_one_by_one(simulator, axis_of_texture):
    """A cubic crystal: of its equivalent reflections each has its own angle to the axis."""
    a, r = 4.05, 0.6
    axis = Measurement(np.linspace(1.0, 5.5, 3000), Radiation.monochromatic(1.54184), 5.5)
    cells = CellBatch.from_cells([(np.eye(3) * a, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), [55, 17])])
    plain = simulator.simulate(cells, axis, [PROFILE])[0]
    textured = simulator.simulate(cells, axis, [replace(PROFILE, march_coefficient=r, march_axis=axis_of_texture)])[0]
    hkl = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    for square in (1, 2, 3, 4, 6):
        star = hkl[(hkl**2).sum(axis=1) == square]
        cosine = star @ axis_of_texture / np.linalg.norm(axis_of_texture) / np.sqrt(square)
        mean = np.mean((r**2 * cosine**2 + (1 - cosine**2) / r) ** -1.5)
        peak = np.abs(axis.q - 2 * np.pi / a * np.sqrt(square)).argmin()
        assert textured[peak] / plain[peak] == pytest.approx(mean, rel=1e-4)


def test_a_coefficient_of_one_or_no_axis_is_no_texture(simulator, batch, axis):
    plain = simulator.simulate(batch, axis, [PROFILE])
    for without in (
        replace(PROFILE, march_axis=(1, 0, 0)),
        replace(PROFILE, march_coefficient=0.3),
    ):
        np.testing.assert_allclose(simulator.simulate(batch, axis, [without]), plain, rtol=0, atol=1e-9 * plain.max())


def test_texture_does_not_depend_on_how_a_crystal_is_described(simulator, batch, axis):
    """In another cell of the same lattice the plane has other indices."""
    cell = batch.select([1])
    profile = replace(PROFILE, march_coefficient=0.5, march_axis=(1, 0, 2))
    shear = np.array([[1, 2, -1], [0, 1, 1], [0, 0, 1]])
    sheared = replace(cell, lattices=shear @ cell.lattices, fractional=cell.fractional @ np.linalg.inv(shear))
    indices = tuple((shear @ profile.march_axis).tolist())
    one = simulator.simulate(cell, axis, [profile])[0]
    other = simulator.simulate(sheared, axis, [replace(profile, march_axis=indices)])[0]
    np.testing.assert_allclose(other, one, rtol=0, atol=1e-9 * one.max())
    again = simulator.simulate(cell, axis, [replace(profile, march_axis=(-3, 0, -6))])[0]
    np.testing.assert_allclose(again, one, rtol=0, atol=1e-9 * one.max())


def test_cells_of_a_batch_have_their_own_textures(simulator, batch, axis):
    profiles = [replace(PROFILE, march_coefficient=0.5, march_axis=hkl) for hkl in [(1, 0, 0), (0, 0, 1), (1, 1, 1)]]
    profiles += [PROFILE, replace(PROFILE, march_coefficient=2.0, march_axis=(0, 1, 0))]
    together = simulator.simulate(batch, axis, profiles)
    for index, profile in enumerate(profiles):
        alone = simulator.simulate(batch.select([index]), axis, [profile])[0]
        np.testing.assert_allclose(together[index], alone, rtol=0, atol=1e-9 * alone.max())
