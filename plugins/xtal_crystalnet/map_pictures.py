"""Pictures of density maps: planes through the cell, surfaces of constant density, predictions beside the truth.

Surfaces are found by following parallel rays through the cell, so that they need no triangles: what a ray meets first
is where neighbouring points of it are below and above the level. Surfaces end at the faces of the cell, and what they
enclose is seen there as a section.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray
from xtal_crystalnet.map_similarity import MapScores, closed, rotated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNIT = "e⁻/Å³"
EDGE, HIDDEN_EDGE, MARK = "#1b1b1b", "#8d99ae", "#ffffff"

#: Shares of the cell outside the surfaces that are drawn unless levels are given.
SHARES = (0.88, 0.97, 0.995)

#: Of surfaces from the outermost inwards; the innermost is opaque.
OPACITY = 0.3

#: Decades of density below the maximum that the colours of slices tell apart.
DECADES = 3

#: Degrees: a points at the viewer and slightly to the left, b to the right, c up.
AZIMUTH, ELEVATION = 24.0, 18.0

#: (8, 3) fractional coordinates of the corners of the cell, x changing last.
CORNERS = np.array(list(product((0.0, 1.0), repeat=3)))

#: Towards the viewer, to the right, up.
_LIGHT = np.array([0.72, -0.42, 0.55]) / np.linalg.norm([0.72, -0.42, 0.55])

_COLOURS = "plasma"

#: Pixels: standard deviation.
_BLUR = 0.6


@dataclass(frozen=True, eq=False)
class Comparison:
    """A true map and what was predicted of it.

    Attributes
    ----------
    formula
        Caption of the truth.
    truth : (n, n, n) e⁻/Å³
    predicted : (n_draws, n, n, n) e⁻/Å³
    scores
        What `score_maps` returned for these.
    """

    formula: str
    truth: FloatArray
    predicted: FloatArray
    scores: MapScores


def draw_slices(values: FloatArray, label: str = "", at: Sequence[float] | None = None) -> Figure:
    """Return a figure of three planes through the map `values` (n1, n2, n3) e⁻/Å³, over fractional coordinates.

    `at` (3,) fractional coordinates is where the planes meet; by default the highest maximum. Colours are logarithmic
    over `DECADES` decades.

    Raises InputError for a map without positive values.
    """
    from matplotlib.colors import LogNorm

    values = _checked(values)
    shape = values.shape
    if at is None:
        meeting = np.array(np.unravel_index(values.argmax(), shape))
    else:
        meeting = np.rint(np.asarray(at, float) * shape).astype(int) % shape
    highest = float(values.max())
    if highest <= 0:
        raise InputError("a map without positive values has no logarithm", "check the network or file it comes from")
    lowest = highest / 10**DECADES
    # Negative values have no logarithm, but a colour.
    whole, norm = closed(np.maximum(values, lowest)), LogNorm(lowest, highest)
    figure = _figure(10.4, 3.9)
    panels = figure.subplots(1, 3)
    names, place = "xyz", meeting / shape
    for across, right, up in ((2, 0, 1), (1, 0, 2), (0, 1, 2)):
        axes = panels[2 - across]
        plane = whole.take(meeting[across], axis=across)
        half = [0.5 / shape[right], 0.5 / shape[up]]
        image = axes.imshow(
            plane.T,
            origin="lower",
            extent=(-half[0], 1 + half[0], -half[1], 1 + half[1]),
            norm=norm,
            cmap="magma",
            interpolation="bilinear",
        )
        axes.axvline(place[right], color=MARK, linewidth=0.5, alpha=0.5)
        axes.axhline(place[up], color=MARK, linewidth=0.5, alpha=0.5)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=names[right], ylabel=names[up], aspect="equal")
        axes.set_title(f"{names[across]} = {place[across]:.2f}", fontsize=10)
        axes.tick_params(labelsize=8)
    bar = figure.colorbar(image, ax=panels, shrink=0.9, pad=0.015, extend="min")
    bar.set_label(f"electron density ({UNIT})")
    if label:
        figure.suptitle(typeset(label), x=0.01, ha="left", fontsize=12)
    return figure


def draw_surfaces(
    values: FloatArray,
    label: str = "",
    levels: Sequence[float] | None = None,
    lattice: FloatArray | None = None,
    azimuth: float = AZIMUTH,
    elevation: float = ELEVATION,
) -> Figure:
    """Return a figure of surfaces of constant density of the map `values` (n1, n2, n3) e⁻/Å³.

    Parameters
    ----------
    levels
        Densities in e⁻/Å³ of the surfaces, by default `surface_levels`.
    lattice : (3, 3) Å
        Lattice vectors as rows; without it, the cell is drawn as a cube, as the networks see it.
    azimuth, elevation
        Degrees from x to y, and above the plane of x and y, of where the viewer is.
    """
    values = _checked(values)
    chosen = surface_levels(values) if levels is None else np.sort(np.asarray(levels, float))
    figure = _figure(5.2, 5.2)
    axes = figure.subplots()
    _draw_cell(axes, values, chosen, Camera.of(lattice, azimuth, elevation), pixels=600)
    axes.set_title(typeset(label), loc="left", fontsize=12)
    axes.set_xlabel(_caption(chosen), fontsize=9)
    return figure


def draw_comparison(rows: Sequence[Comparison]) -> Figure:
    """Return a figure with a row a crystal: the truth, then what was predicted, turned to the best SSIM.

    All maps of a row are drawn as cubes with surfaces at the densities that `surface_levels` finds in the truth.

    Raises InputError without rows.
    """
    if not rows:
        raise InputError("there is nothing to compare", "give at least one crystal with predictions")
    n_columns = 1 + max(len(row.predicted) for row in rows)
    figure = _figure(2.3 * n_columns, 2.85 * len(rows))
    camera = Camera.of(None, AZIMUTH, ELEVATION)
    for row, panels in zip(rows, figure.subplots(len(rows), n_columns, squeeze=False), strict=True):
        truth = _checked(row.truth)
        levels = surface_levels(truth)
        turned = [rotated(v, r) for v, r in zip(row.predicted, row.scores.ssim_rotation, strict=True)]
        for axes in panels[len(turned) + 1 :]:
            axes.set_axis_off()
        for axes, values in zip(panels, [truth, *turned], strict=False):
            _draw_cell(axes, _checked(values), levels, camera, pixels=300)
        best = int(row.scores.ssim.argmax())
        for number, (ssim, psnr) in enumerate(zip(row.scores.ssim, row.scores.psnr, strict=True)):
            caption = f"prediction {number + 1}\nSSIM {ssim:.3f}, {psnr:.1f} dB"
            panels[number + 1].set_title(caption, fontsize=9, weight="bold" if number == best else "normal")
        baseline = f"constant map: SSIM {row.scores.baseline_ssim:.3f}"
        panels[0].set_title(f"{typeset(row.formula)}\n{baseline}", fontsize=9)
        panels[0].set_xlabel(_caption(levels), fontsize=8)
    return figure


def surface_levels(values: FloatArray) -> FloatArray:
    """Return the densities, increasing, that the `SHARES` of the map's points do not exceed."""
    return np.unique(np.quantile(values, SHARES))


@dataclass(frozen=True, eq=False)
class Camera:
    """How a cell is looked at, from far away.

    Attributes
    ----------
    lattice : (3, 3) Å
        Lattice vectors as rows.
    axes : (3, 3)
        Unit vectors as rows: towards the viewer, to the right, up.
    reach
        Å that corners of the cell are at most to the right of its centre, to the left, above or below.
    """

    lattice: FloatArray
    axes: FloatArray
    reach: float

    @classmethod
    def of(cls, lattice: FloatArray | None, azimuth: float, elevation: float) -> Camera:
        """Return a camera for the `lattice` (3, 3) Å, or a cube of 1 Å; angles are those of `draw_surfaces`."""
        lattice = np.eye(3) if lattice is None else np.asarray(lattice, float)
        around, above = math.radians(azimuth), math.radians(elevation)
        right = np.array([-math.sin(around), math.cos(around), 0.0])
        level = math.cos(above)
        viewer = np.array([level * math.cos(around), level * math.sin(around), math.sin(above)])
        axes = np.array([viewer, right, np.cross(viewer, right)])
        return cls(lattice, axes, float(np.abs((CORNERS - 0.5) @ lattice @ axes[1:].T).max()))

    def project(self, fractional: FloatArray) -> FloatArray:
        """Return (n, 3) Å: how far towards the viewer, to the right of and above the centre (n, 3) `fractional` are."""
        return (fractional - 0.5) @ self.lattice @ self.axes.T


def render(values: FloatArray, levels: FloatArray, camera: Camera, pixels: int) -> FloatArray:
    """Return (pixels, pixels, 4) red, green, blue, opacity: the surfaces of constant density of a map.

    Parameters
    ----------
    values : (n1, n2, n3) e⁻/Å³
    levels : (n_levels,) e⁻/Å³, increasing
        The outer surfaces are translucent, the last is opaque.
    pixels
        Of the picture's edges, which reach from -`camera.reach` to `camera.reach`; the first row is at the bottom.
    """
    from matplotlib import colormaps
    from scipy.ndimage import gaussian_filter

    # Between points of the grid, logarithms of densities are nearly linear where densities, on steep flanks, are not.
    unit = np.abs(levels).min() or 1.0
    field, thresholds = closed(np.arcsinh(values / unit)), np.arcsinh(levels / unit)
    rays = _Rays.through(camera, pixels)
    depths = _crossings(field, thresholds, rays)
    slopes = [closed(slope) for slope in _periodic_gradient(field[:-1, :-1, :-1])]
    to_fractional = np.linalg.inv(camera.lattice)
    colours = colormaps[_COLOURS]
    low, high = thresholds[0], max(thresholds[-1], thresholds[0] + 1e-9)
    picture = np.zeros((len(rays.origin), 4))
    for number, depth in enumerate(depths):
        seen = np.flatnonzero(np.isfinite(depth))
        points = rays.at(seen, depth[seen])
        section = depth[seen] == 0
        gradient = np.stack([_sample(slope, points) for slope in slopes], axis=-1)
        normal = np.where(section[:, None], rays.face[seen], -gradient) @ to_fractional.T
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        # On a section the density itself, elsewhere the level.
        shown = np.where(section, _sample(field, points), thresholds[number])
        colour = colours(0.12 + 0.8 * np.clip((shown - low) / (high - low), 0, 1))[:, :3]
        lit = np.clip(normal @ (_LIGHT @ camera.axes), 0, 1)[:, None]
        glint = np.where(section[:, None], 0, 0.4 * lit**24)
        colour = colour * np.where(section[:, None], 0.8 + 0.2 * lit, 0.5 + 0.5 * lit)
        colour = colour + (1 - colour) * glint
        opacity = np.where(section | (number == len(levels) - 1), 1.0, OPACITY)
        weight = (1 - picture[seen, 3]) * opacity
        picture[seen, :3] += weight[:, None] * colour
        picture[seen, 3] += weight
    image = np.zeros((pixels * pixels, 4))
    image[rays.pixel] = picture
    # Each pixel is one ray, which makes edges jagged. Colours are weighted by opacity, as averages demand.
    image = gaussian_filter(image.reshape(pixels, pixels, 4), (_BLUR, _BLUR, 0))
    opacity = image[..., 3:]
    # Transparent pixels are white, so that interpolation leaves no dark seams.
    image[..., :3] = np.where(opacity > 1e-3, image[..., :3] / np.maximum(opacity, 1e-3), 1)
    return np.clip(image, 0, 1)


@dataclass(frozen=True, eq=False)
class _Rays:
    """Rays that meet the cell, in fractional coordinates.

    Attributes
    ----------
    pixel : (n_rays,)
        Of the flat picture.
    origin, direction : (n_rays, 3), (3,)
        Where rays enter the cell; the way they go on.
    length : (n_rays,)
        What times `direction` leads to where they leave it.
    face : (n_rays, 3)
        Outward normals, in reciprocal space, of the faces they enter by.
    """

    pixel: IntArray
    origin: FloatArray
    direction: FloatArray
    length: FloatArray
    face: FloatArray

    @classmethod
    def through(cls, camera: Camera, pixels: int) -> _Rays:
        steps = camera.reach * ((np.arange(pixels) + 0.5) / pixels * 2 - 1)
        up, right = (each.ravel() for each in np.meshgrid(steps, steps, indexing="ij"))
        to_fractional = np.linalg.inv(camera.lattice)
        middle = (right[:, None] * camera.axes[1] + up[:, None] * camera.axes[2]) @ to_fractional + 0.5
        direction = -camera.axes[0] @ to_fractional
        direction = np.where(np.abs(direction) < 1e-9, 1e-9, direction)
        ends = np.stack([-middle / direction, (1 - middle) / direction])
        entries, exits = ends.min(axis=0), ends.max(axis=0)
        entry, length = entries.max(axis=1), exits.min(axis=1) - entries.max(axis=1)
        pixel = np.flatnonzero(length > 0)
        through = entries.argmax(axis=1)[pixel]
        origin = np.clip(middle[pixel] + entry[pixel, None] * direction, 0, 1)
        return cls(pixel, origin, direction, length[pixel], -np.sign(direction) * np.eye(3)[through])

    def at(self, rays: IntArray, depth: FloatArray) -> FloatArray:
        """Return (n, 3) fractional coordinates at the (n,) `depth` of the (n,) `rays`."""
        return self.origin[rays] + depth[:, None] * self.direction


def _crossings(field: FloatArray, thresholds: FloatArray, rays: _Rays) -> FloatArray:
    """Return (n_levels, n_rays) depths at which rays first are above thresholds; infinite where they never are."""
    step = 1 / float(np.abs(rays.direction * (np.array(field.shape) - 1)).max())
    found = np.full((len(thresholds), len(rays.origin)), np.inf)
    going = np.arange(len(rays.origin))
    before, depth = _sample(field, rays.origin), np.zeros(len(going))
    found[before >= thresholds[:, None]] = 0
    while True:
        on = (depth < rays.length[going]) & np.isinf(found[-1, going])
        going, before, depth = going[on], before[on], depth[on]
        if not len(going):
            return found
        # The last step ends at the face by which the ray leaves.
        ahead = np.minimum(depth + step, rays.length[going])
        value = _sample(field, rays.at(going, ahead))
        for level, threshold in zip(found, thresholds, strict=True):
            new = np.flatnonzero((before < threshold) & (value >= threshold))
            new = new[np.isinf(level[going[new]])]
            share = (threshold - before[new]) / (value[new] - before[new])
            level[going[new]] = depth[new] + share * (ahead - depth)[new]
        before, depth = value, ahead


def _draw_cell(axes: Axes, values: FloatArray, levels: FloatArray, camera: Camera, pixels: int) -> None:
    """Draw surfaces, and the edges of the cell with their names; hidden edges are behind the surfaces."""
    reach = camera.reach
    image = render(values, levels, camera, pixels)
    axes.imshow(image, origin="lower", extent=(-reach, reach, -reach, reach), interpolation="bilinear", zorder=2)
    inwards = -camera.axes[0] @ np.linalg.inv(camera.lattice)
    for first, axis in product(range(8), range(3)):
        if CORNERS[first, axis] == 0:
            second = first | (4 >> axis)
            ends = camera.project(CORNERS[[first, second]])
            others = [other for other in range(3) if other != axis]
            # Faces x = 0 look at the viewer if rays go on towards greater x, faces x = 1 if they do not.
            hidden = all((inwards[other] > 0) == (CORNERS[first, other] == 1) for other in others)
            colour, width, order = (HIDDEN_EDGE, 0.7, 1) if hidden else (EDGE, 0.9, 3)
            axes.plot(ends[:, 1], ends[:, 2], color=colour, linewidth=width, zorder=order, solid_capstyle="round")
    for name, end in zip("abc", np.eye(3), strict=True):
        _, right, up = camera.project(0.5 + 1.1 * (end[None] - 0.5))[0]
        axes.text(right, up, name, fontsize=8, style="italic", ha="center", va="center", color=EDGE)
    axes.set(xlim=(-1.1 * reach, 1.1 * reach), ylim=(-1.1 * reach, 1.1 * reach), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def typeset(formula: str) -> str:
    """Return `formula` with its numbers as subscripts, as matplotlib writes them."""
    return re.sub(r"(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)", r"$_{\1}$", formula)


def _caption(levels: FloatArray) -> str:
    return "surfaces at " + ", ".join(f"{level:.3g}" for level in levels) + f" {UNIT}"


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _periodic_gradient(values: FloatArray) -> list[FloatArray]:
    """Return the derivatives of a map along its fractional coordinates."""
    return [n / 2 * (np.roll(values, -1, axis) - np.roll(values, 1, axis)) for axis, n in enumerate(values.shape)]


def _sample(whole: FloatArray, points: FloatArray) -> FloatArray:
    """Return the (n,) values at (n, 3) fractional coordinates between 0 and 1."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(whole, (points * (np.array(whole.shape) - 1)).T, order=1, mode="nearest")


def _checked(values: FloatArray) -> FloatArray:
    values = np.asarray(values, float)
    if values.ndim != 3 or not values.size:
        raise InputError(f"values of the shape {values.shape} are not a map", "give values along three axes")
    if not np.isfinite(values).all():
        raise InputError("a map holds values that are not finite", "check the network or file it comes from")
    return values
