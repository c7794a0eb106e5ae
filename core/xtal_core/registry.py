"""Which plugins are installed, what they offer, and why some cannot be used.

Entry points are loaded and hooks called one by one, so that a plugin that cannot be imported, raises, repeats a name
or speaks another interface version is listed with its reason and harms nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy

from xtal_core import hookspecs
from xtal_core.cli import BUILT_IN_COMMANDS
from xtal_core.errors import OptionError, PluginError, XtalError
from xtal_core.hookspecs import GROUP, PluginRecord
from xtal_core.options import build_options
from xtal_core.suggest import suggest

#: Repeated from `interfaces`, which would import numpy; a test keeps the two equal.
INTERFACE_VERSION = 1

Kind = Literal["simulator", "generator", "refiner", "metric", "command"]
KINDS: tuple[Kind, ...] = ("simulator", "generator", "refiner", "metric", "command")


@dataclass(frozen=True)
class Offer:
    """A usable record, and where it came from."""

    kind: Kind
    record: PluginRecord
    entry_point: str
    distribution: str
    version: str


@dataclass(frozen=True)
class Failure:
    """A plugin, or one of its records, that cannot be used, and why."""

    entry_point: str
    distribution: str
    reason: str


@dataclass(frozen=True)
class Registry:
    """Everything installed plugins offer."""

    offers: Mapping[Kind, Mapping[str, Offer]]
    failures: tuple[Failure, ...] = field(default=())

    def names(self, kind: Kind) -> list[str]:
        """Return the names of everything of `kind`."""
        return sorted(self.offers[kind])

    def offer(self, kind: Kind, name: str) -> Offer:
        """Return what is offered as `name`. Raises OptionError, with the nearest name, when nothing is."""
        try:
            return self.offers[kind][name]
        except KeyError:
            hint = suggest(name, self.offers[kind], f"installed {kind}s are")
            broken = f" ({len(self.failures)} plugin(s) failed to load: see xtal plugins)" if self.failures else ""
            raise OptionError(f"there is no {kind} '{name}'", hint + broken) from None

    def resolve(self, kind: Kind, name: str) -> Any:
        """Import and return the object that the factory text of `name` names. Raises PluginError."""
        offer = self.offer(kind, name)
        module_name, _, attribute = offer.record.factory.partition(":")
        try:
            return getattr(importlib.import_module(module_name), attribute)
        except Exception as error:
            reason = f"{offer.record.factory} cannot be imported: {type(error).__name__}: {error}"
            raise PluginError(name, reason) from error

    def options(self, kind: Kind, name: str, settings: Mapping[str, Any] | None = None) -> Any | None:
        """Return the options of `name` with `settings` applied, None when it has none. Raises OptionError."""
        options_class = self.offer(kind, name).record.options
        if options_class is not None:
            return build_options(name, options_class, settings or {})
        if settings:
            raise OptionError(f"{name} has no options", "remove --set for it")
        return None

    def create(self, kind: Kind, name: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Return the simulator, generator, refiner or metric called `name`, with `settings` as its options.

        Raises OptionError for bad settings and PluginError when the plugin's own code fails.
        """
        options = self.options(kind, name, settings)
        factory = self.resolve(kind, name)
        try:
            created = factory() if options is None else factory(options)
        except Exception as error:
            if isinstance(error, XtalError):
                raise
            raise PluginError(name, f"could not be created: {type(error).__name__}: {error}") from error
        _check_interface(kind, name, created)
        return created


def load_registry(points: Iterable[EntryPoint]) -> Registry:
    """Return what the plugins at `points` offer, each isolated from the others' failures."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    offers: dict[Kind, dict[str, Offer]] = {kind: {} for kind in KINDS}
    failures: list[Failure] = []
    for point in sorted(points, key=lambda p: (_distribution(p)[0] != "xtal-solve", p.name, p.value)):
        distribution, version = _distribution(point)

        def fail(reason: str, point: EntryPoint = point, distribution: str = distribution) -> None:
            failures.append(Failure(point.name, distribution, " ".join(reason.split())))

        try:
            module = point.load()
        except Exception as error:
            fail(f"cannot be imported: {type(error).__name__}: {error}")
            continue
        try:
            manager.register(module, name=f"{distribution}:{point.name}")
            manager.check_pending()
        except Exception as error:
            fail(f"is not a plugin module: {type(error).__name__}: {error}")
            manager.unregister(name=f"{distribution}:{point.name}")
            continue
        implementations = 0
        for kind in KINDS:
            for implementation in getattr(manager.hook, f"xtal_{kind}s").get_hookimpls():
                if implementation.plugin is not module:
                    continue
                implementations += 1
                try:
                    records = list(implementation.function())
                except Exception as error:
                    fail(f"xtal_{kind}s raised {type(error).__name__}: {error}")
                    continue
                for record in records:
                    reason = _reason_against(kind, record, offers[kind])
                    if reason:
                        fail(reason)
                    else:
                        offers[kind][record.name] = Offer(kind, record, point.name, distribution, version)
        if not implementations:
            fail("implements no hook of xtal; mark functions such as xtal_metrics with hookimpl")
    return Registry(offers, tuple(failures))


@lru_cache(maxsize=1)
def installed_registry() -> Registry:
    """Return the registry of this Python environment."""
    return load_registry(entry_points(group=GROUP))


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist is not None else ("unknown", "")


def _check_interface(kind: Kind, name: str, created: Any) -> None:
    """Raise PluginError unless `created` implements the interface of its kind."""
    from xtal_core import interfaces

    required = {
        "simulator": interfaces.Simulator,
        "generator": interfaces.Generator,
        "refiner": interfaces.Refiner,
        "metric": interfaces.SimilarityMetric,
    }[kind]
    if not isinstance(created, required):
        raise PluginError(name, f"its factory made a {type(created).__name__}, which is not a {required.__name__}")


def _reason_against(kind: Kind, record: Any, taken: Mapping[str, Offer]) -> str:
    """Return why `record` cannot be used, or nothing."""
    if not isinstance(record, PluginRecord):
        return f"offers {type(record).__name__} instead of a PluginRecord"
    if record.interface != INTERFACE_VERSION:
        return (
            f"'{record.name}' speaks interface version {record.interface}, this xtal speaks {INTERFACE_VERSION}; "
            "install a matching release of the plugin"
        )
    if ":" not in record.factory:
        return f"'{record.name}' has the factory '{record.factory}', which is not of the form module:callable"
    if kind == "command" and record.name in BUILT_IN_COMMANDS:
        return f"'{record.name}' is a command of xtal itself; rename it"
    if record.name in taken:
        owner = taken[record.name].distribution
        return f"'{record.name}' is already offered by {owner}; rename one of the two"
    return ""
