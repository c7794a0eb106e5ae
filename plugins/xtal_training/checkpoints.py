"""When training stops, and what it leaves: a checkpoint from which it goes on as if it had not stopped."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from xtal_core.errors import XtalError
from xtal_training.moving_average import MovingAverage

CHECKPOINT = "last.ckpt"


class StopRequest:
    """Whether training is to stop: the time is over, or the user pressed Ctrl-C.

    Parameters
    ----------
    minutes
        From now on; None for no limit.
    """

    def __init__(self, minutes: float | None) -> None:
        self._until = None if minutes is None else time.monotonic() + 60 * minutes
        self.interrupted = False

    def __bool__(self) -> bool:
        return self.interrupted or (self._until is not None and time.monotonic() >= self._until)

    @contextmanager
    def heeding_interrupts(self) -> Iterator[None]:
        """Let the first Ctrl-C ask for a stop after the current step; a second one breaks off at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(*_: object) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, signal.default_int_handler)

        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


class Checkpoints(Checkpoint):
    """Writes the checkpoint of a run after each epoch, every few minutes, and when training is to stop.

    Parameters
    ----------
    folder
        Of the run.
    interval
        Seconds between checkpoints within an epoch.
    request
        Asked after every step.
    average
        The average that is part of the checkpoint.
    """

    def __init__(self, folder: Path, interval: float, request: StopRequest, average: MovingAverage) -> None:
        self._path = folder / CHECKPOINT
        self._interval = interval
        self._request = request
        self._average = average
        self._last = self._started = time.monotonic()
        self._seconds_before = 0.0
        #: Whether training stopped within an epoch.
        self.broke_off = False
        self._losses: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Seconds of training that are in the weights, those before the checkpoint that was resumed included."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def losses(self) -> dict[str, float]:
        """The last losses of an epoch."""
        return dict(self._losses)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Stop if that was asked for, and write a checkpoint when it is time."""
        if batch_idx + 1 >= trainer.num_training_batches:
            return  # the end of the epoch follows
        # With several devices all must do the same.
        together = trainer.strategy.reduce_boolean_decision
        if together(bool(self._request), all=False):
            self._write(trainer)
            self.broke_off = trainer.should_stop = True
        elif together(time.monotonic() - self._last > self._interval, all=False):
            self._write(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write a checkpoint, unless the epoch was broken off: it would count as finished."""
        self._losses = {name: float(value) for name, value in trainer.callback_metrics.items() if "loss" in name}
        if self.broke_off:
            return
        self._write(trainer)
        if trainer.strategy.reduce_boolean_decision(bool(self._request), all=False):
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"seconds": self.seconds, "losses": self._losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what a checkpoint kept."""
        self._seconds_before, self._losses = state_dict["seconds"], state_dict["losses"]
        self._started = time.monotonic()

    def _write(self, trainer: Trainer) -> None:
        """Write the checkpoint, completely or not at all. Raises XtalError when training has gone astray."""
        if not self._average.is_finite():
            problem = f"after {trainer.global_step} steps weights are no longer finite"
            raise XtalError(f"{problem}; the last good ones are kept: lower the learning rate or --gradient-clip")
        draft = self._path.with_name(f".{self._path.name}.part")
        trainer.save_checkpoint(draft)
        if trainer.is_global_zero:
            draft.replace(self._path)
        self._last = time.monotonic()
