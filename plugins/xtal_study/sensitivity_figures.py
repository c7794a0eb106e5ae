"""Figure of a sensitivity study: what each metric makes of expansion, of one displaced atom, and of noise."""

from __future__ import annotations

from pathlib import Path

from xtal_study.correlation_figures import DPI
from xtal_study.sensitivity_cases import EXPANSION, NOISE, ONE_ATOM
from xtal_study.sensitivity_study import UNSEEN, YARDSTICK, SensitivityStudy

_PANELS = {
    EXPANSION: "case 1: thermal expansion\nvolume change",
    ONE_ATOM: "case 2: one atom leaves its place\ndisplacement (Å)",
    NOISE: "noise on all atoms\nroot mean square displacement (Å)",
}
_MARKERS = "osD^v<>pPX*hd"


def draw_sensitivity(study: SensitivityStudy, path: Path) -> None:
    """Write a PNG: median responses, in units of the response to noise of `YARDSTICK`, over the size of modifications.

    Responses that count as unseen are drawn at `UNSEEN`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, (family, label) in zip(panels, _PANELS.items(), strict=True):
        for number, measured in enumerate(study.measured):
            curve = [
                (r.size, max(r.response, UNSEEN))
                for r in study.of_column(measured.name)
                if r.family == family and r.size is not None and r.response is not None
            ]
            marker = _MARKERS[number % len(_MARKERS)]
            axes.plot(
                *([point[side] for point in curve] for side in (0, 1)),
                color=f"C{number % 10}", marker=marker, markersize=4, linewidth=1, label=measured.name,
            )  # fmt: skip
        axes.set(xscale="log", yscale="log")
        sizes = sorted({r.size for r in study.responses if r.family == family and r.size is not None})
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.set_xticks([], minor=True)
        axes.set_title(label.partition("\n")[0], fontsize=9)
        axes.set_xlabel(label.partition("\n")[2], fontsize=8)
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=8)
    panels[0].set_ylabel(f"distance, that of {YARDSTICK:g} Å of noise on all atoms being 1", fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=7, fontsize=8, frameon=False)
    figure.savefig(path, dpi=DPI)
