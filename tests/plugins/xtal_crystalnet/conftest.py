"""Networks small enough for tests, and well-known crystals."""

import pytest
import torch
from pymatgen.core import Lattice, Structure
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from xtal_crystalnet.plugin import TrainingOptions
from xtal_crystalnet.saved_model import DENSITIES, OF_FILES
from xtal_crystalnet.training import FAST, CrystalNetModel

#: Of networks that learn little but need little time.
SMALL = FAST | {
    "systems": "all",
    "latent": 16,
    "growth": 2,
    "dense_layers": 1,
    "formula_width": 16,
    "width": 32,
    "n_frequencies": 40,
    "strata": 3,
    "near_atoms": 20,
}


@pytest.fixture(scope="session")
def small_model():
    """Return a function that makes a model with a small network."""
    return lambda **settings: CrystalNetModel(TrainingOptions(**SMALL | settings))


@pytest.fixture(scope="session")
def save_weights(training_set, small_model, tmp_path_factory):
    """Return a function that saves a small network, of which only the scale of lattices is trained."""

    def save(**settings):
        torch.manual_seed(5)
        model = small_model(**settings)
        tensors, texts = model.tensors(model.module(training_set))
        path = tmp_path_factory.mktemp("weights") / "small.safetensors"
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, path, texts | {"model": "crystalnet"})
        return path

    return save


@pytest.fixture(scope="session")
def weights(save_weights):
    return save_weights()


@pytest.fixture(scope="session")
def file_weights(weights, tmp_path_factory):
    """Return weights that learned densities of files."""
    path = tmp_path_factory.mktemp("weights") / "of-files.safetensors"
    with safe_open(weights, "pt") as file:
        metadata = file.metadata() | {DENSITIES: OF_FILES}
    save_file(load_file(weights), path, metadata)
    return path


@pytest.fixture(scope="session")
def salt():
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="session")
def quartz():
    return Structure.from_spacegroup(
        "P3_221", Lattice.hexagonal(4.913, 5.405), ["Si", "O"], [[0.4697, 0, 2 / 3], [0.4135, 0.2669, 0.7858]]
    )
