"""The measured pattern and how the first candidate describes it, as a figure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.candidate import Fit, Solution
from xtal_core.pattern import FloatArray, Pattern, Radiation
from xtal_core.preparation import excluded_regions
from xtal_core.report.cif import CrystalFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OBSERVED, CALCULATED, BACKGROUND, DIFFERENCE, TICKS = "#1b1b1b", "#d1495b", "#8d99ae", "#30638e", "#2a9d8f"
EXCLUDED = "#e9ecef"

#: Beyond this many points, single measured points can no longer be told apart and are drawn as a line.
MOST_MARKERS = 3000


def write_plot(path: Path, solution: Solution, files: Sequence[CrystalFile]) -> None:
    """Draw observed, calculated and difference patterns, and reflection ticks, into the PNG file at `path`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pattern = solution.problem.pattern
    first = solution.ranked[0] if solution.ranked else None
    fit = first.candidate.fit if first is not None else None
    x = pattern.two_theta
    figure = Figure(figsize=(9.6, 5.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    if fit is None:
        top = figure.subplots()
        axes = [top]
        _shade_excluded((top,), pattern, x)
    else:
        top, ticks, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(1, 0.05, 0.24))
        axes = [top, ticks, bottom]
        _draw_fit(top, bottom, x, pattern.intensity, fit)
        _shade_excluded((top, bottom), pattern, x)
        positions = pattern.radiation.two_theta_from_q(reflection_positions(files[0].text, pattern.q[0], pattern.q[-1]))
        ticks.vlines(positions, 0, 1, color=TICKS, linewidth=0.8)
        ticks.set(yticks=[], ylim=(-0.1, 1.1))
        ticks.spines[:].set_visible(False)
        ticks.tick_params(axis="x", length=0)
    style = "." if len(pattern) <= MOST_MARKERS else "-"
    top.plot(x, pattern.intensity, style, color=OBSERVED, markersize=2.5, linewidth=0.7, label="observed", zorder=1)
    top.set(ylabel="intensity", xlim=(x[0], x[-1]))
    top.margins(y=0.04)
    axes[-1].set_xlabel(f"2θ (°), {_wavelength(pattern.radiation)}")
    for ax in (top, axes[-1]):
        ax.spines[["top", "right"]].set_visible(False)
        ax.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    handles, labels = top.get_legend_handles_labels()
    top.legend(handles[::-1], labels[::-1], frameon=False, loc="upper right")
    top.set_title(_title(solution), loc="left", fontsize=11)
    figure.savefig(path)


def reflection_positions(cif: str, q_min: float, q_max: float) -> FloatArray:
    """Return Q in Å⁻¹ of the reflections that the space group in the text `cif` allows, without symmetry equivalents.

    Space groups that gemmi does not know by their operations are treated as P1.
    """
    import gemmi

    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(cif).sole_block())
    group = crystal.spacegroup or gemmi.SpaceGroup("P 1")
    indices = gemmi.make_miller_array(crystal.cell, group, 2 * np.pi / q_max, 2 * np.pi / q_min)
    return np.sort(2 * np.pi / crystal.cell.calculate_d_array(indices))


def _draw_fit(top: Axes, bottom: Axes, x: FloatArray, observed: FloatArray, fit: Fit) -> None:
    top.plot(x, fit.background, color=BACKGROUND, linewidth=0.9, label="background", zorder=2)
    top.plot(x, fit.calculated, color=CALCULATED, linewidth=1.0, label="calculated", zorder=3)
    bottom.axhline(0, color=BACKGROUND, linewidth=0.6)
    bottom.plot(x, observed - fit.calculated, color=DIFFERENCE, linewidth=0.8)
    bottom.set(ylabel="difference")


def _shade_excluded(axes: Sequence[Axes], pattern: Pattern, x: FloatArray) -> None:
    """Shade the excluded regions, half a step beyond their points so that a single one can be seen."""
    half = float(np.median(np.diff(x))) / 2
    for number, (low, high) in enumerate(excluded_regions(pattern)):
        for ax in axes:
            label = "excluded" if number == 0 and ax is axes[0] else None
            ax.axvspan(low - half, high + half, color=EXCLUDED, linewidth=0, zorder=0, label=label)


def _wavelength(radiation: Radiation) -> str:
    """Return the radiation with the wavelength that 2θ refers to."""
    wavelength = f"λ = {radiation.wavelength:.6g} Å"
    return wavelength if radiation.name.endswith("Å") else f"{radiation.name}, {wavelength}"


def _title(solution: Solution) -> str:
    formula = re.sub(r"(\d+)", r"$_{\1}$", str(solution.problem.formula))
    if not solution.ranked:
        return f"{formula}: no candidate"
    first = solution.ranked[0]
    fit, factors = first.candidate.fit, first.agreement
    residual = "" if fit is None else f", $R^2_{{wp}}$ = {fit.residual:.4f}"
    residual += "" if factors is None else f", $R_{{wp}}$ = {100 * factors.rwp:.2f} %"
    if factors is not None and factors.goodness_of_fit is not None:
        residual += f", GoF = {factors.goodness_of_fit:.2f}"
    if factors is not None and factors.r_bragg is not None:
        residual += f", $R_{{Bragg}}$ = {100 * factors.r_bragg:.2f} %"
    symbol = re.sub(r"-(\d)", r"\\bar{\1}", first.space_group[0])
    return f"{formula}, ${symbol}${residual}"
