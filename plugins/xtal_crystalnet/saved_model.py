"""CrystalNet into a weights file, and out of one."""

from __future__ import annotations

import json
from dataclasses import dataclass

from safetensors.torch import load_file
from torch import Tensor

from xtal_core.errors import InputError, OptionError
from xtal_core.weights import WeightsFile, find_weights
from xtal_crystalnet.model.config import CrystalNetConfig
from xtal_crystalnet.model.crystalnet import CrystalNet

#: The texts of a file's metadata that hold the settings, and what the network was trained with: the narrowest peaks,
#: crystal systems, and whose densities.
CONFIG, NARROWEST, SYSTEMS, DENSITIES = "crystalnet", "narrowest", "systems", "densities"

#: Whose densities networks learn.
INDEPENDENT_ATOMS, OF_FILES = "independent atoms", "CHGCAR files"


@dataclass(frozen=True)
class SavedModel:
    """A network ready for use.

    Attributes
    ----------
    network
        Frozen, on its device.
    file
        The weights that it was made of.
    narrowest
        Å⁻¹; standard deviation of the narrowest peaks that it was trained with.
    systems
        Crystal systems that it was trained with.
    densities
        Whose it draws: `INDEPENDENT_ATOMS` or `OF_FILES`.
    """

    network: CrystalNet
    file: WeightsFile
    narrowest: float
    systems: tuple[str, ...]
    densities: str


def saved_state(
    network: CrystalNet, narrowest: float, systems: tuple[str, ...], densities: str
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the texts of a weights file."""
    texts = {
        CONFIG: network.config.to_json(),
        NARROWEST: f"{narrowest:g}",
        SYSTEMS: json.dumps(systems),
        DENSITIES: densities,
    }
    return dict(network.state_dict()), texts


def load_crystalnet(choice: str, device: str) -> SavedModel:
    """Return the network in the weights that `choice` names, on a torch `device`.

    Raises InputError for a file without one, and OptionError for a device that is not there.
    """
    file = find_weights(choice, "crystalnet")
    try:
        network = CrystalNet(CrystalNetConfig.from_json(file.metadata[CONFIG]))
        network.load_state_dict(load_file(file.path))
        narrowest, systems = float(file.metadata[NARROWEST]), tuple(json.loads(file.metadata[SYSTEMS]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[-1]
        remedy = "train them again, or use others"
        raise InputError(f"the weights are of another release ({reason})", remedy, file.path) from None
    try:
        network = network.requires_grad_(False).eval().to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(f"the device '{device}' cannot be used ({reason})", "give cpu, or cuda with a GPU") from None
    return SavedModel(network, file, narrowest, systems, file.metadata.get(DENSITIES, INDEPENDENT_ATOMS))
