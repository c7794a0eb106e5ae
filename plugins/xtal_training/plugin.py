"""Manifest of the commands that prepare data and train models."""

from __future__ import annotations

from xtal_core.hookspecs import PluginRecord, hookimpl


@hookimpl
def xtal_commands() -> list[PluginRecord]:
    """Return the commands `data` and `train`."""
    return [
        PluginRecord("data", "build training sets, fetch public structures", "xtal_training.data_commands:app", 1),
        PluginRecord("train", "train a model on a training set", "xtal_training.train_command:app", 1),
    ]
