"""The preparation of MP-20-PXRD against pymatgen and a plain version of its steps."""

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xtal_core.errors import StructureError
from xtal_powder.mp20_pxrd import LARGEST_Q, N_BINS, mp20_pxrd_patterns, stick_patterns


@pytest.fixture(scope="module")
def ordered(crystals):
    """Return crystals without vacancies, as the data set has them: wurtzite, triclinic, caesium chloride."""
    return [crystals[0], crystals[1], crystals[3]]


def sticks_by_pymatgen(structure):
    peaks = XRDCalculator("CuKa").get_pattern(structure, scaled=False)
    bins = (N_BINS * 4 * np.pi * np.sin(np.radians(peaks.x / 2)) / 1.54184 / LARGEST_Q).astype(int)
    sticks = np.zeros(N_BINS)
    for place, height in zip(bins, peaks.y, strict=True):
        sticks[place] = max(sticks[place], height)
    return sticks, len(bins) - len(set(bins))


def test_sticks_are_pymatgens_peaks_the_larger_of_two_in_one_bin(ordered):
    structures = [*ordered, ordered[1] * (2, 2, 2)]
    dense = Structure(
        Lattice.from_parameters(7.1, 8.3, 9.2, 88, 97, 104),
        ["Sr", "S", "S"],
        [[0, 0, 0], [0.2, 0.6, 0.3], [0.7, 0.3, 0.9]],
    )
    structures[3] = dense
    collisions = 0
    for structure, sticks in zip(structures, stick_patterns(structures), strict=True):
        expected, shared = sticks_by_pymatgen(structure)
        collisions += shared
        np.testing.assert_allclose(sticks / sticks.max(), expected / expected.max(), atol=1e-12)
    assert collisions > 10


@pytest.mark.parametrize(("kernel", "argument"), [("text", 0.5), ("code", 1.0)])
def test_patterns_are_those_of_the_steps_done_plainly(ordered, kernel, argument):
    tau = 30.0
    patterns = mp20_pxrd_patterns(ordered, np.random.default_rng(5), crystallite_size=tau, kernel=kernel, noise=0.0)
    random = np.random.default_rng(5)
    for structure, pattern in zip(ordered, patterns, strict=True):
        conventional = SpacegroupAnalyzer(structure).get_conventional_standard_structure()
        sticks, _ = sticks_by_pymatgen(conventional)
        step = LARGEST_Q / N_BINS
        places = np.arange(N_BINS) * step
        # The code's kernel has an even number of points and so stands half a bin off; it ends after half the axis.
        offset, end = (0.5 * step, LARGEST_Q / 2) if kernel == "code" else (0.0, LARGEST_Q)
        sigma = random.uniform(0.010, 0.011) * LARGEST_Q
        random.normal(size=512)
        smooth = np.zeros(N_BINS)
        for place in np.flatnonzero(sticks):
            distance = places - places[place] - offset
            smooth += sticks[place] * np.sinc(distance * tau * argument / np.pi) ** 2 * (np.abs(distance) < end)
        distance = np.arange(-400, 401) * step
        gaussian = np.exp(-(distance**2) / (2 * sigma**2))
        smooth = np.convolve(smooth, gaussian, mode="same")
        expected = (smooth / smooth.max()).reshape(512, 8).max(axis=1)
        np.testing.assert_allclose(pattern, expected, atol=2e-4)


def test_patterns_reach_one_and_noise_stays_between_zero_and_one(ordered):
    patterns = mp20_pxrd_patterns(ordered, np.random.default_rng(0), crystallite_size=100.0)
    assert patterns.shape == (3, 512)
    assert patterns.min() == 0
    assert patterns.max() <= 1
    np.testing.assert_allclose(patterns.max(axis=1), 1, atol=0.005)
    clean = mp20_pxrd_patterns(ordered, np.random.default_rng(0), crystallite_size=100.0, noise=0.0)
    inside = (clean > 0.02) & (clean < 0.98)
    assert (patterns - clean)[inside].std() == pytest.approx(0.001, rel=0.2)


def test_the_codes_kernel_of_ten_is_the_texts_of_twenty(ordered):
    code = mp20_pxrd_patterns(ordered, np.random.default_rng(0), crystallite_size=10.0, kernel="code", noise=0.0)
    text = mp20_pxrd_patterns(ordered, np.random.default_rng(0), crystallite_size=20.0, kernel="text", noise=0.0)
    assert np.abs(code - text).max() < 0.03
    other = mp20_pxrd_patterns(ordered, np.random.default_rng(0), crystallite_size=10.0, kernel="text", noise=0.0)
    assert np.abs(code - other).max() > 0.1


def test_patterns_of_a_list_are_those_of_its_parts_one_after_the_other(ordered):
    together = mp20_pxrd_patterns(ordered, np.random.default_rng(7), crystallite_size=10.0)
    random = np.random.default_rng(7)
    apart = [mp20_pxrd_patterns([structure], random, crystallite_size=10.0)[0] for structure in ordered]
    np.testing.assert_allclose(together, apart, atol=1e-12)


def test_the_choice_of_cell_does_not_matter(ordered):
    structures = [ordered[0], ordered[0] * (2, 1, 1), ordered[0].get_primitive_structure()]
    patterns = [
        mp20_pxrd_patterns([structure], np.random.default_rng(1), crystallite_size=10.0)[0] for structure in structures
    ]
    np.testing.assert_allclose(patterns[1:], [patterns[0]] * 2, atol=1e-6)


def test_an_infinite_crystal_is_broadened_by_the_gaussian_only(ordered):
    infinite = mp20_pxrd_patterns(ordered, np.random.default_rng(0), crystallite_size=None, noise=0.0)
    large = mp20_pxrd_patterns(ordered, np.random.default_rng(0), crystallite_size=3000.0, noise=0.0)
    np.testing.assert_allclose(infinite, large, atol=0.01)


def test_a_cell_without_reflections_is_refused():
    tiny = Structure(Lattice.cubic(0.9), ["H"], [[0, 0, 0]])
    with pytest.raises(StructureError, match="H1 has no reflection below 90°"):
        stick_patterns([tiny])
