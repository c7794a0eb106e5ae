"""The page of a sensitivity study: the slides' two cases, and which metric sees what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xtal_study.sensitivity_cases import EXPANSION, MODIFICATIONS, ONE_ATOM
from xtal_study.sensitivity_study import UNSEEN, YARDSTICK, Response, SensitivityStudy
from xtal_study.text_tables import markdown_table, number_text, percent

#: Columns of the summary of one family of modifications.
_SMALL_EXPANSION, _SMALL_MOVE = 0.02, 0.01


def sensitivity_page(study: SensitivityStudy, made_from: Mapping[str, Any], figure: str | None) -> str:
    """Return the page in Markdown.

    `made_from` says what the study was made from (see `xtal_study.records`), `figure` names the image file.
    """
    parts = [
        "# Which similarity measure sees what\n",
        _how_it_was_made(study, made_from),
        "## Thermal expansion against a small displacement\n",
        _two_cases(study),
        f"![distances over the size of modifications]({figure})\n" if figure else "",
        "## Every modification\n",
        f"{value_table_heading(study)}:\n",
        value_table(study),
        "## Seen or not\n",
        f"Share of the structures in which the value differs from that of an unchanged copy by more than {UNSEEN:g} of "
        f"what {YARDSTICK:g} Å of noise on all atoms makes.\n",
        markdown_table(*_table(study, lambda r: percent(r.seen, r.structures))),
    ]
    return "\n".join(part for part in parts if part)


def value_table_heading(study: SensitivityStudy) -> str:
    """Return what stands in the cells of `value_table`."""
    if study.structures == 1:
        return "Values, and in brackets whether the metric calls the two the same structure"
    return "Median values, and in brackets how many of the structures the metric calls the same as their modification"


def value_table(study: SensitivityStudy) -> str:
    """Return the table of values and verdicts in Markdown."""
    return markdown_table(*_table(study, lambda response: value_cell(response, study)))


def value_cell(response: Response, study: SensitivityStudy) -> str:
    """Return the value and the verdict of a response."""
    if study.structures == 1:
        return f"{number_text(response.median)} ({'same' if response.same else 'not'})"
    return f"{number_text(response.median)} ({percent(response.same, response.structures)})"


def _table(study: SensitivityStudy, cell: Any) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of a table of modifications and columns, `cell` making text of a response."""
    names = [measured.name for measured in study.measured]
    units = [f"{m.name} ({m.unit})" if m.unit else m.name for m in study.measured]
    found = {(response.modification, response.column): response for response in study.responses}
    rows = []
    for modification in MODIFICATIONS:
        kept, total = study.symmetry_kept(modification.name)
        if total:
            responses = [found.get((modification.name, name)) for name in names]
            cells = ["–" if response is None else cell(response) for response in responses]
            rows.append([modification.name, str(total), percent(kept, total), *cells])
    return ["modification", "structures", "symmetry kept", *units], rows


def _how_it_was_made(study: SensitivityStudy, made_from: Mapping[str, Any]) -> str:
    what = "the structure" if study.structures == 1 else f"each of {study.structures} structures"
    unavailable = "".join(f" `{name}` is not here: {reason}." for name, reason in study.unavailable.items())
    return (
        f"Written by `xtal study sensitivity` (xtal {made_from['xtal']}, seed {made_from['seed']}) from "
        f"{', '.join(made_from['sources'])}: {what}, brought onto its symmetry in the primitive cell, is compared with "
        "what modifications make of it. A cell of one atom is doubled first. Mirror images are taken of chiral "
        f"crystals only, exchanges of elements of compounds only. {len(study.refusals)} structures were refused."
        f"{unavailable}\n"
    )


def _two_cases(study: SensitivityStudy) -> str:
    rows = []
    for measured, equivalence in zip(study.measured, study.equivalences, strict=True):
        expansion = _response(study, measured.name, EXPANSION, _SMALL_EXPANSION)
        move = _response(study, measured.name, ONE_ATOM, _SMALL_MOVE)
        rows.append(
            [
                measured.name,
                *(number_text(None if r is None else r.median) for r in (expansion, move)),
                _larger(expansion, move),
                *("–" if v is None else f"{v:.2g}" for v in (equivalence.one_atom, equivalence.noise)),
            ]
        )
    headers = [
        "metric",
        f"volume +{100 * _SMALL_EXPANSION:g} %",
        f"one atom by {_SMALL_MOVE:g} Å",
        "which is further",
        "1 % of volume is as far as one atom moved by (Å)",
        "or noise of (Å)",
    ]
    return (
        "A chemist calls the expanded crystal the same structure, for its symmetry is the same, and the one with a "
        "displaced atom another, however small the displacement. A continuous measure sees it the other way round.\n\n"
        + markdown_table(headers, rows)
        + "\nA dash: the metric does not see expansion, or no displacement that was tried is as far.\n"
    )


def _response(study: SensitivityStudy, column: str, family: str, size: float) -> Response | None:
    return next((r for r in study.of_column(column) if r.family == family and r.size == size), None)


def _larger(expansion: Response | None, move: Response | None) -> str:
    if expansion is None or move is None or expansion.response is None or move.response is None:
        return "–"
    if max(expansion.response, move.response) < UNSEEN:
        return "neither is seen"
    return "expansion" if expansion.response > move.response else "displacement"
