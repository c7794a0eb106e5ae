"""What training leaves for others: a weights file without code, and the draft of its model card."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save

import xtal_core
from xtal_core.errors import InputError, PluginError, fault_of
from xtal_core.interfaces import TrainableModel
from xtal_core.provenance import sha256
from xtal_core.weights import MODEL, find_weights

if TYPE_CHECKING:
    from xtal_training.training_run import TrainingOutcome, TrainingRequest


def load_weights(path: Path, model: TrainableModel, module: Any, name: str) -> None:
    """Write the weights in a file into `module`.

    Raises
    ------
    InputError
        When they are of another model, or of one of other sizes.
    PluginError
        When the model returns copies of its tensors instead of the tensors.
    """
    stored = load_file(find_weights(path, name).path)
    tensors = _tensors(model, module, name)[0]
    wrong = sorted(stored.keys() ^ tensors.keys()) + sorted(
        key for key in stored.keys() & tensors.keys() if stored[key].shape != tensors[key].shape
    )
    if wrong:
        problem = f"the weights are of a model of other sizes: {len(wrong)} tensors differ, {wrong[0]} among them"
        raise InputError(problem, "give the options that these weights were trained with", path)
    with torch.no_grad():
        for key, tensor in tensors.items():
            tensor.copy_(stored[key])
    written = _tensors(model, module, name)[0]
    if not all(torch.equal(written[key], stored[key].to(written[key].dtype)) for key in stored):
        raise PluginError(name, "tensors() returns copies, which cannot be written into")


def export_weights(model: TrainableModel, module: Any, request: TrainingRequest, outcome: TrainingOutcome) -> None:
    """Write the weights of `module`, completely or not at all, and the draft of a model card beside them."""
    tensors, metadata = _tensors(model, module, request.name)
    # Tensors that share memory cannot be stored.
    plain = {key: tensor.detach().cpu().clone().contiguous() for key, tensor in tensors.items()}
    facts = {
        MODEL: request.name,
        "xtal": xtal_core.__version__,
        "seed": str(request.seed),
        "epochs": str(outcome.epochs),
        "steps": str(outcome.steps),
        "data": " ".join(request.data.values()),
    }
    draft = outcome.weights.with_name(f".{outcome.weights.name}.part")
    draft.write_bytes(save(plain, metadata | facts))
    draft.replace(outcome.weights)
    card = outcome.weights.with_suffix(".md")
    draft = card.with_name(f".{card.name}.part")
    draft.write_text(_card(request, outcome, sum(tensor.numel() for tensor in plain.values())), encoding="utf-8")
    draft.replace(card)


def _tensors(model: TrainableModel, module: Any, name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with fault_of(name):
        return model.tensors(module)


def _card(request: TrainingRequest, outcome: TrainingOutcome, n_parameters: int) -> str:
    """Return the facts about a training as a page, to which its author adds what the weights are good for."""
    losses = ", ".join(f"{name} {value:.4g}" for name, value in sorted(outcome.losses.items())) or "none logged"
    end = "finished" if outcome.finished else f"stopped before the {request.epochs} epochs that were asked for"
    rows = {
        "file": f"`{outcome.weights.name}`, {outcome.weights.stat().st_size} bytes, {n_parameters} parameters",
        "SHA-256": f"`{sha256(outcome.weights)}`",
        "weights": f"exponential moving average (decay {request.average_decay:g})",
        "training": f"{outcome.epochs} epochs, {outcome.steps} steps of {request.batch_size} crystals, {end}",
        "time": f"{outcome.seconds / 3600:.2f} hours on {_device()}",
        "last losses": losses,
        "seed": str(request.seed),
        "command": f"`{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}`",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("xtal-solve", "torch", "lightning")),
        "date": datetime.now(UTC).date().isoformat(),
    }
    if request.start_from is not None:
        rows["started from"] = f"`{request.start_from.name}`, SHA-256 `{sha256(request.start_from)}`"
    data = {"training": request.data, "validation": request.validation}
    lines = [f"# Weights of {request.name}", "", "| what | value |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in rows.items()]
    lines += ["", "## Data", "", "| use | file | SHA-256 |", "| --- | --- | --- |"]
    lines += [
        f"| {use} | `{Path(file).name}` | `{digest}` |" for use, files in data.items() for file, digest in files.items()
    ]
    lines += ["", "## Options", "", "| option | value |", "| --- | --- |"]
    lines += [f"| `{name}` | `{value}` |" for name, value in request.options.items()]
    return "\n".join(lines) + "\n"


def _device() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} processor threads"
