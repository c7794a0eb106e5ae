"""Writes docs/options.md, the reference of every plugin's options, from the plugins' own declarations.

`make docs` runs it; with --check it only says whether the file is current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from xtal_core.options import OptionDescription, describe_options
from xtal_core.registry import KINDS, Offer, Registry, installed_registry

REFERENCE = Path(__file__).with_name("options.md")
DISTRIBUTION = "xtal-solve"

INTRODUCTION = """\
# Options of the plugins

Written by `make docs` from the plugins' own declarations; do not edit. Any option is set with
`--set NAME.OPTION=VALUE`, for example `--set powder.threads=2`, and recorded in `result.json`.
`xtal plugins` lists what is installed, third-party plugins included.
"""


def main(arguments: list[str]) -> int:
    """Write the reference, or compare it with `--check`; return 1 when it differs."""
    registry = installed_registry()
    broken = [failure for failure in registry.failures if failure.distribution == DISTRIBUTION]
    if broken:
        print(*(f"{failure.entry_point}: {failure.reason}" for failure in broken), sep="\n", file=sys.stderr)
        return 1
    text = "\n".join([INTRODUCTION, *_sections(registry)])
    if arguments == ["--check"]:
        if REFERENCE.exists() and REFERENCE.read_text(encoding="utf-8") == text:
            return 0
        print("docs/options.md is not what the plugins declare; run make docs", file=sys.stderr)
        return 1
    REFERENCE.write_text(text, encoding="utf-8")
    return 0


def _sections(registry: Registry) -> Iterator[str]:
    for kind in KINDS:
        own = [offer for _, offer in sorted(registry.offers[kind].items()) if offer.distribution == DISTRIBUTION]
        if own:
            yield f"## {kind.capitalize()}s\n"
        for offer in own:
            yield from _section(offer)


def _section(offer: Offer) -> Iterator[str]:
    summary = offer.record.summary
    yield f"### {offer.record.name}\n\n{summary[0].upper()}{summary[1:].rstrip('.')}.\n"
    if offer.record.options is not None:
        yield "| option | type | default | unit | allowed | meaning |\n| --- | --- | --- | --- | --- | --- |"
        yield from (_row(option) for option in describe_options(offer.record.options))
        yield ""


def _row(option: OptionDescription) -> str:
    low, high = option.bounds or (None, None)
    allowed = {
        (True, True): "",
        (False, True): f"≥ {low}",
        (True, False): f"≤ {high}",
        (False, False): f"{low} to {high}",
    }[low is None, high is None]
    default = "none" if option.default is None else str(option.default)
    cells = (f"`{option.name}`", option.type, f"`{default}`", option.unit, allowed, option.help)
    return f"| {' | '.join(cell.replace('|', 'or') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
