from dataclasses import replace

import pytest
import torch

from xtal_core.errors import InputError, OptionError, PatternError
from xtal_core.interfaces import Workbench
from xtal_core.lattice_correction import EXPECTED_STRAIN
from xtal_core.problem import Formula
from xtal_core.testing import GeneratorConformance
from xtal_core.testing.problems import problem_of, rock_salt
from xtal_pxrdnet.generator import PXRDNetGenerator
from xtal_pxrdnet.plugin import PXRDNetOptions

FEW = {"candidates": 12, "keep": 4, "levels": 4, "steps_per_level": 1, "proposals": 2, "flow_steps": 2}


def options(weights, **settings):
    return PXRDNetOptions(weights=str(weights), **FEW | settings)


@pytest.fixture(scope="module")
def salt(simulator):
    return problem_of(rock_salt(), simulator, z=4)


def generate(problem, simulator, chosen):
    return PXRDNetGenerator(chosen).generate(problem, Workbench(simulator))


class TestPXRDNetConformance(GeneratorConformance):
    @pytest.fixture(autouse=True)
    def _weights(self, weights):
        self.weights = weights

    def create_generator(self):
        return PXRDNetGenerator(options(self.weights))

    def problems(self):
        (problem,) = super().problems()
        return [problem, replace(problem, z=None)]

    def hopeless_problem(self):
        return replace(self.problems()[0], formula=Formula.parse("Na17Cl31")[0], z=7)


@pytest.mark.parametrize(
    "settings",
    [
        {"start": "random"},
        {"start": "random", "latent_steps": 14},
        {"latent_steps": 7},
        {"guidance": 1.0},
        {"levels": 1},
        {"again": 0.0},
        {"again": 0.001, "guidance": 1.0},
        {"lattice": "decoded"},
    ],
)
def test_every_way_of_searching_gives_candidates(weights, salt, simulator, settings):
    assert generate(salt, simulator, options(weights, **settings))


def test_crystals_are_denoised_again_in_fitted_lattices(weights, salt, simulator):
    once, twice = (
        generate(salt, simulator, options(weights, keep=24, again=noise, candidates=6)) for noise in (0.0, 0.3)
    )
    assert not any(candidate.details.get("again") for candidate in once)
    assert any(candidate.details.get("again") for candidate in twice)
    assert len(once) < len(twice) <= 12


def test_the_usual_strain_of_lattices_is_that_of_other_generators():
    assert PXRDNetOptions().expected_strain == EXPECTED_STRAIN


def test_only_the_best_are_kept(weights, salt, simulator):
    found = generate(salt, simulator, options(weights, keep=3))
    residuals = [candidate.details["filter_residual"] for candidate in found]
    assert len(found) == 3
    assert residuals == sorted(residuals)


def test_weights_without_a_flow_ask_for_a_random_start(save_weights, salt, simulator):
    plain = save_weights(amortised=False)
    with pytest.raises(OptionError, match=r"pxrdnet\.start=random"):
        generate(salt, simulator, options(plain))
    assert generate(salt, simulator, options(plain, start="random"))


def test_a_random_start_does_not_see_the_pattern(weights, salt, simulator):
    """Without a search nothing tells the latent vectors what was measured; only the filter does."""
    chosen = options(weights, start="random", keep=12, correct_lattice=False, again=0.0)
    other = problem_of(rock_salt(5.0), simulator, z=4)
    cells = [
        {(candidate.origin, round(candidate.structure.volume, 4)) for candidate in generate(problem, simulator, chosen)}
        for problem in (salt, other)
    ]
    assert cells[0] == cells[1]


def test_an_element_beyond_those_of_the_network_has_no_candidates(weights, salt, simulator):
    assert generate(replace(salt, formula=Formula.parse("Lr2O3")[0], z=None), simulator, options(weights)) == []


def test_a_pattern_too_short_for_the_networks_is_refused(weights, salt, simulator):
    pattern = salt.pattern
    chosen = slice(200, 400)
    short = replace(pattern, q=pattern.q[chosen], intensity=pattern.intensity[chosen])
    with pytest.raises(PatternError, match="covers too little"):
        generate(replace(salt, pattern=short), simulator, options(weights))


def test_the_weights_are_part_of_the_provenance(weights, salt, simulator):
    generator = PXRDNetGenerator(options(weights))
    generator.generate(salt, Workbench(simulator))
    assert generator.files() == [weights]


def test_weights_of_another_model_are_refused(salt, simulator, tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.ones(1)}, tmp_path / "other.safetensors", {"model": "crystalnet"})
    with pytest.raises(InputError, match="weights of crystalnet, not of pxrdnet"):
        generate(salt, simulator, options(tmp_path / "other.safetensors"))


def test_all_candidates_are_used_whatever_the_threads(weights, salt, simulator):
    """The number of cores changes nothing but the time."""
    one, two = (PXRDNetGenerator(options(weights)).generate(salt, Workbench(simulator, jobs=jobs)) for jobs in (1, 2))
    assert [candidate.origin for candidate in one] == [candidate.origin for candidate in two]
    assert torch.get_num_threads() >= 1
