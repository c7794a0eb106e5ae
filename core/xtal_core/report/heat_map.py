"""A matrix as a picture: items in the order of their dendrogram, "no match" told from large values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.clustering import MergeTree
from xtal_core.comparison import MetricMatrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_MATCH, NOT_COMPARED, TREE, CUT = "#dddddd", "#ffffff", "#1b1b1b", "#d1495b"

#: Values closer than this are drawn alike.
SMALLEST_RANGE = 1e-6

#: Most items whose names can be read beside the matrix.
MOST_NAMES = 80


def write_heat_map(path: Path, result: MetricMatrix, tree: MergeTree, threshold: float, file_format: str) -> None:
    """Draw values, dendrogram and threshold into the file at `path`; `file_format` is png, svg or pdf.

    Items that the metric refused are left out. Merges of what has no match are not drawn: they are none.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    n = len(tree.items)
    order = tree.items[tree.order]
    values = result.matrix.values[np.ix_(order, order)]
    compared = result.matrix.compared()[np.ix_(order, order)]
    edge = float(np.clip(0.16 * n, 4.0, 12.0))
    figure = Figure(figsize=(edge + 4.2, edge + 0.8), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1, edge / 1.6))
    unit = f" ({result.unit})" if result.unit else ""
    _draw_tree(left, tree, tree.height(threshold, result.better))
    heights = result.metric + unit if result.better == "lower" else f"{tree.best:.3g} − {result.metric}"
    left.set_xlabel(f"least alike of a group:\n{heights}", fontsize=7)
    colours = colormaps["viridis" if result.better == "higher" else "viridis_r"].with_extremes(bad=NOT_COMPARED)
    known = values[compared & np.isfinite(values)]
    # Values that are 0 but for rounding have one colour.
    lowest = min(0.0, known.min(initial=0.0)) if result.better == "lower" else known.min(initial=tree.best)
    image = right.imshow(
        np.where(compared, values, np.nan),
        cmap=colours,
        aspect="auto",
        interpolation="nearest",
        vmin=lowest,
        vmax=max(known.max(initial=0.0), lowest + SMALLEST_RANGE),
    )
    no_match = np.ma.masked_where(~(compared & np.isnan(values)), np.zeros((n, n)))
    right.imshow(no_match, cmap=ListedColormap([NO_MATCH]), aspect="auto", interpolation="nearest")
    patches = [Patch(color=NO_MATCH, label="no match")] if no_match.count() else []
    if not compared.all():
        patches.append(Patch(facecolor=NOT_COMPARED, edgecolor=TREE, label="not compared"))
    if patches:
        figure.legend(handles=patches, loc="outside lower right", ncols=2, frameon=False, fontsize=8)
    right.yaxis.tick_right()
    names = [result.names[i] for i in order] if n <= MOST_NAMES else []
    right.set_yticks(range(len(names)), names, fontsize=6)
    right.set_xticks([])
    right.set_title(f"{result.metric}{unit}, {n} items, rows first", loc="left", fontsize=10)
    if len(known):
        # Beside both axes, so that the rows of the one stay those of the other.
        figure.colorbar(image, ax=[left, right], location="bottom", shrink=0.4, aspect=40, label=result.metric + unit)
    figure.savefig(path, format=file_format)


def _draw_tree(axes: Axes, tree: MergeTree, cut: float) -> None:
    """Draw merges as brackets, items downwards, heights to the left."""
    n = len(tree.items)
    place = np.empty(2 * n - 1 if n else 0)  # of items, then of what merges made
    height = np.zeros(len(place))
    place[tree.order] = np.arange(n)
    highest = 0.0
    for row, (first, second, level, _) in enumerate(tree.merges):
        children = [int(first), int(second)]
        place[n + row], height[n + row] = place[children].mean(), level
        if level < tree.never:
            (upper, lower), (near, far) = place[children], height[children]
            axes.plot([near, level, level, far], [upper, upper, lower, lower], color=TREE, linewidth=0.7)
            highest = max(highest, float(level))
    if 0 < cut <= highest:  # clusters end here
        axes.axvline(cut, color=CUT, linewidth=0.8, linestyle="--")
    axes.set(ylim=(n - 0.5, -0.5), xlim=(max(1.05 * highest, SMALLEST_RANGE), 0), yticks=[])
    axes.tick_params(labelsize=6)
    axes.spines[["top", "right", "left"]].set_visible(False)
