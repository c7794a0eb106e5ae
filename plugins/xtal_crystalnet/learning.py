"""One step of CrystalNet's training, its optimiser and schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.functional import smooth_l1_loss
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from xtal_crystalnet.batches import Batch
from xtal_crystalnet.model.crystalnet import CrystalNet
from xtal_crystalnet.patterns import Variety

#: A seed of validation, whose noise is the same in every epoch: losses can be compared.
_VALIDATION_SEED = 43

#: Each kind of ablation of a formula (Table 2): no ratios, one element dropped as well, nothing.
_N_ABLATIONS = 3


@dataclass(frozen=True)
class LossSettings:
    """How a model is trained.

    Attributes
    ----------
    variety
        Of the patterns.
    formula_noise
        Standard deviation of what is added to the composition.
    ablated
        Share of the crystals whose formula is not told in full, in one of the ways of Table 2.
    kl_weight
        β of equation 7.
    lattice_weight
        Of the loss of the lattice head.
    """

    variety: Variety
    formula_noise: float
    ablated: float
    kl_weight: float
    lattice_weight: float


class CrystalNetLearning(LightningModule):
    """Training of all networks (Guo et al. 2023, "Training Process").

    Adam's learning rate falls along a cosine from the first to the second of `learning_rates` over `restart_epochs`,
    and begins again with twice the period.
    """

    def __init__(
        self, network: CrystalNet, settings: LossSettings, learning_rates: tuple[float, float], restart_epochs: int
    ) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.learning_rates = learning_rates
        self.restart_epochs = restart_epochs

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch."""
        return self._loss(batch, "train")

    def validation_step(self, batch: Batch, index: int) -> None:
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

    def _loss(self, batch: Batch, stage: str) -> Tensor:
        network, settings = self.network, self.settings
        composition = batch.composition
        if settings.ablated and stage == "train":
            composition = ablated(composition, settings.ablated)
        composition = (composition + settings.formula_noise * torch.randn_like(composition)).clamp(min=0)
        with torch.autocast(self.device.type, enabled=False):
            patterns = settings.variety.patterns(batch.sticks)
        told = network.embeddings(patterns, composition)
        embedding = torch.cat([each.sample() for each in told], 1)
        predicted = network(network.conditions(embedding), batch.points)
        losses = {
            "density": (batch.weights * (predicted - network.encoded(batch.density)).abs()).mean(),
            "kl": sum((each.kl() for each in told), torch.zeros((), device=self.device)),
        }
        total = losses["density"] + settings.kl_weight * losses["kl"]
        if network.lattice is not None:
            metrics = network.lattice_scale.scaled(batch.lattice)
            losses["lattice"] = smooth_l1_loss(network.lattice_metrics(*told), metrics, beta=0.1)
            total = total + settings.lattice_weight * losses["lattice"]
        named = {f"{stage}_{name}": value for name, value in losses.items()} | {f"{stage}_loss": total}
        training = stage == "train"
        n = len(batch.sticks)
        self.log_dict(named, on_step=training, on_epoch=not training, batch_size=n, sync_dist=not training)
        return total


def ablated(composition: Tensor, share: float) -> Tensor:
    """Return the `composition` (n, n_species), of a random `share` of rows only a part (Table 2)."""
    n = len(composition)
    kind = torch.randint(_N_ABLATIONS, (n,), device=composition.device)
    kind[torch.rand(n, device=composition.device) >= share] = _N_ABLATIONS
    return without_ratios(composition, kind)


def without_ratios(composition: Tensor, kind: Tensor) -> Tensor:
    """Return `composition` (n, n_species) with less in it where `kind` (n,) says so.

    0: 1 for each element; 1: one element at random dropped, too, unless it is the only one; 2: nothing; else: as it is.
    """
    present = (composition > 0).float()
    # Of the elements the one with the largest random number is dropped.
    lot = torch.rand_like(composition) * present
    dropped = torch.where((lot == lot.amax(1, keepdim=True)) & (present.sum(1, keepdim=True) > 1), 0.0, present)
    kind = kind[:, None]
    result = torch.where(kind == 0, present, composition)
    result = torch.where(kind == 1, dropped, result)
    return torch.where(kind == 2, 0.0, result)
