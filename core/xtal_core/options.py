"""Options of plugins: declared once as a dataclass, used as flags, run-file tables, documentation and provenance."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from xtal_core.errors import OptionError
from xtal_core.suggest import suggest

OptionsClass = TypeVar("OptionsClass")


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    bounds: tuple[float | None, float | None] | None = None,
) -> Any:
    """Return a dataclass field that is an option: its default, what it means, its unit and inclusive bounds."""
    return dataclasses.field(default=default, metadata={"help": help, "unit": unit, "bounds": bounds})


@dataclass(frozen=True)
class OptionDescription:
    """One option as shown to users."""

    name: str
    type: str
    default: Any
    help: str
    unit: str
    bounds: tuple[float | None, float | None] | None


def describe_options(options_class: type[Any]) -> list[OptionDescription]:
    """Return what can be set on `options_class`, in order of declaration."""
    hints = typing.get_type_hints(options_class)
    return [
        OptionDescription(
            name=f.name,
            type=_type_name(hints[f.name]),
            default=f.default,
            help=f.metadata.get("help", ""),
            unit=f.metadata.get("unit", ""),
            bounds=f.metadata.get("bounds"),
        )
        for f in dataclasses.fields(options_class)
    ]


def build_options(plugin: str, options_class: type[OptionsClass], settings: Mapping[str, Any]) -> OptionsClass:
    """Return the options of `plugin` with `settings` (texts or values) applied and checked.

    Raises OptionError for an unknown option, a value of the wrong type or one out of bounds.
    """
    hints = typing.get_type_hints(options_class)
    fields = {f.name: f for f in dataclasses.fields(options_class)}  # type: ignore[arg-type]
    values = {}
    for name, value in settings.items():
        key = name.replace("-", "_")
        if key not in fields:
            raise OptionError(f"{plugin} has no option '{name}'", suggest(key, fields, "its options are"))
        values[key] = _convert(f"{plugin}.{name}", value, hints[key])
        bounds = fields[key].metadata.get("bounds")
        if bounds and isinstance(values[key], (int, float)) and not isinstance(values[key], bool):
            low, high = bounds
            if (low is not None and values[key] < low) or (high is not None and values[key] > high):
                allowed = f"{'−∞' if low is None else low} to {'∞' if high is None else high}"
                raise OptionError(f"{plugin}.{name} is {values[key]}", f"give a value from {allowed}")
    return options_class(**values)


def parse_settings(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return {plugin: {option: text}} from texts of the form plugin.option=value."""
    settings: dict[str, dict[str, str]] = {}
    for text in texts:
        target, equals, value = text.partition("=")
        plugin, dot, name = target.strip().partition(".")
        if not (equals and dot and plugin and name):
            raise OptionError(f"--set '{text}' is not of the form plugin.option=value", "see xtal plugins --options")
        settings.setdefault(plugin, {})[name.strip()] = value.strip()
    return settings


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " | ".join(str(choice) for choice in typing.get_args(hint))
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return " | ".join("none" if arg is type(None) else _type_name(arg) for arg in typing.get_args(hint))
    return getattr(hint, "__name__", str(hint))


def _convert(label: str, value: Any, hint: Any) -> Any:
    """Return `value` as the type that `hint` asks for."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        arguments = typing.get_args(hint)
        if type(None) in arguments and (value is None or str(value).lower() == "none"):
            return None
        for argument in arguments:
            if argument is not type(None):
                return _convert(label, value, argument)
    if typing.get_origin(hint) is Literal:
        choices = {str(choice): choice for choice in typing.get_args(hint)}
        if str(value) not in choices:
            raise OptionError(f"{label} is '{value}'", suggest(str(value), choices, "choose from"))
        return choices[str(value)]
    if hint is bool:
        truth = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in truth:
            raise OptionError(f"{label} is '{value}'", "give true or false")
        return truth[str(value).lower()]
    try:
        converted = hint(value)
    except (TypeError, ValueError):
        raise OptionError(f"{label} is '{value}'", f"give a value of type {_type_name(hint)}") from None
    if isinstance(converted, float) and converted != converted:
        raise OptionError(f"{label} is not a number", "give a finite value")
    return converted
