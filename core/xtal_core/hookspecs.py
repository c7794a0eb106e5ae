"""What a plugin can offer: one hook a kind, each returning typed records.

A plugin is a module named by an entry point of the group `xtal`. It marks functions with `hookimpl`, e.g.

    @hookimpl
    def xtal_metrics():
        return [PluginRecord("my-metric", "What it measures", "my_package.metric:MyMetric", interface=1)]

The module must be light: everything heavy belongs in the module that the factory text names, which is imported on use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pluggy

GROUP = "xtal"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@dataclass(frozen=True)
class PluginRecord:
    """One thing a plugin offers.

    Attributes
    ----------
    name
        Hyphenated, unique among its kind; what users type.
    summary
        One line for lists and help.
    factory
        "module:callable". Called with the options as its only argument, or without when `options` is None;
        a command's factory is a Typer application instead.
    interface
        The `INTERFACE_VERSION` it was written for.
    options
        A frozen dataclass whose fields are made by `xtal_core.options.option`.
    """

    name: str
    summary: str
    factory: str
    interface: int
    options: type[Any] | None = None


@dataclass(frozen=True)
class WeightsRecord:
    """Weights of a model that a plugin ships, or says where to get.

    Attributes
    ----------
    name
        Hyphenated, unique among weights; what users type.
    model
        What they are weights of: the name of the model that training wrote into the file.
    file
        "package/folder/name.safetensors" of an installed package, or the URL from which `xtal weights fetch` gets it.
    sha256
        Of the file, in hexadecimal digits: nothing else is ever loaded under this name.
    bytes
        Its size.
    card
        The model card: a file as above, or a URL.
    """

    name: str
    model: str
    file: str
    sha256: str
    bytes: int
    card: str

    @property
    def is_remote(self) -> bool:
        """Whether the file is not part of a package, but to be fetched."""
        return "://" in self.file


@hookspec
def xtal_simulators() -> list[PluginRecord]:  # type: ignore[empty-body]
    """Return simulators (`xtal_core.interfaces.Simulator`)."""


@hookspec
def xtal_generators() -> list[PluginRecord]:  # type: ignore[empty-body]
    """Return generators (`xtal_core.interfaces.Generator`)."""


@hookspec
def xtal_refiners() -> list[PluginRecord]:  # type: ignore[empty-body]
    """Return refiners (`xtal_core.interfaces.Refiner`)."""


@hookspec
def xtal_metrics() -> list[PluginRecord]:  # type: ignore[empty-body]
    """Return similarity metrics (`xtal_core.interfaces.SimilarityMetric`)."""


@hookspec
def xtal_models() -> list[PluginRecord]:  # type: ignore[empty-body]
    """Return models that can be trained (`xtal_core.interfaces.TrainableModel`)."""


@hookspec
def xtal_weights() -> list[WeightsRecord]:  # type: ignore[empty-body]
    """Return weights that are shipped or can be fetched."""


@hookspec
def xtal_commands() -> list[PluginRecord]:  # type: ignore[empty-body]
    """Return subcommands of `xtal` (Typer applications)."""
