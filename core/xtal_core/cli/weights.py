"""`xtal weights`: which weights there are, whether they are what they should be, and fetching them."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xtal_core.errors import InputError, OptionError, XtalError
from xtal_core.progress_display import progress_display
from xtal_core.registry import WeightsOffer, installed_registry
from xtal_core.suggest import suggest
from xtal_core.weights import fetch_weights, verify


def weights(
    action: Annotated[str, typer.Argument(metavar="[ACTION]", help="list or fetch.")] = "list",
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Weights; all when listing.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List weights of models and verify their SHA-256; `xtal weights fetch NAME` downloads what is not shipped.

    Fetched weights are kept in the folder XTAL_WEIGHTS, else in the user's data folder.
    """
    offered = installed_registry().weights
    for name in names or ():
        if name not in offered:
            raise OptionError(f"there are no weights '{name}'", suggest(name, offered, "installed weights are"))
    chosen = [offered[name] for name in names or offered]
    if action == "fetch":
        if not names:
            raise OptionError("fetch needs a name", suggest("", offered, "installed weights are"))
        _fetch(chosen)
    elif action != "list":
        raise OptionError(f"'{action}' is nothing that can be done with weights", suggest(action, ("list", "fetch")))
    states: list[str] = []
    errors: list[InputError] = []
    for offer in chosen:
        try:
            states.append(verify(offer.record))
        except InputError as error:
            states.append("not what it should be")
            errors.append(error)
    if json:
        _print_json(chosen, states)
    else:
        _print_table(chosen, states)
    if errors:
        raise XtalError(f"{len(errors)} of {len(chosen)} weights cannot be used: {errors[0]}")


def _fetch(chosen: list[WeightsOffer]) -> None:
    with progress_display() as progress:
        for offer in chosen:
            fetch_weights(offer.record, progress)


def _print_json(chosen: list[WeightsOffer], states: list[str]) -> None:
    records = [
        {**asdict(offer.record), "distribution": offer.distribution, "version": offer.version, "state": state}
        for offer, state in zip(chosen, states, strict=True)
    ]
    sys.stdout.write(json_format.dumps(records, indent=2, ensure_ascii=False) + "\n")


def _print_table(chosen: list[WeightsOffer], states: list[str]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    if not chosen:
        console.print("no plugin offers weights")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "model", "MB", "state", "file"):
        table.add_column(title, no_wrap=title in ("name", "model"), justify="right" if title == "MB" else "left")
    for offer, state in zip(chosen, states, strict=True):
        record = offer.record
        cells = (record.name, record.model, f"{record.bytes / 1e6:.1f}", state, record.file)
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)
