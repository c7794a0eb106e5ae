import numpy as np
import pytest
import torch

from xtal_core.interfaces import PROFILE_PARAMETERS
from xtal_core.measurement import Profile
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

#: Peaks of constant widths, and others, with texture.
CONSTANT = Profile(120.0, 0.02, 0.004, 0.5, 0.1)
VARYING = Profile(120.0, 0.01, 0.002, 0.5, 0.1, 0.002, 0.001, 0.1, 0.05, -0.1, 0.7, (1, 0, 2))

pytestmark = pytest.mark.parametrize("profile", [CONSTANT, VARYING])


@pytest.fixture(scope="module")
def on_gpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return PowderSimulator(PowderOptions(device="cuda"))


def assert_equal(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_patterns_are_those_of_the_processor(simulator, on_gpu, batch, axis, profile):
    assert_equal(on_gpu.simulate(batch, axis, [profile]), simulator.simulate(batch, axis, [profile]))


def test_patterns_with_an_intensity_floor_are_those_of_the_processor(on_gpu, batch, axis, profile):
    one, other = (PowderSimulator(PowderOptions(device=d, intensity_floor=1e-5)) for d in ("cpu", "cuda"))
    assert_equal(other.simulate(batch, axis, [profile]), one.simulate(batch, axis, [profile]))


def test_volume_scans_are_those_of_the_processor(simulator, on_gpu, batch, axis, profile):
    factors = np.linspace(0.8, 1.2, 5)
    assert_equal(
        on_gpu.scan_volume(batch, axis, profile, factors), simulator.scan_volume(batch, axis, profile, factors)
    )


def test_derivatives_are_those_of_the_processor(simulator, on_gpu, batch, axis, profile):
    directions = [np.eye(6 + 3 * n) for n in batch.counts]
    one, other = (s.linearise(batch, axis, [profile], directions, PROFILE_PARAMETERS) for s in (simulator, on_gpu))
    for name in ("intensity", "structure_jacobian", "profile_jacobian"):
        assert_equal(getattr(other, name), getattr(one, name))
