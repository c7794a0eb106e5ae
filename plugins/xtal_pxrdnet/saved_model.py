"""PXRDNet in a weights file."""

from __future__ import annotations

import torch
from safetensors.torch import load_file

from xtal_cdvae.saved_model import CDVAE_CONFIG, cdvae_config, fill, unusable
from xtal_core.errors import InputError
from xtal_core.weights import WeightsFile, find_weights
from xtal_pxrdnet.model.pxrdnet import PXRDNet, PXRDNetConfig

#: What training wrote the weights for.
MODEL_NAME = "pxrdnet"

#: The text of a file's metadata that holds the settings of the network.
PXRDNET_CONFIG = "pxrdnet"


def load_pxrdnet(choice: str, device: torch.device) -> tuple[PXRDNet, WeightsFile]:
    """Return the PXRDNet in the weights that `choice` names, ready for use, and which file that was.

    Raises InputError for a file without one.
    """
    file = find_weights(choice, MODEL_NAME)
    text = file.metadata.get(PXRDNET_CONFIG)
    if text is None:
        raise InputError("these weights contain no settings of pxrdnet", "give those that xtal train wrote", file.path)
    try:
        config = PXRDNetConfig.from_json(text)
    except (TypeError, ValueError, KeyError) as error:
        raise unusable(file, f"its settings of pxrdnet are not understood: {error}") from None
    model = PXRDNet(cdvae_config(file), config)
    fill(model, load_file(file.path), file)
    return model.eval().to(device), file


def saved_state(model: PXRDNet) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the tensors and the settings from which `load_pxrdnet` makes `model` again."""
    texts = {CDVAE_CONFIG: model.cdvae.config.to_json(), PXRDNET_CONFIG: model.config.to_json()}
    return dict(model.state_dict()), texts
