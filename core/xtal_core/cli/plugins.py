"""`xtal plugins`: what is installed, its options, and why something cannot be used."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xtal_core.errors import XtalError, fault_of
from xtal_core.options import OptionDescription, describe_options
from xtal_core.registry import KINDS, Failure, Offer, Registry, WeightsOffer, installed_registry


def plugins(
    options: Annotated[bool, typer.Option("--options", help="List their options too.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Also import and create everything, to find what would fail on use.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List what plugins offer, and why some cannot be used."""
    registry = installed_registry()
    entries, failures = _survey(registry, check)
    if json:
        record = {
            "plugins": [_record(entry) for entry in entries],
            "weights": [asdict(offer) for offer in registry.weights.values()],
            "failures": [asdict(failure) for failure in failures],
        }
        sys.stdout.write(json_format.dumps(record, indent=2, ensure_ascii=False, default=str) + "\n")
        return
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(_plugin_table(entries, registry.weights.values()))
    for entry in entries if options else ():
        if entry.options:
            console.print(f"\nOptions of [bold]{escape(entry.offer.record.name)}[/bold] ({entry.offer.kind}):")
            console.print(_option_table(entry.options))
    if failures:
        console.print("\nCannot be used:")
    for failure in failures:
        console.print(f"  {failure.entry_point} ({failure.distribution}): {failure.reason}", markup=False)


@dataclass(frozen=True)
class _Entry:
    """Something that can be used, and its options."""

    offer: Offer
    options: list[OptionDescription]


def _survey(registry: Registry, check: bool) -> tuple[list[_Entry], list[Failure]]:
    """Return what can be used and what cannot, as far as can be told without importing it, unless `check`."""
    entries, failures = [], list(registry.failures)
    for offer in _offers(registry):
        record = offer.record
        try:
            with fault_of(record.name):
                described = [] if record.options is None else describe_options(record.options)
                if find_spec(record.factory.partition(":")[0]) is None:
                    raise ModuleNotFoundError(f"its factory {record.factory} does not exist")
            if check:
                _try_out(registry, offer)
        except XtalError as error:
            failures.append(Failure(offer.entry_point, offer.distribution, str(error)))
        else:
            entries.append(_Entry(offer, described))
    return entries, failures


def _try_out(registry: Registry, offer: Offer) -> None:
    if offer.kind == "command":
        registry.resolve(offer.kind, offer.record.name)
    else:
        registry.create(offer.kind, offer.record.name)


def _offers(registry: Registry) -> Iterator[Offer]:
    for kind in KINDS:
        for name in registry.names(kind):
            yield registry.offer(kind, name)


def _record(entry: _Entry) -> dict[str, Any]:
    offer = entry.offer
    return {
        "kind": offer.kind,
        "name": offer.record.name,
        "summary": offer.record.summary,
        "distribution": offer.distribution,
        "version": offer.version,
        "factory": offer.record.factory,
        "options": [asdict(option) for option in entry.options],
    }


def _plugin_table(entries: list[_Entry], weights: Iterable[WeightsOffer]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("kind", "name", "what it is", "from"):
        table.add_column(title, no_wrap=title != "what it is")
    rows = [(entry.offer.kind, entry.offer.record.summary, entry.offer) for entry in entries]
    rows += [("weights", f"weights of the model {offer.record.model} (xtal weights)", offer) for offer in weights]
    for kind, summary, offer in rows:
        source = escape(f"{offer.distribution} {offer.version}")
        table.add_row(kind, escape(offer.record.name), escape(summary), source)
    return table


def _option_table(described: list[OptionDescription]) -> Table:
    table = Table(box=None, header_style="bold")
    for title in ("option", "type", "default", "unit", "bounds", "meaning"):
        table.add_column(title, no_wrap=title in ("option", "default"))
    for option in described:
        low, high = option.bounds or (None, None)
        bounds = "" if option.bounds is None else f"{'−∞' if low is None else low} … {'∞' if high is None else high}"
        row = (option.name, option.type, str(option.default), option.unit, bounds, option.help)
        table.add_row(*(escape(cell) for cell in row))
    return table
