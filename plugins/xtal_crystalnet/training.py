"""CrystalNet as `xtal train` trains it: networks from options, batches of crystals, what is kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from xtal_core.cells import IntArray
from xtal_core.errors import InputError, OptionError
from xtal_core.interfaces import TrainableModel
from xtal_core.training_set import TrainingSet
from xtal_crystalnet.atomic_densities import check_tabulated
from xtal_crystalnet.batches import Batch, Collate, cell_of
from xtal_crystalnet.crystal_systems import systems_named, which_system
from xtal_crystalnet.density_folder import DensityFolder
from xtal_crystalnet.model.config import CrystalNetConfig
from xtal_crystalnet.model.crystalnet import CrystalNet
from xtal_crystalnet.patterns import Variety
from xtal_crystalnet.plugin import TrainingOptions
from xtal_crystalnet.saved_model import INDEPENDENT_ATOMS, OF_FILES, saved_state

if TYPE_CHECKING:
    from xtal_crystalnet.learning import CrystalNetLearning

#: Small enough for two processor cores.
FAST: Mapping[str, Any] = {
    "latent": 256,
    "growth": 16,
    "dense_layers": 3,
    "formula_width": 256,
    "width": 256,
    "periodic": True,
    "norm": "none",
    "square_root": True,
    "density_scale": 3.0,
    "lattice_head": True,
    "narrowest": 0.01,
    "widest": 0.25,
    "tails": 0.6,
    "background": 0.05,
    "noise": 0.0,
    "counting": 0.03,
    "shift": 0.005,
    "cut": True,
    "ablated": 0.1,
    "kl_weight": 0.005,
    "strata": 5,
    "near_atoms": 75,
    "restart_epochs": 30,
}

#: Crystals whose lattices give the scale of the lattice head.
_SCALING = 512

#: Points of validation are drawn from this seed.
_VALIDATION_SEED = 44


class CrystalNetModel(TrainableModel):
    """CrystalNet, to be trained."""

    def __init__(self, options: TrainingOptions) -> None:
        if options.narrowest > options.widest or (options.widest and not options.narrowest):
            problem = f"crystalnet.narrowest is {options.narrowest:g}, crystalnet.widest {options.widest:g}"
            raise OptionError(problem, "give widths in Å⁻¹ in this order, or 0 for both")
        self.options = options
        self.systems = systems_named(options.systems)
        self.densities = DensityFolder(options.densities) if options.densities else None

    @classmethod
    def presets(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return the settings of the paper, which are the defaults, and those for a machine without a GPU."""
        return {"paper": {}, "fast": FAST}

    def module(self, data: TrainingSet) -> CrystalNetLearning:
        """Return an untrained network; see `TrainableModel.module`.

        Raises InputError when `data` hold nothing of the crystal systems that were asked for, or unknown elements.
        """
        # Lightning need not be installed where nobody trains.
        from xtal_crystalnet.learning import CrystalNetLearning, LossSettings

        options = self.options
        chosen = self._chosen(data)
        network = CrystalNet(network_config(options))
        sample = chosen[:: max(len(chosen) // _SCALING, 1)]
        lattices = np.stack([cell_of(data, int(index)).lattice for index in sample])
        network.lattice_scale.set(torch.from_numpy(lattices))
        variety = Variety(
            options.narrowest,
            options.widest,
            options.tails,
            options.noise,
            options.counting,
            options.shift,
            options.background,
            options.cut,
        )
        settings = LossSettings(
            variety, options.formula_noise, options.ablated, options.kl_weight, options.lattice_weight
        )
        rates = options.learning_rate, options.last_learning_rate
        return CrystalNetLearning(network, settings, rates, options.restart_epochs)

    def batches(
        self, data: TrainingSet, *, training: bool, batch_size: int, seed: int, workers: int
    ) -> DataLoader[Batch]:
        """Return the loader of batches; see `TrainableModel.batches`."""
        options = self.options
        chosen = self._chosen(data).tolist()
        missing = len(self._of_systems(data)) - len(chosen)
        if missing:
            purpose = "training" if training else "validation"
            problem = f"{missing} crystals for {purpose} are left out: they have no density in {options.densities}"
            logging.getLogger(__name__).warning(problem)
        return DataLoader(
            chosen,
            batch_size=min(batch_size, len(chosen)),
            shuffle=training,
            # Networks normalise over a batch, which takes two crystals at least.
            drop_last=training,
            collate_fn=Collate(
                data,
                options.n_species,
                options.strata,
                options.near_atoms,
                None if training else _VALIDATION_SEED,
                self.densities,
            ),
            num_workers=workers,
            persistent_workers=workers > 0,
            generator=torch.Generator().manual_seed(seed),
        )

    def tensors(self, module: CrystalNetLearning) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Return what makes the weights file."""
        densities = INDEPENDENT_ATOMS if self.densities is None else OF_FILES
        return saved_state(module.network, self.options.narrowest, self.systems, densities)

    def _chosen(self, data: TrainingSet) -> IntArray:
        """Return the indices of the crystals of `data` that are of the systems asked for, and have a density.

        Raises InputError when there are none, or they hold elements without a density.
        """
        chosen = self._of_systems(data)
        if self.densities is None:
            check_tabulated(data.atomic_numbers)
            return chosen
        known = [index for index in chosen if self.densities.path(data.names[index]) is not None]
        if not known:
            remedy = f"name files after crystals, such as CHGCAR_{data.names[chosen[0]]}"
            raise InputError("holds no density of a crystal of the set", remedy, self.densities.folder)
        return np.array(known)

    def _of_systems(self, data: TrainingSet) -> IntArray:
        """Return the indices of the crystals of `data` of the systems asked for. Raises InputError for none."""
        chosen = np.flatnonzero(np.isin([which_system(int(number)) for number in data.space_group], self.systems))
        if not len(chosen):
            problem = f"no crystal of the set is {' or '.join(self.systems)}"
            raise InputError(problem, "give another set, or --set crystalnet.systems=…")
        return chosen


def network_config(options: TrainingOptions) -> CrystalNetConfig:
    """Return the settings of the networks that `options` ask for."""
    return CrystalNetConfig(
        n_species=options.n_species,
        latent=options.latent,
        growth=options.growth,
        dense_layers=options.dense_layers,
        formula_width=options.formula_width,
        width=options.width,
        blocks=options.blocks,
        n_frequencies=options.n_frequencies,
        frequency_sigma=options.frequency_sigma,
        periodic=options.periodic,
        norm=options.norm,
        square_root=options.square_root,
        density_scale=options.density_scale,
        lattice_head=options.lattice_head,
    )
