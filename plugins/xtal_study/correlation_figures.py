"""Figures of a correlation study: scatter plots against the reference, and correlations by kind of pair."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtal_study.correlation_study import ALL, Agreement, CorrelationStudy, scopes_of
from xtal_study.pairs import KINDS
from xtal_study.text_tables import estimate_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Dots per inch of the figures, low enough for pages.
DPI = 75

#: One colour for each kind of pairs, distinguishable without colour vision in this order (Okabe and Ito, 2008).
COLOURS = ("#D55E00", "#E69F00", "#0072B2", "#999999", "#CCCCCC", "#009E73", "#CC79A7", "#56B4E9", "#F0E442")

#: Panels of a scatter plot, the published metrics and their views first; more would make the file too large for a page.
_PANELS, _PANELS_A_ROW = 8, 4


def draw_scatter(study: CorrelationStudy, reference: str, path: Path) -> None:
    """Write a PNG with a panel for each of the first columns: its value against that of `reference` for matched pairs.

    The vertical axes end at the 99th percentile, so that a few far pairs do not hide the others.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    against = study.column(reference)
    others = [m for m in study.ordered if m.column.metric != against.column.metric][:_PANELS]
    rows = -(-len(others) // _PANELS_A_ROW)
    figure = Figure(figsize=(2.8 * min(len(others), _PANELS_A_ROW), 2.4 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, min(len(others), _PANELS_A_ROW), squeeze=False).ravel()
    masks = scopes_of(study.pair_set)
    for axes, measured in zip(panels, others, strict=False):
        usable = np.isfinite(against.values) & np.isfinite(measured.values)
        for colour, kind in zip(COLOURS, KINDS, strict=True):
            if not masks[kind].any():
                continue
            shown = masks[kind] & usable
            axes.plot(against.values[shown], measured.values[shown], ".", color=colour, markersize=2, label=kind)
        if usable.any():
            axes.set_ylim(top=1.05 * max(float(np.percentile(measured.values[usable], 99)), 1e-6))
        found = study.agreement(reference, measured.name, ALL)
        coefficient = "" if found is None else f": {estimate_text(found.correlation.pearson)}"
        axes.set_title(f"{measured.name}{coefficient}", fontsize=8)
        axes.set_ylabel(measured.unit, fontsize=7)
        axes.tick_params(labelsize=7)
    for axes in panels[len(others) :]:
        axes.set_axis_off()
    figure.supxlabel(reference, fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, fontsize=7, markerscale=4, frameon=False)
    figure.savefig(path, dpi=DPI)


def draw_correlations_by_kind(study: CorrelationStudy, path: Path) -> None:
    """Write a PNG with a table of colours for each reference: Pearson's correlation by column and scope of pairs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.9 * len(study.references)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(study.references), 1, squeeze=False)[:, 0]
    for axes, reference in zip(panels, study.references, strict=True):
        _draw_table_of_colours(axes, study, reference)
    figure.savefig(path, dpi=DPI)


def _draw_table_of_colours(axes: Axes, study: CorrelationStudy, reference: str) -> None:
    against = study.column(reference).column.metric
    columns = [m.name for m in study.ordered if m.column.metric != against]
    found = {
        (scope, column): study.agreement(reference, column, scope) for scope in study.scopes() for column in columns
    }
    scopes = [
        scope for scope in study.scopes() if any(_pearson(found[scope, column]) is not None for column in columns)
    ]
    values = np.array([[_pearson(found[scope, c]) for c in columns] for scope in scopes], dtype=float)
    axes.set_title(f"Pearson, {reference}", fontsize=9)
    if not values.size:
        axes.set_axis_off()
        return
    axes.imshow(values, cmap="RdYlBu", vmin=-1, vmax=1, aspect="auto")
    for row, column in np.argwhere(np.isfinite(values)):
        axes.text(column, row, f"{values[row, column]:.2f}", ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", fontsize=7)
    axes.set_yticks(range(len(scopes)), scopes, fontsize=7)


def _pearson(agreement: Agreement | None) -> float | None:
    return None if agreement is None else agreement.correlation.pearson.value
