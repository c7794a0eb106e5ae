"""The weights in the package: what was recorded, small enough, and good for what the generator needs them for."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from xtal_core.interfaces import Workbench
from xtal_core.testing.problems import problem_of
from xtal_core.weights import find_weights, packaged_file
from xtal_crystalnet.density_report import true_density
from xtal_crystalnet.generator import CrystalNetGenerator
from xtal_crystalnet.map_similarity import score_maps
from xtal_crystalnet.plugin import CrystalNetOptions, xtal_weights
from xtal_crystalnet.sampling import draw_densities
from xtal_crystalnet.saved_model import load_crystalnet


@pytest.fixture(scope="module")
def problem(salt, simulator):
    return problem_of(salt, simulator)


def test_they_are_what_was_recorded_and_their_card_is_about_them():
    (record,) = xtal_weights()
    file = find_weights(record.name, "crystalnet")
    assert (file.sha256, file.path.stat().st_size) == (record.sha256, record.bytes)
    assert record.bytes < 20_000_000
    card = packaged_file(record.card).read_text(encoding="utf-8")
    assert record.sha256 in card
    assert "CC BY 4.0" in card


def test_the_density_of_salt_is_much_better_than_a_constant_one(salt, problem):
    model = load_crystalnet("crystalnet-fast", "cpu")
    draws = draw_densities(model, problem.pattern, problem.formula, 3, np.random.default_rng(0))
    scores = score_maps(draws.maps((30, 30, 30)), true_density(salt, (30, 30, 30)))
    assert scores.best_ssim > 0.5 + 0.5 * scores.baseline_ssim
    assert scores.best_psnr > scores.baseline_psnr + 5


def test_crystalnet_solves_salt_with_its_default_weights(salt, problem, simulator):
    candidates = CrystalNetGenerator(CrystalNetOptions(draws=4)).generate(problem, Workbench(simulator))
    matcher = StructureMatcher(0.3, 0.5, 10)
    assert any(matcher.fit(candidate.structure, salt) for candidate in candidates)


def test_crystalnet_solves_salt_counted_over_a_background(salt, problem, simulator):
    """The strongest peak has 10,000 counts, the background 30 % of that."""
    intensity = problem.pattern.intensity
    peaks = intensity - np.interp(problem.pattern.q, problem.pattern.q[[0, -1]], intensity[[0, -1]])
    counts = np.random.default_rng(0).poisson(10_000 * np.clip(peaks / peaks.max(), 0, None) + 3_000).astype(float)
    counted = replace(problem, pattern=replace(problem.pattern, intensity=counts))
    candidates = CrystalNetGenerator(CrystalNetOptions()).generate(counted, Workbench(simulator))
    assert StructureMatcher(0.3, 0.5, 10).fit(candidates[0].structure, salt)
