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
def xtal_commands() -> list[PluginRecord]:  # type: ignore[empty-body]
    """Return subcommands of `xtal` (Typer applications)."""
