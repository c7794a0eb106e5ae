"""Networks small enough for tests."""

import pytest
import torch
from safetensors.torch import save_file

from xtal_pxrdnet.plugin import TrainingOptions
from xtal_pxrdnet.training import FAST, PXRDNetModel

#: Of networks that learn nothing but need little time.
SMALL = FAST | {
    "latent": 8,
    "head_width": 16,
    "encoder_width": 8,
    "encoder_blocks": 1,
    "encoder_inner": 4,
    "encoder_spherical": 2,
    "denoiser_width": 16,
    "denoiser_layers": 1,
    "encoder_channels": 4,
    "features": 16,
    "flow_width": 16,
    "flow_blocks": 1,
}


@pytest.fixture(scope="session")
def small_options():
    """Return a function that makes the options of a small network."""
    return lambda **settings: TrainingOptions(**SMALL | settings)


@pytest.fixture(scope="session")
def save_weights(training_set, small_options, tmp_path_factory):
    """Return a function that saves a small network, of which only the norms of lattices are trained."""

    def save(**settings):
        torch.manual_seed(5)
        model = PXRDNetModel(small_options(**settings))
        tensors, texts = model.tensors(model.module(training_set))
        path = tmp_path_factory.mktemp("weights") / "small.safetensors"
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, path, texts | {"model": "pxrdnet"})
        return path

    return save


@pytest.fixture(scope="session")
def weights(save_weights):
    return save_weights()
