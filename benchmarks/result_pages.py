"""Benchmark results as Markdown pages with their numbers beside them as JSON, and the index of all pages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

INDEX = """\
# Benchmarks

Written by `make bench`; each page says how it was made and has its numbers beside it as JSON. The data sets are those
in the folder that `XTAL_DATA` names. Solutions of simulated patterns are judged by a script that shares no code with
this project and simulates with pymatgen alone.

"""


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table, columns of numbers aligned to the right; None is an empty cell."""
    cells = [["" if value is None else str(value).replace("|", "\\|") for value in row] for row in rows]
    numeric = [
        any(row[column] for row in cells) and all(re.fullmatch(r"[-–±.,\d\s]*", row[column]) for row in cells)
        for column in range(len(headers))
    ]
    rule = ["---:" if right else "---" for right in numeric]
    return "".join(f"| {' | '.join(row)} |\n" for row in [list(headers), rule, *cells])


def summarise_times(
    seconds: Sequence[float], cpu_seconds: Sequence[float], sessions: Iterable[Mapping[str, float]], workers: int
) -> dict[str, float]:
    """Return how long solving took.

    `seconds` and `cpu_seconds` are those of each case in its worker; `sessions` are the sittings of the run, whose
    wall-clock time, workers' start included, over the cases they finished is the throughput.
    """
    sittings = list(sessions)
    return {
        "workers": workers,
        "cores_of_the_machine": os.cpu_count() or 0,
        "structures": len(seconds),
        "seconds_mean": float(np.mean(seconds)),
        "seconds_median": float(np.median(seconds)),
        "seconds_95th_percentile": float(np.percentile(seconds, 95)),
        "cpu_seconds_mean": float(np.mean(cpu_seconds)),
        "run_seconds": sum(sitting["seconds"] for sitting in sittings),
        "run_structures": sum(sitting["cases"] for sitting in sittings),
    }


def time_text(times: Mapping[str, float]) -> str:
    """Return `summarise_times` in words."""
    n = times["run_structures"]
    workers = f"{times['workers']} worker process{'es' if times['workers'] > 1 else ''}"
    return (
        f"{workers} of one thread each, on a machine of {times['cores_of_the_machine']} cores: "
        f"{times['run_seconds']:.0f} s of wall-clock time for {n} structures, "
        f"**{times['run_seconds'] / n:.1f} s a structure**. One structure took {times['seconds_mean']:.1f} s in its "
        f"worker (mean; median {times['seconds_median']:.1f} s, 95th percentile "
        f"{times['seconds_95th_percentile']:.1f} s) and {times['cpu_seconds_mean']:.1f} s of processor time.\n"
    )


def making_text(making: Mapping[str, Any]) -> str:
    """Return how a result was made (see `describe_making`) as a list."""
    packages = ", ".join(f"{name} {version}" for name, version in making["packages"].items())
    plugins = "; ".join(
        f"{plugin['name']} ({', '.join(f'{k} {v}' for k, v in plugin['options'].items()) or 'no options'})"
        for plugin in making["plugins"]
    )
    library = making["library"]
    searched = f"{library['name']} (SHA-256 {library['sha256'][:12]}…)" if library["sha256"] else library["name"]
    return (
        f"- Command: `{making['command']}`\n"
        f"- Structure library: {searched}, besides the prototype table and AFLOW's prototypes\n"
        f"- xtal {making['xtal']} (SHA-256 of its sources {making['sources'][:12]}…), {packages}\n"
        f"- Plugins: {plugins}\n"
        f"- Seed: {making['seed']}\n"
    )


def describe_making(command: str, library: Mapping[str, Any], sources: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a result was made, from the provenance of one of its solutions (`result`, as in result.json).

    Options that name files are left out: `library` says which one was used.
    """
    record = result["provenance"]
    return {
        "command": command,
        "library": dict(library),
        "xtal": record["xtal"],
        "sources": sources,
        "packages": {"python": record["python"], **record["packages"]},
        "plugins": [
            {"name": tool["name"], "options": {k: v for k, v in tool["options"].items() if k != "library"}}
            for tool in record["plugins"]
        ],
        "seed": record["seed"],
    }


def write_result(folder: Path, name: str, page: str, record: Mapping[str, Any]) -> None:
    """Write `page` and `record` to NAME.md and NAME.json in `folder`, and renew its index."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    (folder / f"{name}.json").write_text(_json_text(record), encoding="utf-8")
    write_index(folder)


def write_index(folder: Path) -> None:
    """Write README.md, a list of all pages in `folder` by their headings."""
    pages = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    titles = {path.name: path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for path in pages}
    lines = "".join(f"- [{title}]({name})\n" for name, title in titles.items())
    (folder / "README.md").write_text(INDEX + lines, encoding="utf-8")


def _json_text(record: Mapping[str, Any]) -> str:
    """Return `record` as JSON, each entry of a list on one line."""
    parts = []
    for key, value in record.items():
        if isinstance(value, list):
            text = "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n ]"
        else:
            text = json.dumps(value, indent=1, ensure_ascii=False).replace("\n", "\n ")
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
