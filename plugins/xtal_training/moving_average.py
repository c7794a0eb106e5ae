"""The exponential moving average of a model's weights, which generalises better than the weights themselves.

Polyak and Juditsky, SIAM J. Control Optim. 30, 838 (1992), in the form that is usual for diffusion models.
"""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class MovingAverage(Callback):
    """Averages all floating-point tensors of the module after every step, and validates with the average.

    Parameters
    ----------
    decay
        What an average keeps of itself in a step; less in the first steps, (1 + n)/(10 + n), when it would otherwise
        remember how the weights were initialised.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: dict[str, torch.Tensor] = {}
        self.n_steps = 0
        self._set_aside: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Begin with the weights as they are, or bring a restored average to where they are."""
        tensors = _averaged_tensors(pl_module)
        if not self.average:
            self.average = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        self.average = {name: tensor.to(tensors[name].device) for name, tensor in self.average.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Move the average towards the weights, once a step of the optimiser."""
        if trainer.global_step == self.n_steps:
            return
        self.n_steps = trainer.global_step
        weight = 1 - min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        for name, tensor in _averaged_tensors(pl_module).items():
            self.average[name].lerp_(tensor.detach(), weight)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Validate with the average: it is what will be used."""
        self._set_aside = {name: tensor.detach().clone() for name, tensor in _averaged_tensors(pl_module).items()}
        _write(pl_module, self.average)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Go on with the weights themselves."""
        _write(pl_module, self._set_aside)
        self._set_aside = {}

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"average": self.average, "n_steps": self.n_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what a checkpoint kept."""
        self.average, self.n_steps = state_dict["average"], state_dict["n_steps"]

    def is_finite(self) -> bool:
        """Return whether all of the average is finite; once it is not, it never will be again."""
        return all(bool(torch.isfinite(tensor).all()) for tensor in self.average.values())

    def apply(self, module: LightningModule) -> None:
        """Replace the weights of `module` by their average."""
        _write(module, self.average)


def _averaged_tensors(module: LightningModule) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in module.state_dict().items() if tensor.is_floating_point()}


@torch.no_grad()
def _write(module: LightningModule, values: dict[str, torch.Tensor]) -> None:
    for name, tensor in _averaged_tensors(module).items():
        tensor.copy_(values[name])
