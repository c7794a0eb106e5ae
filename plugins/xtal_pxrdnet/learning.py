"""One step of PXRDNet's training, its optimiser and schedule."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_pxrdnet.model.pxrdnet import PXRDNet

#: A seed of validation, whose noise is the same in every epoch: losses can be compared.
_VALIDATION_SEED = 41


class PXRDNetLearning(LightningModule):
    """Joint training of all networks (Guo et al. 2025, "Training loop").

    Adam's learning rate falls along a cosine from the first to the second of `learning_rates` over `restart_epochs`,
    and begins again with twice the period.
    """

    def __init__(self, network: PXRDNet, learning_rates: tuple[float, float], restart_epochs: int) -> None:
        super().__init__()
        self.network = network
        self.learning_rates = learning_rates
        self.restart_epochs = restart_epochs

    def training_step(self, batch: tuple[CrystalBatch, Tensor], _: int) -> Tensor:
        """Return the loss of a batch of crystals and their sticks."""
        return self._loss(batch, "train")

    def validation_step(self, batch: tuple[CrystalBatch, Tensor], index: int) -> None:
        """Log the losses of a batch that is not trained with."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(_VALIDATION_SEED + index)
            self._loss(batch, "val")

    def configure_optimizers(self) -> Any:
        """Return the optimiser and its schedule."""
        highest, lowest = self.learning_rates
        optimiser = torch.optim.Adam(self.parameters(), lr=highest)
        schedule = CosineAnnealingWarmRestarts(optimiser, self.restart_epochs, 2, lowest)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}

    def _loss(self, batch: tuple[CrystalBatch, Tensor], stage: str) -> Tensor:
        crystals, sticks = batch
        losses = self.network.losses(crystals, sticks)
        total = self.network.total(losses)
        named = {f"{stage}_{name}": value for name, value in losses.items()} | {f"{stage}_loss": total}
        training = stage == "train"
        self.log_dict(named, on_step=training, on_epoch=not training, batch_size=len(crystals), sync_dist=not training)
        return total
