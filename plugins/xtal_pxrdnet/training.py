"""PXRDNet as `xtal train` trains it: networks from options, batches of crystals and sticks, what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from xtal_cdvae.model.config import CDVAEConfig, LossWeights
from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_core.errors import InputError, OptionError
from xtal_core.interfaces import TrainableModel
from xtal_core.training_set import TrainingSet
from xtal_pxrdnet.broadening import Variety
from xtal_pxrdnet.model.pxrdnet import PXRDNet, PXRDNetConfig
from xtal_pxrdnet.plugin import TrainingOptions
from xtal_pxrdnet.saved_model import saved_state

if TYPE_CHECKING:
    from xtal_pxrdnet.learning import PXRDNetLearning

#: Small enough for two processor cores; one model for crystallites of all sizes.
FAST: Mapping[str, Any] = {
    "encoder_width": 64,
    "encoder_blocks": 2,
    "encoder_inner": 32,
    "encoder_spherical": 4,
    "encoder_cutoff": 6.0,
    "encoder_neighbours": 8,
    "denoiser": "cspnet",
    "denoiser_layers": 4,
    "coordinate_target": "wrapped",
    "largest_noise": 3.0,
    "perturbed_species": 0.0,
    "largest_size": 100.0,
    "background": 0.05,
    "cut": True,
    "amortised": True,
    "amortised_share": 0.5,
    "flow_width": 384,
    "learning_rate": 1e-3,
    "restart_epochs": 20,
}


class PXRDNetModel(TrainableModel):
    """PXRDNet, to be trained."""

    def __init__(self, options: TrainingOptions) -> None:
        if options.smallest_size > options.largest_size:
            raise OptionError("pxrdnet.smallest_size exceeds pxrdnet.largest_size", "exchange them")
        self.options = options

    @classmethod
    def presets(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return the settings of the paper, which are the defaults, and those for a machine without a GPU."""
        return {"paper": {}, "fast": FAST}

    def module(self, data: TrainingSet) -> PXRDNetLearning:
        """Return an untrained network; see `TrainableModel.module`.

        Raises InputError when `data` hold crystals that it has no words for.
        """
        # Lightning need not be installed where nobody trains.
        from xtal_pxrdnet.learning import PXRDNetLearning

        options = self.options
        cdvae = cdvae_config(options)
        if (most := int(data.n_atoms.max())) > cdvae.max_atoms:
            problem = f"the training set holds crystals of {most} atoms, the model {cdvae.max_atoms}"
            raise InputError(problem, f"leave them out, or give --set pxrdnet.max_atoms={most}")
        if (heaviest := int(data.atomic_numbers.max())) > cdvae.n_species:
            problem = f"the training set holds the element {heaviest}, the model knows {cdvae.n_species}"
            raise InputError(problem, "leave its crystals out")
        network = PXRDNet(cdvae, pxrdnet_config(options))
        network.cdvae.normalise_lattices(torch.from_numpy(data.lattice), torch.from_numpy(data.n_atoms).long())
        rates = options.learning_rate, options.last_learning_rate
        return PXRDNetLearning(network, rates, options.restart_epochs)

    def batches(
        self, data: TrainingSet, *, training: bool, batch_size: int, seed: int, workers: int
    ) -> DataLoader[tuple[CrystalBatch, Tensor]]:
        """Return the loader of (crystals, sticks); see `TrainableModel.batches`."""
        return DataLoader(
            range(len(data)),  # type: ignore[arg-type]
            batch_size=min(batch_size, len(data)),
            shuffle=training,
            # The regressor normalises over a batch, which takes two crystals at least.
            drop_last=training,
            collate_fn=_Collate(data),
            num_workers=workers,
            persistent_workers=workers > 0,
            generator=torch.Generator().manual_seed(seed),
        )

    def tensors(self, module: PXRDNetLearning) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Return what makes the weights file."""
        return saved_state(module.network)


class _Collate:
    """Makes a batch of the crystals with certain indices; a class, so that worker processes can be sent it."""

    def __init__(self, data: TrainingSet) -> None:
        self.data = data

    def __call__(self, indices: Sequence[int]) -> tuple[CrystalBatch, Tensor]:
        return CrystalBatch.from_training_set(self.data, indices), torch.from_numpy(self.data.sticks(indices))


def cdvae_config(options: TrainingOptions) -> CDVAEConfig:
    """Return the settings of CDVAE that `options` ask for."""
    weights = LossWeights(coordinates=options.coordinates_weight, lattice=options.lattice_weight, kl=options.kl_weight)
    return CDVAEConfig(
        latent=options.latent,
        max_atoms=options.max_atoms,
        head_width=options.head_width,
        encoder_width=options.encoder_width,
        encoder_blocks=options.encoder_blocks,
        encoder_inner=options.encoder_inner,
        encoder_spherical=options.encoder_spherical,
        encoder_cutoff=options.encoder_cutoff,
        encoder_neighbours=options.encoder_neighbours,
        denoiser=options.denoiser,
        denoiser_width=options.denoiser_width,
        denoiser_layers=options.denoiser_layers,
        denoiser_cutoff=options.denoiser_cutoff,
        denoiser_neighbours=options.denoiser_neighbours,
        coordinate_target=options.coordinate_target,
        sigma_coords=(options.largest_noise, options.smallest_noise),
        perturbed_species=options.perturbed_species,
        weights=weights,
    )


def pxrdnet_config(options: TrainingOptions) -> PXRDNetConfig:
    """Return the settings of what PXRDNet adds to CDVAE that `options` ask for."""
    return PXRDNetConfig(
        variety=Variety(options.smallest_size, options.largest_size, options.noise, options.background, options.cut),
        pattern_weight=options.pattern_weight,
        amortised=options.amortised,
        amortised_share=options.amortised_share,
        encoder_channels=options.encoder_channels,
        features=options.features,
        flow_width=options.flow_width,
        flow_blocks=options.flow_blocks,
    )
