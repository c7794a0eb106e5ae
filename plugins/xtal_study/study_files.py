"""Writes studies: everything into the study's folder; pages, without data of single structures, where they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xtal_core.errors import OptionError
from xtal_study.columns import FOLDER
from xtal_study.correlation_figures import draw_correlations_by_kind, draw_scatter
from xtal_study.correlation_page import FIGURES, correlation_page
from xtal_study.correlation_study import CorrelationStudy
from xtal_study.records import json_text
from xtal_study.sensitivity_figures import draw_sensitivity
from xtal_study.sensitivity_page import sensitivity_page
from xtal_study.sensitivity_study import SensitivityStudy
from xtal_study.sources import Refusal
from xtal_study.text_tables import agreements_csv, cases_csv, csv_text, pairs_csv


def check_folder(folder: Path) -> None:
    """Check that a study can be kept in `folder`, which is made when the first results are there.

    Raises OptionError for a file, for a folder that holds anything but an earlier study, and where nothing can be
    written.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FOLDER).is_dir():
        raise OptionError(f"{folder} holds something other than a study", "choose another --out")
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise OptionError(f"{existing} is a file", "choose another --out")
    if not os.access(existing, os.W_OK):
        raise OptionError(f"{existing} cannot be written to", "choose another --out")


def write_correlation_study(
    study: CorrelationStudy, record: Mapping[str, Any], folder: Path, pages: Sequence[Path]
) -> None:
    """Write tables, page, figures and record of `study` into `folder`; page, figures and record into each of `pages`.

    `record` is what `correlation_record` returned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, "pairs.csv", pairs_csv(study))
    _write(folder, "agreements.csv", agreements_csv(study.agreements))
    _write(folder, "refused.csv", _refusals_csv(study.refusals))
    figures = {name: FIGURES.format(name.replace("@", "-")) for name in (*study.references, "kinds")}
    for target in (folder, *pages):
        target.mkdir(parents=True, exist_ok=True)
        for name, file in figures.items():
            if name == "kinds":
                draw_correlations_by_kind(study, target / file)
            else:
                draw_scatter(study, name, target / file)
        _write(target, "correlation.json", json_text(record))
        _write(target, "correlation.md", correlation_page(study, record["made_from"], figures))


def write_sensitivity_study(
    study: SensitivityStudy, record: Mapping[str, Any], folder: Path, pages: Sequence[Path]
) -> None:
    """Write tables, page, figure and record of `study`, as `write_correlation_study` does."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, "values.csv", cases_csv(study))
    _write(folder, "refused.csv", _refusals_csv(study.refusals))
    for target in (folder, *pages):
        target.mkdir(parents=True, exist_ok=True)
        draw_sensitivity(study, target / "sensitivity.png")
        _write(target, "sensitivity.json", json_text(record))
        _write(target, "sensitivity.md", sensitivity_page(study, record["made_from"], "sensitivity.png"))


def _refusals_csv(refusals: Sequence[Refusal]) -> str:
    return csv_text(["name", "reason"], ([refusal.name, refusal.reason] for refusal in refusals))


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file completely or not at all."""
    draft = folder / f".{name}.part"
    draft.write_text(text, encoding="utf-8")
    draft.replace(folder / name)
