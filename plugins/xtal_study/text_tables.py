"""Tables as CSV and Markdown, and numbers as they are written in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from xtal_core.pattern import FloatArray
from xtal_study.columns import Measured
from xtal_study.correlation import Estimate
from xtal_study.correlation_study import Agreement, CorrelationStudy
from xtal_study.sensitivity_study import SensitivityStudy

#: What stands for a pair that a metric could not compare; "no match" is an empty cell.
FAILED = "failed"


def csv_text(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a CSV table; None is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(rows)
    return buffer.getvalue()


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], texts: int = 1) -> str:
    """Return a Markdown table, columns after the first `texts` aligned to the right; None is an empty cell."""
    rule = [" --- " if column < texts else " ---: " for column in range(len(headers))]
    lines = [f"|{'|'.join(f' {header} ' for header in headers)}|", f"|{'|'.join(rule)}|"]
    for row in rows:
        cells = ("" if cell is None else str(cell).replace("|", "\\|") for cell in row)
        lines.append(f"|{'|'.join(f' {cell} ' for cell in cells)}|")
    return "\n".join(lines) + "\n"


def pairs_csv(study: CorrelationStudy) -> str:
    """Return a row for each pair, with the value of every column."""
    pair_set = study.pair_set
    columns = [_cells(measured) for measured in study.measured]
    return csv_text(
        ["kind", "first", "second", "group", "size", *(measured.name for measured in study.measured)],
        (
            [pair.kind, pair_set.names[pair.first], pair_set.names[pair.second], pair.group, pair.size, *values]
            for pair, *values in zip(pair_set.pairs, *columns, strict=True)
        ),
    )


def agreements_csv(agreements: Iterable[Agreement]) -> str:
    """Return a row for each reference, column and scope."""
    headers = ["reference", "column", "scope", "compared", "matched", "unmatched", "groups"]
    headers += [f"{name}{bound}" for name in ("pearson", "spearman") for bound in ("", "_low", "_high")]
    return csv_text(
        [*headers, "matched_called_same", "unmatched_called_same", "separation"],
        (
            [
                *(a.reference, a.column, a.scope, a.compared, a.matched, a.unmatched, a.correlation.groups),
                *(a.correlation.pearson.value, a.correlation.pearson.low, a.correlation.pearson.high),
                *(a.correlation.spearman.value, a.correlation.spearman.low, a.correlation.spearman.high),
                *(a.matched_same, a.unmatched_same, a.separation),
            ]
            for a in agreements
        ),
    )


def cases_csv(study: SensitivityStudy) -> str:
    """Return a row for each structure and modification, with the value and the verdict of every column."""
    columns = [_cells(measured) for measured in study.measured]
    verdicts = [
        ["" if not compared else "yes" if same else "no" for same, compared in zip(m.same, m.compared, strict=True)]
        for m in study.measured
    ]
    headers = ["structure", "modification", "size", "space_group_before", "space_group_after"]
    headers += [name for measured in study.measured for name in (measured.name, f"{measured.name} same")]
    return csv_text(
        headers,
        (
            [
                *(case.name, case.modification, case.size, case.before.number, case.after.number),
                *(cell for column in range(len(columns)) for cell in (columns[column][row], verdicts[column][row])),
            ]
            for row, case in enumerate(study.cases)
        ),
    )


def estimate_text(estimate: Estimate) -> str:
    """Return "0.83 [0.72, 0.90]", "–" for what is not defined."""
    if estimate.value is None:
        return "–"
    interval = "" if estimate.low is None else f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return f"{estimate.value:.2f}{interval}"


def percent(part: int, whole: int) -> str:
    """Return "87 %", "–" of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def number_text(value: float | None, missing: str = "no match") -> str:
    """Return a value with three significant digits, or what stands for one that is missing."""
    if value is None:
        return missing
    return "0" if abs(value) < 1e-9 else f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.1e}"


def _cells(measured: Measured) -> list[float | str | None]:
    values: FloatArray = measured.values
    return [
        FAILED if row in measured.failures else None if np.isnan(value) else float(value)
        for row, value in enumerate(values)
    ]
