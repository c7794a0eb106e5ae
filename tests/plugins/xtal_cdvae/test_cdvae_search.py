from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import save_file

from xtal_cdvae.generator import CDVAESearchGenerator
from xtal_cdvae.model.cdvae import CDVAE
from xtal_cdvae.model.config import FAST
from xtal_cdvae.plugin import CDVAESearchOptions
from xtal_cdvae.saved_model import CDVAE_CONFIG, PREFIX, load_cdvae
from xtal_core.errors import InputError, OptionError
from xtal_core.interfaces import Workbench
from xtal_core.problem import Formula
from xtal_core.registry import installed_registry
from xtal_core.testing import GeneratorConformance
from xtal_core.testing.problems import problem_of, rock_salt

SMALL = replace(FAST, latent=8, head_width=16, encoder_width=8, encoder_blocks=1, denoiser_width=16, denoiser_layers=1)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Return the file of a small network that nobody trained; its cells have some 16 Å³ an atom."""
    torch.manual_seed(5)
    model = CDVAE(SMALL)
    model.lattice_mean.copy_(torch.tensor([2.5, 2.5, 2.5, 90.0, 90.0, 90.0]))
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    tensors = {PREFIX + name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(tensors | {"other.weight": torch.ones(2)}, path, {"model": "toy", CDVAE_CONFIG: SMALL.to_json()})
    return path


def options(weights, **settings):
    few = {"candidates": 12, "keep": 4, "levels": 4, "steps_per_level": 1}
    return CDVAESearchOptions(weights=str(weights), **few | settings)


@pytest.fixture(scope="module")
def simulator():
    return installed_registry().create("simulator", "powder")


@pytest.fixture(scope="module")
def salt(simulator):
    return problem_of(rock_salt(), simulator, z=4)


class TestCDVAESearchConformance(GeneratorConformance):
    @pytest.fixture(autouse=True)
    def _weights(self, weights):
        self.weights = weights

    def create_generator(self):
        return CDVAESearchGenerator(options(self.weights))

    def hopeless_problem(self):
        (problem,) = self.problems()
        return replace(problem, formula=Formula.parse("Na17Cl31")[0], z=7)


def test_the_best_are_kept_and_say_how_far_their_patterns_are(weights, salt, simulator):
    everything = CDVAESearchGenerator(options(weights, keep=12)).generate(salt, Workbench(simulator))
    best = CDVAESearchGenerator(options(weights)).generate(salt, Workbench(simulator))
    assert [c.origin for c in best] == [c.origin for c in everything[:4]]
    residuals = [c.details["filter_residual"] for c in everything]
    assert residuals == sorted(residuals)
    assert all(0 <= residual <= 1 for residual in residuals)


def test_corrected_lattices_describe_the_pattern_better(weights, salt, simulator):
    def best(correct):
        generator = CDVAESearchGenerator(options(weights, correct_lattice=correct))
        return generator.generate(salt, Workbench(simulator))[0].details["filter_residual"]

    assert best(True) < best(False)


def test_an_element_beyond_those_of_the_network_has_no_candidates(weights, salt, simulator):
    heavy = replace(salt, formula=Formula.parse("Lr2O3")[0], z=None)
    assert CDVAESearchGenerator(options(weights)).generate(heavy, Workbench(simulator)) == []


def test_the_weights_are_part_of_the_provenance(weights, salt, simulator):
    generator = CDVAESearchGenerator(options(weights))
    generator.generate(salt, Workbench(simulator))
    assert generator.files() == [weights]


def test_a_loaded_network_is_the_saved_one(weights):
    model, file = load_cdvae(str(weights), torch.device("cpu"))
    assert model.config == SMALL
    assert file.metadata["model"] == "toy"
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_weights_without_a_cdvae_are_refused_by_name(tmp_path):
    path = tmp_path / "others.safetensors"
    save_file({"x": torch.ones(1)}, path, {"model": "crystalnet"})
    with pytest.raises(InputError, match=r"others\.safetensors: these weights contain no CDVAE"):
        load_cdvae(str(path), torch.device("cpu"))


def test_weights_of_other_sizes_are_refused(weights, tmp_path):
    path = tmp_path / "wrong.safetensors"
    tensors = {PREFIX + name: tensor.clone() for name, tensor in CDVAE(SMALL).state_dict().items()}
    save_file(tensors, path, {"model": "toy", CDVAE_CONFIG: replace(SMALL, latent=9).to_json()})
    with pytest.raises(InputError, match="another release"):
        load_cdvae(str(path), torch.device("cpu"))


def test_a_device_that_is_not_there_is_an_option_error(weights, salt, simulator):
    with pytest.raises(OptionError, match="'nonsense'"):
        CDVAESearchGenerator(options(weights, device="nonsense")).generate(salt, Workbench(simulator))


def test_defaults_are_those_of_pxrdnet_where_both_have_an_option():
    from xtal_pxrdnet.plugin import PXRDNetOptions

    ours, theirs = asdict(CDVAESearchOptions()), asdict(PXRDNetOptions())
    assert {name for name in ours if ours[name] != theirs[name]} == {"correct_lattice"}
