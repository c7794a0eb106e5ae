"""`xtal train`: trains a model that a plugin offers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from xtal_core.registry import Registry

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model to train (xtal plugins lists them).")],
    data: Annotated[
        list[Path], typer.Option("--data", metavar="FILE", help="Training set of xtal data build; may be repeated.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the run; one that is there is resumed.")],
    validation: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Training set to validate with; may be repeated.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Named settings of the model's options.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME.OPTION=VALUE", help="An option of the model.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data, in all.")] = 100,
    minutes: Annotated[float | None, typer.Option(min=0, help="Stop after this time; repeat to go on.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Crystals in a step, on each device.")] = 64,
    gradient_clip: Annotated[float, typer.Option(min=0, help="Largest norm of the gradient; 0: any.")] = 0.5,
    average_decay: Annotated[float, typer.Option(min=0, max=1, help="Of the moving average of the weights.")] = 0.999,
    seed: Annotated[int, typer.Option(min=0, help="Where randomness starts.")] = 0,
    devices: Annotated[str, typer.Option(help="Number of processors or GPUs, or auto.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="32-true, bf16-mixed, 16-mixed, or auto: bf16-mixed where a GPU can.")
    ] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that make batches.")] = 0,
    checkpoint_minutes: Annotated[float, typer.Option(min=0, help="Between checkpoints within an epoch.")] = 5.0,
    start_from: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights to start from, of the same options.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Train a model, or go on with a run that was stopped, interrupted or killed.

    The folder of the run holds the checkpoint (last.ckpt), the losses (logs/), and, whenever training ends,
    NAME.safetensors with the moving average of the weights and the draft of its model card. Ctrl-C stops after the
    current step.
    """
    from dataclasses import asdict

    from xtal_core.options import parse_settings
    from xtal_core.provenance import sha256
    from xtal_core.registry import installed_registry
    from xtal_core.training_set import TrainingSet

    registry = installed_registry()
    registry.offer("model", name)
    _check(name, devices, precision, given := parse_settings(settings or []))
    chosen = {**_preset(registry, name, preset), **given.get(name, {})}
    options, model = registry.options("model", name, chosen), registry.create("model", name, chosen)
    training_set = TrainingSet.join([TrainingSet.load(path) for path in data])
    validation_set = TrainingSet.join([TrainingSet.load(path) for path in validation]) if validation else None

    from xtal_training.training_run import TrainingRequest
    from xtal_training.training_run import train as train_model

    request = TrainingRequest(
        name=name,
        options={} if options is None else asdict(options),
        data={path.name: sha256(path) for path in data},
        validation={path.name: sha256(path) for path in validation or ()},
        batch_size=batch_size,
        seed=seed,
        gradient_clip=gradient_clip,
        average_decay=average_decay,
        folder=out,
        epochs=epochs,
        minutes=minutes,
        devices=devices,
        precision=precision,
        workers=workers,
        checkpoint_seconds=60 * checkpoint_minutes,
        start_from=start_from,
    )
    outcome = train_model(model, training_set, validation_set, request, quiet)
    if outcome.first_process and not quiet:
        losses = "".join(f", {loss} {value:.4g}" for loss, value in sorted(outcome.losses.items()))
        typer.echo(
            f"{outcome.weights}: {outcome.epochs} of {epochs} epochs, {outcome.seconds / 3600:.2f} hours{losses}"
        )
    if outcome.interrupted:
        raise KeyboardInterrupt


def _check(name: str, devices: str, precision: str, settings: dict[str, dict[str, str]]) -> None:
    """Raise what is wrong with a command before anything is loaded."""
    from xtal_core.errors import OptionError, XtalError

    if find_spec("lightning") is None:
        raise XtalError('training needs PyTorch Lightning, which is not installed: pip install "xtal-solve[train]"')
    if devices != "auto" and not (devices.isdigit() and int(devices)):
        raise OptionError(f"--devices is '{devices}'", "give a number or auto")
    if precision not in PRECISIONS:
        raise OptionError(f"--precision is '{precision}'", f"choose from {', '.join(PRECISIONS)}")
    strangers = settings.keys() - {name}
    if strangers:
        raise OptionError(f"--set {min(strangers)}.… is not about {name}", f"give {name}.OPTION=VALUE")


def _preset(registry: Registry, name: str, preset: str | None) -> dict[str, Any]:
    """Return the settings of a preset of a model; none when no preset is wanted."""
    from xtal_core.errors import OptionError, PluginError, fault_of
    from xtal_core.interfaces import TrainableModel
    from xtal_core.suggest import suggest

    if preset is None:
        return {}
    factory = registry.resolve("model", name)
    if not (isinstance(factory, type) and issubclass(factory, TrainableModel)):
        raise PluginError(name, "its factory is not a subclass of TrainableModel")
    with fault_of(name):
        presets = factory.presets()
    if preset not in presets:
        raise OptionError(f"{name} has no preset '{preset}'", suggest(preset, presets, "its presets are"))
    return dict(presets[preset])
