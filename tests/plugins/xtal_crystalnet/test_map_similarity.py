"""SSIM and PSNR of maps against scikit-image, and the 24 rotations against brute force."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from xtal_core.errors import InputError
from xtal_crystalnet.map_similarity import ROTATIONS, rotated, score_maps


def map_of_atoms(positions, heights, n=20, width=0.05):
    """Return (n, n, n) the sum of periodic Gaussians whose standard deviation is `width` of the cell."""
    grid = np.arange(n) / n
    values = np.zeros((n, n, n))
    for position, height in zip(positions, heights, strict=True):
        lines = [sum(np.exp(-(((grid - x + k) / width) ** 2) / 2) for k in (-2, -1, 0, 1, 2)) for x in position]
        values += height * np.einsum("i,j,k->ijk", *lines)
    return values


def pair_of_maps(seed, n=20, disorder=0.03):
    """Return a true and a predicted map, in an orientation of its own, as sharp as real ones."""
    random = np.random.default_rng(seed)
    positions, heights = random.random((6, 3)), random.uniform(20, 900, 6)
    moved = positions + disorder * random.standard_normal((6, 3))
    predicted = map_of_atoms(moved @ ROTATIONS[random.integers(24)].T, heights * random.uniform(0.7, 1.2, 6), n, 0.06)
    return map_of_atoms(positions, heights, n), predicted + 0.2 * random.standard_normal(predicted.shape)


def turned_by_brute_force(values, matrix):
    """Return the map with each point carried to where `matrix` takes its fractional coordinates."""
    result = np.full_like(values, np.nan)
    indices = np.indices(values.shape).reshape(3, -1)
    result[tuple(matrix @ indices % len(values))] = values[tuple(indices)]
    return result


def test_rotations_are_the_24_proper_ones_of_a_cube():
    assert {tuple(matrix.ravel()) for matrix in ROTATIONS @ ROTATIONS[5]} == {tuple(m.ravel()) for m in ROTATIONS}
    assert len({tuple(matrix.ravel()) for matrix in ROTATIONS}) == 24
    assert np.allclose(np.linalg.det(ROTATIONS), 1)
    assert np.array_equal(ROTATIONS @ ROTATIONS.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (24, 3, 3)))
    assert np.array_equal(ROTATIONS[0], np.eye(3))


@pytest.mark.parametrize("n", [7, 8])
def test_rotated_maps_are_those_of_brute_force(n):
    values = np.random.default_rng(n).random((n, n, n))
    for rotation, matrix in enumerate(ROTATIONS):
        assert np.array_equal(rotated(values, rotation), turned_by_brute_force(values, matrix))


@pytest.mark.parametrize("n", [20, 21])
def test_map_of_rotated_atoms_is_the_rotated_map(n):
    random = np.random.default_rng(1)
    positions, heights = random.random((4, 3)), random.uniform(1, 50, 4)
    values = map_of_atoms(positions, heights, n)
    for rotation, matrix in enumerate(ROTATIONS):
        assert np.allclose(rotated(values, rotation), map_of_atoms(positions @ matrix.T, heights, n), atol=1e-9)


@pytest.mark.parametrize(("seed", "n"), [(2, 7), (3, 20), (4, 21)])
def test_scores_are_the_best_that_scikit_image_finds_over_all_rotations(seed, n):
    truth, predicted = pair_of_maps(seed, n)
    other = np.random.default_rng(seed).exponential(40, truth.shape)
    scores = score_maps(np.stack([predicted, other]), truth)
    span = np.ptp(truth)
    for draw, values in enumerate([predicted, other]):
        turned = [turned_by_brute_force(values, matrix) for matrix in ROTATIONS]
        ssim = [structural_similarity(truth, each, win_size=7, data_range=span) for each in turned]
        psnr = [peak_signal_noise_ratio(truth, each, data_range=span) for each in turned]
        assert scores.ssim[draw] == pytest.approx(max(ssim), rel=1e-9)
        assert scores.psnr[draw] == pytest.approx(max(psnr), rel=1e-9)
        assert ssim[scores.ssim_rotation[draw]] == pytest.approx(max(ssim), rel=1e-9)
        assert psnr[scores.psnr_rotation[draw]] == pytest.approx(max(psnr), rel=1e-9)
    assert scores.best_ssim == scores.ssim.max()
    assert scores.best_psnr == scores.psnr.max()


def test_single_precision_maps_score_as_double_precision_ones():
    truth, predicted = pair_of_maps(4)
    single = score_maps(predicted[None].astype(np.float32), truth.astype(np.float32))
    assert single.ssim == pytest.approx(score_maps(predicted[None], truth).ssim, rel=1e-6)


def test_each_score_has_its_own_rotation():
    random = np.random.default_rng(11)
    truth, draws = random.random((8, 8, 8)), random.random((5, 8, 8, 8))
    scores = score_maps(draws, truth)
    assert np.any(scores.ssim_rotation != scores.psnr_rotation)
    for draw, ssim_rotation, psnr_rotation in zip(draws, scores.ssim_rotation, scores.psnr_rotation, strict=True):
        turned = [rotated(draw, rotation) for rotation in range(24)]
        ssim = [structural_similarity(truth, each, win_size=7, data_range=np.ptp(truth)) for each in turned]
        assert np.argmax(ssim) == ssim_rotation
        assert np.argmin([np.sum((each - truth) ** 2) for each in turned]) == psnr_rotation


def test_rotated_copies_score_perfectly_and_the_rotation_is_found():
    truth, _ = pair_of_maps(5)
    scores = score_maps(np.stack([rotated(truth, rotation) for rotation in range(24)]), truth)
    assert scores.ssim == pytest.approx(np.ones(24), abs=1e-12)
    assert np.all(np.isposinf(scores.psnr))
    for rotation, back in enumerate(scores.ssim_rotation):
        assert np.array_equal(ROTATIONS[back] @ ROTATIONS[rotation], np.eye(3))
    assert np.array_equal(scores.ssim_rotation, scores.psnr_rotation)


def test_a_mirror_image_of_a_chiral_structure_is_no_rotated_copy():
    truth, _ = pair_of_maps(6)
    scores = score_maps(truth.transpose(1, 0, 2)[None], truth)
    assert scores.best_ssim < 0.99
    assert np.isfinite(scores.best_psnr)


def test_scores_do_not_depend_on_the_unit_of_density():
    truth, predicted = pair_of_maps(7)
    one, other = score_maps(predicted[None], truth), score_maps(6.7 * predicted[None], 6.7 * truth)
    assert other.ssim == pytest.approx(one.ssim)
    assert other.psnr == pytest.approx(one.psnr)
    assert other.baseline_ssim == pytest.approx(one.baseline_ssim)


def test_scores_do_not_depend_on_the_names_of_the_axes():
    truth, predicted = pair_of_maps(8)
    one = score_maps(predicted[None], truth)
    other = score_maps(predicted[None].transpose(0, 2, 3, 1), truth.transpose(1, 2, 0))
    assert other.ssim == pytest.approx(one.ssim)
    assert other.psnr == pytest.approx(one.psnr)


def test_noise_of_known_size_has_the_psnr_of_equation_9():
    truth, _ = pair_of_maps(9)
    signs = np.random.default_rng(9).choice([-1.0, 1.0], truth.shape)
    scores = score_maps((truth + 3 * signs)[None], truth)
    assert scores.psnr[0] == pytest.approx(20 * np.log10(np.ptp(truth) / 3))


def test_baseline_is_the_score_of_the_mean_everywhere():
    truth, predicted = pair_of_maps(10)
    scores = score_maps(predicted[None], truth)
    flat, span = np.full_like(truth, truth.mean()), np.ptp(truth)
    assert scores.baseline_ssim == pytest.approx(structural_similarity(truth, flat, win_size=7, data_range=span))
    assert scores.baseline_psnr == pytest.approx(peak_signal_noise_ratio(truth, flat, data_range=span))
    # No other constant has a smaller mean squared error.
    for constant in (0.9 * truth.mean(), 1.1 * truth.mean()):
        assert score_maps(np.full((1, 20, 20, 20), constant), truth).best_psnr < scores.baseline_psnr


@pytest.mark.parametrize(
    ("predicted", "truth", "problem"),
    [
        (np.zeros((1, 8, 8, 9)), np.zeros((8, 8, 9)), "not a cube"),
        (np.zeros((1, 6, 6, 6)), np.zeros((6, 6, 6)), "not a cube"),
        (np.zeros((8, 8, 8)), np.zeros((8, 8, 8)), "predicted maps have the shape"),
        (np.zeros((0, 8, 8, 8)), np.zeros((8, 8, 8)), "predicted maps have the shape"),
        (np.full((1, 8, 8, 8), np.nan), np.eye(8)[None] * np.ones((8, 1, 1)), "not finite"),
        (np.zeros((1, 8, 8, 8)), np.ones((8, 8, 8)), "constant"),
    ],
)
def test_what_cannot_be_compared_is_refused(predicted, truth, problem):
    with pytest.raises(InputError, match=problem):
        score_maps(predicted, truth)
