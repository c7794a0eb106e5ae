"""Test patterns and verdicts by scripts that share no code with the project."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from tempfile import TemporaryDirectory
from typing import Any

from data_sets import Material, protocol_script, write_materials
from xtal_core.errors import XtalError


@dataclass(frozen=True)
class Verdict:
    """What `score_solutions.py` found.

    Attributes
    ----------
    table
        What it prints.
    rows
        Its figures for each material.
    """

    table: str
    rows: list[dict[str, Any]]


def make_patterns(materials: Sequence[Material], folder: Path, size: float, *, noise: bool = False) -> dict[str, Path]:
    """Return {material_id: file} of the patterns of crystallites of `size` Å, made by `make_patterns.py`.

    With `noise` they have counting noise, a background and a zero shift. Those that are in `folder` from an earlier run
    are used again.
    """
    files = {material.material_id: folder / f"{material.material_id}.xy" for material in materials}
    missing = [material for material in materials if not files[material.material_id].is_file()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as draft:
            table = Path(draft, "truth.csv.gz")
            write_materials(table, missing)
            _run("make_patterns.py", table, draft, "--size", f"{size:g}", *(["--noise"] if noise else []))
            for material in missing:
                file = files[material.material_id]
                Path(draft, file.name).replace(file)
    return files


def judge(materials: Sequence[Material], solutions: Path, jobs: int) -> Verdict:
    """Return the verdict of `score_solutions.py` on the folders of CIFs in `solutions`."""
    with TemporaryDirectory(dir=solutions.parent) as draft:
        table, verdict = Path(draft, "truth.csv.gz"), Path(draft, "verdict.json")
        write_materials(table, list(materials))
        printed = _run("score_solutions.py", table, solutions, "--json", verdict, "--jobs", jobs)
        return Verdict(printed.rstrip(), json.loads(verdict.read_text())["rows"])


def split_by_prototype(
    rows: Iterable[Mapping[str, Any]], materials: Iterable[Material]
) -> dict[str, list[Mapping[str, Any]]]:
    """Return the judge's rows by whether their structure type occurs in `mp20/train`: "yes" and "no".

    Groups without a row are left out, and rows of materials of which the table does not say.
    """
    known = {material.material_id: material.prototype_in_train for material in materials}
    groups: dict[str, list[Mapping[str, Any]]] = {"yes": [], "no": []}
    for row in rows:
        in_train = known[row["material_id"]]
        if in_train is not None:
            groups["yes" if in_train else "no"].append(row)
    return {name: group for name, group in groups.items() if group}


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the means over the judge's `rows` that its own table shows."""
    best = [row["r2wp_best"] for row in rows]
    shares = ("match_first", "match_ten", "strict_first", "strict_ten")
    return {
        "n": len(rows),
        "r2wp_best_mean": fmean(best),
        "r2wp_best_std": pstdev(best),
        "r2wp_first_mean": fmean(row["r2wp_first"] for row in rows),
        **{name: fmean(row[name] for row in rows) for name in shares},
    }


def _run(script: str, *arguments: object) -> str:
    """Run a script of the protocol and return what it prints."""
    command = [sys.executable, str(protocol_script(script)), *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        last_line = process.stderr.strip().rpartition("\n")[2]
        raise XtalError(f"{script} failed ({last_line or f'exit code {process.returncode}'})")
    return process.stdout
