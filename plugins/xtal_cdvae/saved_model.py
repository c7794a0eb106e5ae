"""CDVAE out of a weights file: its own, or that of a model that contains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file

from xtal_cdvae.model.cdvae import CDVAE
from xtal_cdvae.model.config import CDVAEConfig
from xtal_core.errors import InputError, OptionError
from xtal_core.weights import WeightsFile, find_weights

if TYPE_CHECKING:
    from torch import nn

#: The text of a file's metadata that holds the settings of CDVAE, and what the names of its tensors begin with.
CDVAE_CONFIG = "cdvae"
PREFIX = "cdvae."


def load_cdvae(choice: str, device: torch.device) -> tuple[CDVAE, WeightsFile]:
    """Return the CDVAE in the weights that `choice` names, ready for use, and which file that was.

    Raises InputError for a file without one.
    """
    file = find_weights(choice)
    model = CDVAE(cdvae_config(file))
    tensors = load_file(file.path)
    own = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    fill(model, own, file)
    return model.eval().to(device), file


def cdvae_config(file: WeightsFile) -> CDVAEConfig:
    """Return the settings of the CDVAE in `file`. Raises InputError when it has none."""
    text = file.metadata.get(CDVAE_CONFIG)
    if text is None:
        raise InputError("these weights contain no CDVAE", "give those that xtal train wrote for pxrdnet", file.path)
    try:
        return CDVAEConfig.from_json(text)
    except (TypeError, ValueError, KeyError) as error:
        raise unusable(file, f"its settings of CDVAE are not understood: {error}") from None


def fill(model: nn.Module, tensors: dict[str, torch.Tensor], file: WeightsFile) -> None:
    """Write `tensors` of `file` into `model`, and freeze it. Raises InputError when they are not those it has."""
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise unusable(file, str(error).splitlines()[-1]) from None
    model.requires_grad_(False)


def unusable(file: WeightsFile, reason: str) -> InputError:
    """Return the error that `file` is not what this release reads."""
    return InputError(f"the weights are of another release ({reason})", "train them again, or use others", file.path)


def torch_device(name: str) -> torch.device:
    """Return the device called `name`. Raises OptionError when there is none."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(f"the device '{name}' cannot be used ({reason})", "give cpu, or cuda with a GPU") from None
    return device
