"""Trains a model with PyTorch Lightning: from the start, or from where an earlier run in the same folder was."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from xtal_core.errors import InputError, PluginError, fault_of
from xtal_core.interfaces import TrainableModel
from xtal_core.training_set import TrainingSet
from xtal_training.checkpoints import CHECKPOINT, Checkpoints, StopRequest
from xtal_training.moving_average import MovingAverage
from xtal_training.weights_export import export_weights, load_weights

SETTINGS = "run.json"

#: Steps between lines of the log.
LOG_EVERY = 10


@dataclass(frozen=True)
class TrainingRequest:
    """What is to be trained, and how.

    Attributes
    ----------
    name
        Of the model.
    options
        All of them, as texts and numbers.
    data, validation
        Files of training sets and their SHA-256.
    batch_size, seed, gradient_clip, average_decay
        Part of what a run is: they stay the same when it is resumed.
    folder
        Of the run.
    epochs, minutes
        When to stop; no limit of time when `minutes` is None.
    devices, precision
        As Lightning takes them; "auto" for all devices, and for bfloat16 where a GPU computes with it.
    workers
        Processes that make batches.
    checkpoint_seconds
        Between checkpoints within an epoch.
    start_from
        Weights to start from; None for random ones.
    """

    name: str
    options: Mapping[str, Any]
    data: Mapping[str, str]
    validation: Mapping[str, str]
    batch_size: int
    seed: int
    gradient_clip: float
    average_decay: float
    folder: Path
    epochs: int
    minutes: float | None
    devices: str
    precision: str
    workers: int
    checkpoint_seconds: float
    start_from: Path | None

    @property
    def settings(self) -> dict[str, Any]:
        """What must be the same when a run is resumed."""
        return {
            "name": self.name,
            "options": dict(self.options),
            "data": list(self.data.values()),
            "validation": list(self.validation.values()),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "gradient_clip": self.gradient_clip,
            "average_decay": self.average_decay,
        }


@dataclass(frozen=True)
class TrainingOutcome:
    """What a run has come to.

    Attributes
    ----------
    weights
        The file of the averaged weights.
    epochs, steps
        Finished, in all sittings.
    seconds
        Of training, in all sittings.
    losses
        The last of an epoch, by their names.
    interrupted
        Whether the user pressed Ctrl-C.
    finished
        Whether all epochs are done.
    first_process
        Whether this is the process that writes files, and speaks to the user; with several devices there are others.
    """

    weights: Path
    epochs: int
    steps: int
    seconds: float
    losses: Mapping[str, float]
    interrupted: bool
    finished: bool
    first_process: bool


def train(
    model: TrainableModel, data: TrainingSet, validation: TrainingSet | None, request: TrainingRequest, quiet: bool
) -> TrainingOutcome:
    """Train `model`, and write the weights it has come to whenever training ends.

    Raises
    ------
    InputError
        When the folder holds the training of something else, or a checkpoint that cannot be read.
    XtalError
        When the weights are no longer finite.
    """
    stop = StopRequest(request.minutes)
    checkpoint = _open_folder(request)
    done = _steps_in(checkpoint) if checkpoint else 0
    _silence(quiet)
    # A resumed run must not see the random numbers of its beginning again.
    seed_everything(request.seed + done, workers=True, verbose=False)
    average = MovingAverage(request.average_decay)
    checkpoints = Checkpoints(request.folder, request.checkpoint_seconds, stop, average)
    with fault_of(request.name):
        module = model.module(data)
        loaders = [model.batches(data, training=True, **_batching(request, done))]
        if validation is not None:
            loaders.append(model.batches(validation, training=False, **_batching(request, 0)))
    if not isinstance(module, LightningModule):
        raise PluginError(request.name, f"its module is a {type(module).__name__}, not a LightningModule")
    if request.start_from is not None and checkpoint is None:
        load_weights(request.start_from, model, module, request.name)
    trainer = _trainer(request, [average, checkpoints], quiet)
    with stop.heeding_interrupts(), fault_of(request.name):
        trainer.fit(module, *loaders, ckpt_path=checkpoint, weights_only=True)
    average.apply(module)
    outcome = TrainingOutcome(
        weights=request.folder / f"{request.name}.safetensors",
        # Lightning counts an epoch that was broken off.
        epochs=trainer.current_epoch - checkpoints.broke_off,
        steps=trainer.global_step,
        seconds=checkpoints.seconds,
        losses=checkpoints.losses,
        interrupted=stop.interrupted,
        finished=trainer.current_epoch - checkpoints.broke_off >= request.epochs,
        first_process=trainer.is_global_zero,
    )
    if outcome.first_process:
        export_weights(model, module, request, outcome)
    return outcome


def _open_folder(request: TrainingRequest) -> Path | None:
    """Make the folder of a run, or return the checkpoint in it. Raises InputError when it is of other settings."""
    folder, file = request.folder, request.folder / SETTINGS
    settings = request.settings
    if file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
        changed = [f"{key} was {old}, is {new}" for key, old, new in _differences(before, settings)]
        if changed:
            raise InputError(
                f"the run in this folder is another: {'; '.join(changed)}",
                "choose another --out, or repeat the command with what was",
                folder,
            )
    else:
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError("the folder holds something other than a training run", "choose another --out", folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot be made ({error.strerror})", "choose another --out", folder) from None
        draft = folder / f".{SETTINGS}.part"
        draft.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(file)
    checkpoint = folder / CHECKPOINT
    return checkpoint if checkpoint.is_file() else None


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (key, old, new) of what differs, options one by one."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [(f"{key}.{inner}", *values) for inner, *values in _differences(old, new)]
        elif old != new:
            found.append((key, old, new))
    return found


def _steps_in(checkpoint: Path) -> int:
    """Return how many steps led to a checkpoint. Raises InputError when it cannot be read."""
    try:
        return torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["global_step"]
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"the checkpoint cannot be read ({reason})", "remove it to start anew", checkpoint) from None


def _batching(request: TrainingRequest, steps: int) -> dict[str, Any]:
    """Return how batches are made after `steps`; a resumed run shuffles otherwise than its beginning."""
    return {"batch_size": request.batch_size, "seed": request.seed + steps, "workers": request.workers}


def _trainer(request: TrainingRequest, callbacks: Sequence[Callback], quiet: bool) -> Trainer:
    shown = not quiet and sys.stdout.isatty()
    n_devices = max(1, torch.cuda.device_count()) if request.devices == "auto" else int(request.devices)
    return Trainer(
        max_epochs=request.epochs,
        accelerator="auto",
        devices=request.devices if request.devices == "auto" else n_devices,
        # A step need not use all of a model: losses may concern some crystals only.
        strategy="ddp_find_unused_parameters_true" if n_devices > 1 else "auto",
        precision=_precision(request.precision),  # type: ignore[arg-type]
        gradient_clip_val=request.gradient_clip,
        callbacks=[*callbacks, RichProgressBar()] if shown else list(callbacks),
        logger=_loggers(request.folder),
        log_every_n_steps=LOG_EVERY,
        enable_progress_bar=shown,
        enable_model_summary=False,
        num_sanity_val_steps=1,
    )


def _precision(wanted: str) -> str:
    """Return the precision as Lightning takes it."""
    if wanted != "auto":
        return wanted
    return "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "32-true"


def _loggers(folder: Path) -> list[Logger]:
    """Return where losses are logged: a folder for each sitting of the run, as logs are never appended to."""
    sittings = [int(path.name.partition("-")[2]) for path in folder.glob("logs/sitting-*")]
    version = f"sitting-{max(sittings, default=0) + 1}"
    loggers: list[Logger] = [CSVLogger(folder, name="logs", version=version, flush_logs_every_n_steps=LOG_EVERY)]
    if find_spec("tensorboard") or find_spec("tensorboardX"):
        loggers.append(TensorBoardLogger(folder, name="logs", version=version))
    return loggers


def _silence(quiet: bool) -> None:
    """Keep Lightning from telling about devices and its own advice, of which nothing is for the user of a command."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR if quiet else logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*resuming from a checkpoint that ended.*",
        ".*have no `val_dataloader`.*",
        ".*number of training batches.*",
        ".*LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", message=message)
