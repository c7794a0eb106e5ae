"""What a pattern is made of: wavelengths, shifts, damping, limits; and what it must not depend on."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS

from xtal_core.cells import CellBatch
from xtal_core.interfaces import PROFILE_PARAMETERS
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Radiation
from xtal_powder.peak_shape import peak_shape
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

PROFILE = Profile(120.0, 0.02, 0.004)

#: Profiles that need very different canvases.
DIVERSE = [Profile(10.0, 0.085), Profile(None, 0.012), Profile(None, 0.0, 0.003), Profile(400.0, 0.01), PROFILE]


def one(simulator, batch, axis, profile=PROFILE, index=1):
    return simulator.simulate(batch.select([index]), axis, [profile])[0]


def assert_close(actual, expected, fraction):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=fraction * np.abs(expected).max())


@pytest.mark.parametrize(
    "profile",
    [
        *DIVERSE,
        replace(PROFILE, zero_shift=0.4),
        replace(PROFILE, zero_shift=-0.1, sample_displacement=0.5),
        replace(PROFILE, b_iso=1.3),
    ],
)
def test_a_pattern_is_the_sum_of_its_peaks(simulator, axis, profile):
    """A simple cubic crystal by the textbook's formulas, each reflection with the whole peak shape."""
    a, per_sine = 3.35, 4 * np.pi / axis.radiation.wavelength
    hkl = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    q = 2 * np.pi / a * np.linalg.norm(hkl, axis=1)
    q = q[(q > 0) & (q <= axis.reflections_to)]
    theta = np.arcsin(q / per_sine)
    s_squared = (q / (4 * np.pi)) ** 2
    coefficients = ATOMIC_SCATTERING_PARAMS["Po"]
    f = 84 - 41.78214 * s_squared * sum(c * np.exp(-d * s_squared) for c, d in coefficients)
    intensity = f**2 * (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    intensity *= np.exp(-2 * profile.b_iso * s_squared)
    seen_at = per_sine * np.sin(
        theta + np.radians(profile.zero_shift + profile.sample_displacement * np.cos(theta)) / 2
    )
    offsets = np.abs(axis.q[:, None] - seen_at)
    expected = peak_shape(offsets.ravel(), [profile]).value.reshape(offsets.shape) @ intensity
    cells = CellBatch.from_cells([(np.eye(3) * a, np.zeros((1, 3)), [84])])
    assert_close(simulator.simulate(cells, axis, [profile])[0], expected, 1e-6)


def test_a_doublet_is_the_sum_of_its_lines(simulator, batch, axis):
    doublet = Radiation("doublet", (1.540593, 1.544427), (1.0, 0.5))
    both = one(simulator, batch, replace(axis, radiation=doublet))
    first = one(simulator, batch, replace(axis, radiation=Radiation.monochromatic(1.540593)))
    # The second line puts a reflection where the first puts one of a crystal smaller by the ratio of wavelengths.
    ratio = 1.544427 / 1.540593
    second_axis = Measurement(axis.q / ratio, Radiation.monochromatic(1.544427), axis.reflections_to / ratio)
    narrowed = Profile(
        PROFILE.crystallite_size * ratio, PROFILE.gaussian_sigma / ratio, PROFILE.lorentzian_hwhm / ratio
    )
    second = one(simulator, batch, second_axis, narrowed) / ratio
    assert_close(both, first + 0.5 * second, 1e-6)


def test_reflections_beyond_the_limit_do_not_contribute(simulator, axis):
    cells = CellBatch.from_cells([(np.eye(3) * 3.35, np.zeros((1, 3)), [84])])
    q_110 = 2 * np.pi / 3.35 * np.sqrt(2)
    pattern = simulator.simulate(cells, replace(axis, reflections_to=q_110 - 0.01), [Profile(gaussian_sigma=0.01)])[0]
    assert pattern[axis.q < q_110 - 0.2].max() > 0
    assert pattern[axis.q > q_110 - 0.2].max() < 1e-9 * pattern.max()


def test_without_a_limit_every_reflection_that_reaches_the_axis_contributes(simulator, batch, axis):
    """The pattern on a short axis is the beginning of that on a long one."""
    long = simulator.simulate(batch, replace(axis, reflections_to=None), [Profile(gaussian_sigma=0.03)])
    short_axis = Measurement(axis.q[:700], axis.radiation)
    short = simulator.simulate(batch, short_axis, [Profile(gaussian_sigma=0.03)])
    for a, b in zip(short, long, strict=True):
        np.testing.assert_allclose(a, b[:700], rtol=0, atol=1e-6 * b.max())


@pytest.mark.parametrize("profile", [Profile(None, 0.002, 0.001), Profile(800.0), Profile(None, 0.003)])
def test_an_axis_coarser_than_the_peaks_shows_every_so_manieth_point(simulator, batch, axis, profile):
    fine = Measurement(np.linspace(0.3, 6.2, 8001), axis.radiation, axis.reflections_to)
    for stride in (5, 40):
        coarse = replace(fine, q=fine.q[::stride])
        patterns = simulator.simulate(batch, coarse, [profile])
        for pattern, expected in zip(patterns, simulator.simulate(batch, fine, [profile]), strict=True):
            np.testing.assert_allclose(pattern, expected[::stride], rtol=0, atol=1e-6 * expected.max())


def test_nothing_near_backscattering_contributes(simulator, batch):
    radiation = Radiation.monochromatic(1.54184)
    axis = Measurement(np.linspace(1.0, 4 * np.pi / 1.54184 - 1e-6, 4000), radiation)
    pattern = one(simulator, batch, axis, Profile(gaussian_sigma=0.004), index=4)
    assert np.isfinite(pattern).all()
    limit = radiation.q_from_two_theta(np.array([170.0]))[0]
    assert pattern[axis.q > limit - 0.05].max() > 1e-3 * pattern.max()
    assert pattern[-1] < 1e-9 * pattern.max()


def test_a_primitive_cell_has_the_pattern_of_the_conventional_one(simulator, crystals, axis):
    for crystal in (crystals[2], crystals[0]):
        cells = CellBatch.from_structures([crystal, crystal.get_primitive_structure(), crystal * (2, 1, 3)])
        patterns = simulator.simulate(cells, axis, [PROFILE])
        for pattern in patterns[1:]:
            assert_close(pattern, patterns[0], 1e-9)


@pytest.mark.parametrize("limit", [None, 5.5])
def test_a_pattern_does_not_depend_on_the_others_of_its_batch(simulator, batch, axis, limit):
    axis = replace(axis, reflections_to=limit)
    together = simulator.simulate(batch, axis, DIVERSE)
    for index, profile in enumerate(DIVERSE):
        assert_close(together[index], one(simulator, batch, axis, profile, index), 1e-9)


@pytest.mark.parametrize("limit", [None, 5.5])
def test_derivatives_do_not_depend_on_the_others_of_their_batch(simulator, batch, axis, limit):
    axis = replace(axis, reflections_to=limit)
    random = np.random.default_rng(0)
    directions = [random.normal(size=(6 + 3 * n, 4)) for n in batch.counts]
    together = simulator.linearise(batch, axis, DIVERSE, directions, PROFILE_PARAMETERS)
    for index, profile in enumerate(DIVERSE):
        alone = simulator.linearise(batch.select([index]), axis, [profile], [directions[index]], PROFILE_PARAMETERS)
        assert_close(together.structure_jacobian[index], alone.structure_jacobian[0], 1e-9)
        assert_close(together.profile_jacobian[index], alone.profile_jacobian[0], 1e-9)


def test_cells_of_very_different_sizes_share_a_batch(simulator, crystals, axis):
    """Many blocks, several portions: what is large is computed apart from what is small."""
    crystal = crystals[1]
    cells = CellBatch.from_structures([crystal, crystal * (3, 3, 2), crystal, crystal * (2, 2, 2)] * 4)
    patterns = simulator.simulate(cells, axis, [PROFILE])
    for pattern in patterns[1:]:
        assert_close(pattern, patterns[0], 1e-9)


def test_a_cell_without_reflections_has_an_empty_pattern(simulator, axis):
    tiny = (np.eye(3) * 0.9, np.zeros((1, 3)), [1])
    cells = CellBatch.from_cells([tiny, (np.eye(3) * 4.0, np.zeros((1, 3)), [13])])
    patterns = simulator.simulate(cells, axis, [PROFILE])
    assert (patterns[0] == 0).all()
    assert patterns[1].max() > 0
    linear = simulator.linearise(cells, axis, [PROFILE], [np.eye(9), np.eye(9)], ())
    assert (linear.structure_jacobian[0] == 0).all()


def test_the_codes_kernel_is_that_of_twice_the_size(simulator, batch, axis):
    code = PowderSimulator(PowderOptions(kernel="code"))
    assert_close(
        code.simulate(batch, axis, [Profile(10.0, 0.085)]),
        simulator.simulate(batch, axis, [Profile(20.0, 0.085)]),
        1e-6,
    )
