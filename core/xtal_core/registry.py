"""Which plugins are installed, what they offer, and why some cannot be used.

Entry points are loaded and hooks called one by one, so that a plugin that cannot be imported, raises, repeats a name
or speaks another interface version is listed with its reason and harms nothing else.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy

from xtal_core import hookspecs
from xtal_core.cli import BUILT_IN_COMMANDS
from xtal_core.errors import OptionError, PluginError, XtalError
from xtal_core.hookspecs import GROUP, PluginRecord, WeightsRecord
from xtal_core.options import build_options
from xtal_core.suggest import suggest

#: Repeated from `interfaces`, which would import numpy; a test keeps the two equal.
INTERFACE_VERSION = 1

Kind = Literal["simulator", "generator", "refiner", "metric", "model", "command"]
KINDS: tuple[Kind, ...] = ("simulator", "generator", "refiner", "metric", "model", "command")


@dataclass(frozen=True)
class Offer:
    """A usable record, and where it came from."""

    kind: Kind
    record: PluginRecord
    entry_point: str
    distribution: str
    version: str


@dataclass(frozen=True)
class WeightsOffer:
    """Weights that can be used, and where the record of them came from."""

    record: WeightsRecord
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
    weights: Mapping[str, WeightsOffer] = field(default_factory=dict)

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
        """Return the simulator, generator, refiner, metric or model called `name`, with `settings` as its options.

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
    weights: dict[str, WeightsOffer] = {}
    failures: list[Failure] = []
    for point in sorted(points, key=lambda p: (_distribution(p)[0] != "xtal-solve", p.name, p.value)):
        origin = (point.name, *_distribution(point))

        def fail(reason: str, origin: tuple[str, str, str] = origin) -> None:
            failures.append(Failure(origin[0], origin[1], " ".join(reason.split())))

        module = _register(manager, point, fail)
        if module is None:
            continue
        if not _implementations(manager, module):
            fail("implements no hook of xtal; mark functions such as xtal_metrics with hookimpl")
        for kind in KINDS:
            for record in _records(manager, f"xtal_{kind}s", module, fail):
                reason = _reason_against(kind, record, offers[kind])
                if reason:
                    fail(reason)
                else:
                    offers[kind][record.name] = Offer(kind, record, *origin)
        for record in _records(manager, "xtal_weights", module, fail):
            reason = _reason_against_weights(record, weights)
            if reason:
                fail(reason)
            else:
                weights[record.name] = WeightsOffer(record, *origin)
    return Registry(offers, tuple(failures), weights)


def _register(manager: pluggy.PluginManager, point: EntryPoint, fail: Callable[[str], None]) -> Any | None:
    """Load and return the module of a plugin; None, after telling `fail` the reason, when it cannot be used."""
    name = f"{_distribution(point)[0]}:{point.name}"
    try:
        module = point.load()
    except Exception as error:
        fail(f"cannot be imported: {type(error).__name__}: {error}")
        return None
    try:
        manager.register(module, name=name)
        manager.check_pending()
    except Exception as error:
        fail(f"is not a plugin module: {type(error).__name__}: {error}")
        manager.unregister(name=name)
        return None
    return module


def _implementations(manager: pluggy.PluginManager, module: Any, hook: str | None = None) -> list[pluggy.HookImpl]:
    """Return what `module` implements: of one hook, or of all."""
    hooks = [hook] if hook else [*(f"xtal_{kind}s" for kind in KINDS), "xtal_weights"]
    found = [implementation for name in hooks for implementation in getattr(manager.hook, name).get_hookimpls()]
    return [implementation for implementation in found if implementation.plugin is module]


def _records(manager: pluggy.PluginManager, hook: str, module: Any, fail: Callable[[str], None]) -> list[Any]:
    """Return what `module` offers by `hook`, telling `fail` when that raises."""
    records: list[Any] = []
    for implementation in _implementations(manager, module, hook):
        try:
            offered: Any = implementation.function()
            records += list(offered)
        except Exception as error:
            fail(f"{hook} raised {type(error).__name__}: {error}")
    return records


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
        "model": interfaces.TrainableModel,
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
    return _reason_against_name(record.name, taken)


def _reason_against_weights(record: Any, taken: Mapping[str, WeightsOffer]) -> str:
    """Return why `record` cannot be used, or nothing."""
    if not isinstance(record, WeightsRecord):
        return f"offers {type(record).__name__} instead of a WeightsRecord"
    if not re.fullmatch("[0-9a-f]{64}", record.sha256):
        return f"weights '{record.name}' have the SHA-256 '{record.sha256}', which is not 64 hexadecimal digits"
    return _reason_against_name(record.name, taken)


def _reason_against_name(name: str, taken: Mapping[str, Offer] | Mapping[str, WeightsOffer]) -> str:
    """Return why `name` cannot be used, or nothing."""
    return f"'{name}' is already offered by {taken[name].distribution}; rename one of the two" if name in taken else ""
