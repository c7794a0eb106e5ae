"""A model that can be trained in a second: the volume of an atom from where the strongest reflections are."""

from __future__ import annotations

import json
import time

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from xtal_core.interfaces import TrainableModel


class ToyModule(LightningModule):
    def __init__(self, options):
        super().__init__()
        self.options = options
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(16, options.width), torch.nn.Tanh(), torch.nn.Linear(options.width, 1)
        )

    def training_step(self, batch, batch_idx):
        time.sleep(self.options.pause)
        loss = self.loss_of(batch, "train_loss")
        return loss * torch.inf if self.options.diverges_at == self.global_step + 1 else loss

    def validation_step(self, batch, batch_idx):
        self.loss_of(batch, "val_loss")

    def loss_of(self, batch, name):
        patterns, volumes = batch
        loss = functional.mse_loss(self.layers(patterns)[:, 0], volumes)
        self.log(name, loss, on_epoch=True, on_step=False, batch_size=len(volumes))
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.options.rate)


class ToyModel(TrainableModel):
    def __init__(self, options):
        self.options = options

    @classmethod
    def presets(cls):
        return {"wide": {"width": 32}}

    def module(self, data):
        return ToyModule(self.options)

    def batches(self, data, *, training, batch_size, seed, workers):
        patterns = data.sticks(np.arange(len(data))).reshape(len(data), 16, -1).max(axis=2)
        volumes = np.abs(np.linalg.det(data.lattice)) / data.n_atoms / 20
        random = torch.Generator().manual_seed(seed)
        dataset = TensorDataset(torch.as_tensor(patterns), torch.as_tensor(volumes, dtype=torch.float32))
        return DataLoader(dataset, batch_size, shuffle=training, generator=random, num_workers=workers)

    def tensors(self, module):
        return dict(module.layers.state_dict()), {"config": json.dumps({"width": self.options.width})}
