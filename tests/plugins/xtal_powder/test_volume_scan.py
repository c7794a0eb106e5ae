import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from xtal_core.measurement import Profile
from xtal_core.pattern import Radiation

DOUBLET = Radiation.from_line("CuKa")


def one_by_one(simulator, batch, axis, profile, factors):
    scaled = [replace(batch, lattices=batch.lattices * np.cbrt(factor)) for factor in factors]
    return np.stack([simulator.simulate(cells, axis, [profile]) for cells in scaled], axis=1)


def errors(simulator, batch, axis, profile, factors):
    """Return the largest error of each cell, relative to its largest intensity at any volume."""
    scan = simulator.scan_volume(batch, axis, profile, factors)
    exact = one_by_one(simulator, batch, axis, profile, factors)
    return np.abs(scan - exact).max(axis=(1, 2)) / exact.max(axis=(1, 2))


@pytest.mark.parametrize(
    "profile",
    [
        Profile(None, 0.02),
        Profile(10.0, 0.085),
        Profile(150.0, 0.0, 0.004, 0.7, 0.1),
        Profile(None, 0.02, march_coefficient=0.5, march_axis=(1, 0, 2)),
    ],
)
def test_a_scan_is_what_single_patterns_are(simulator, batch, axis, profile):
    assert errors(simulator, batch, axis, profile, np.geomspace(0.74, 1.36, 6)).max() < 1e-3


def test_a_scan_of_peaks_of_varying_widths_is_what_single_patterns_are(simulator, batch, axis):
    profile = Profile(200.0, 0.0, 0.001, 0.7, 0.1, 2e-3, 1e-3, 0.1, 0.05, -0.1)
    assert errors(simulator, batch, axis, profile, np.geomspace(0.74, 1.36, 6)).max() < 4e-3


@pytest.mark.parametrize("sigma", [0.01, 0.1])
def test_a_doublet_is_resolved_or_taken_together_as_the_peaks_allow(simulator, batch, axis, sigma):
    """Within 1 % either way; 0.01 Å⁻¹ resolves it, 0.1 Å⁻¹ does not."""
    axis = replace(axis, radiation=DOUBLET)
    assert errors(simulator, batch, axis, Profile(gaussian_sigma=sigma), np.array([0.9, 1.1])).max() < 0.01


def test_a_wide_scan_is_as_good_as_a_narrow_one(simulator, batch, axis):
    assert errors(simulator, batch, axis, Profile(80.0, 0.03), np.geomspace(0.3, 4.0, 5)).max() < 2e-3


def test_a_single_volume_needs_no_interpolation(simulator, batch, axis):
    assert errors(simulator, batch, axis, Profile(80.0, 0.03), np.array([1.17])).max() < 5e-4


def test_no_volumes_and_no_cells_make_empty_scans(simulator, batch, axis):
    assert simulator.scan_volume(batch, axis, Profile(80.0), np.array([])).shape == (len(batch), 0, len(axis.q))
    assert simulator.scan_volume(batch.select([]), axis, Profile(80.0), np.ones(3)).shape == (0, 3, len(axis.q))


LARGE_SCAN = """
import resource
import numpy as np
from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Radiation
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

cells = CellBatch.from_cells([(np.diag([4.6, 4.6, 2.96]), np.zeros((1, 3)), [22])] * 3)
axis = Measurement(np.linspace(0.4, 5.7, 4000), Radiation.from_line("CuKa"), 5.7)
simulator = PowderSimulator(PowderOptions())
simulator.scan_volume(cells, axis, Profile(None, 0.05), np.ones(1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
simulator.scan_volume(cells, axis, Profile(None, 0.002, 0.001), np.linspace(0.7, 1.4, 200))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_scan_of_narrow_peaks_needs_little_memory():
    process = subprocess.run([sys.executable, "-c", LARGE_SCAN], capture_output=True, text=True, check=True)
    kilobytes = int(process.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 300_000
