"""Benchmark results as Markdown pages with their numbers beside them as JSON, and the index of all pages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_sets import ROOT

#: Where results are published.
RESULTS = ROOT / "docs" / "benchmarks"

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


def met(reached: bool) -> str:
    """Return in words whether an aim was reached."""
    return "met" if reached else "not met"


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
    # A run that was killed, rather than interrupted, leaves its solutions but not how long it lasted.
    throughput = (
        f"{times['run_seconds']:.0f} s of wall-clock time for {n} structures, "
        f"**{times['run_seconds'] / n:.1f} s a structure**"
        if n
        else "the wall-clock time of the run was lost"
    )
    return (
        f"{workers} of one thread each, on a machine of {times['cores_of_the_machine']} cores: {throughput}. "
        f"One structure took {times['seconds_mean']:.1f} s in its worker (mean; median "
        f"{times['seconds_median']:.1f} s, 95th percentile {times['seconds_95th_percentile']:.1f} s) and "
        f"{times['cpu_seconds_mean']:.1f} s of processor time.\n"
    )


def write_result(folder: Path, name: str, page: str, record: Mapping[str, Any]) -> None:
    """Write `page` and `record` to NAME.md and NAME.json in `folder`, and renew the index of published pages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    (folder / f"{name}.json").write_text(_json_text(record), encoding="utf-8")
    if folder.resolve() == RESULTS:
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
