"""Patterns from reflections whose peaks may change in width along Q.

Where widths are constant there is one canvas. Else there is one for each of the `Nodes`, as fine as the peaks there
require, on which a reflection is drawn with the weight of the node; what they show is added up before it is read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from xtal_core.errors import InputError
from xtal_core.measurement import Measurement, Profile
from xtal_powder.canvas import (
    LARGEST_TWO_THETA,
    Canvas,
    CanvasSize,
    Resolution,
    canvas_sizes,
    generous,
    largest_shift,
    window,
)
from xtal_powder.nodes import Nodes, choose_nodes
from xtal_powder.peak_shape import finest_scale, reach
from xtal_powder.widths import local_profiles, widest, width_slopes, widths_at


@dataclass(frozen=True)
class Layout:
    """Nodes, and the sizes of their canvases; equal layouts can be drawn together."""

    nodes: Nodes
    sizes: tuple[CanvasSize, ...]


def reflection_window(measurement: Measurement, profile: Profile, size_factor: float) -> tuple[float, float]:
    """Return between which Q in Å⁻¹, as seen at the reference wavelength, reflections contribute to a pattern."""
    broadest = widest(profile, float(measurement.q[-1]), measurement.radiation.wavelength)
    return window(measurement, broadest, size_factor)


def layout_of(measurement: Measurement, profile: Profile, size_factor: float, resolution: Resolution) -> Layout:
    """Return the layout for patterns with `profile`, which depends on these arguments only.

    Widths are rounded, so that similar profiles share a layout. Raises InputError for a profile that does not broaden
    all peaks, and as `canvas_sizes` does.
    """
    wavelength, first = measurement.radiation.wavelength, float(measurement.q[0])
    broadest = generous(widest(profile, float(measurement.q[-1]), wavelength))
    degrees = largest_shift(profile)
    shift = 2 * math.pi / wavelength * math.radians(degrees)
    lowest, highest = window(measurement, broadest, size_factor)
    # Of reflections far below the axis only tails are seen: for them widths nearby will do.
    lowest = max(lowest - shift, first - shift - reach(broadest, size_factor), first / 2)
    last_angle = math.radians(min(LARGEST_TWO_THETA + degrees, 179.0))
    highest = min(highest + shift, 4 * math.pi / wavelength * math.sin(last_angle / 2))
    if not all(finest_scale(end) for end in local_profiles(profile, np.array([lowest, highest]), wavelength)):
        raise InputError(
            "a profile without any broadening cannot be drawn",
            "give a crystallite size, a Gaussian or a Lorentzian width",
        )
    size = profile.crystallite_size
    scaled = replace(profile, crystallite_size=None if size is None else size * size_factor)
    nodes = choose_nodes(scaled, lowest, highest, wavelength, resolution.between)
    shapes = local_profiles(profile, nodes.positions, wavelength)
    points = resolution.points if nodes.count == 1 else resolution.points_between
    return Layout(nodes, canvas_sizes(measurement, shapes, broadest, shift, size_factor, points))


@dataclass(frozen=True, eq=False)
class Deposit:
    """Reflections to be drawn: whose they are, where, and how strong.

    Attributes
    ----------
    owner, position : broadcast against one another
        Row of the drawing; Q in Å⁻¹.
    columns : (…, n_columns)
        The intensity and, after it, its derivatives.
    moves : (…, n_moves)
        Intensity times movement, for the derivatives along which reflections move: the first ones.
    """

    owner: torch.Tensor
    position: torch.Tensor
    columns: torch.Tensor
    moves: torch.Tensor | None = None

    def weighted(self, weight: torch.Tensor, slope: torch.Tensor) -> Deposit:
        """Return the deposit with intensities multiplied by a weight that changes with the position by `slope`."""
        columns = self.columns * weight[..., None]
        if self.moves is None:
            return replace(self, columns=columns)
        columns[..., 1 : 1 + self.moves.shape[-1]].addcmul_(self.moves, slope[..., None])
        return replace(self, columns=columns, moves=self.moves * weight[..., None])


@dataclass(frozen=True, eq=False)
class Shapes:
    """What the spectra at one node are multiplied by.

    Attributes
    ----------
    value : (n_profiles, n_frequencies)
    by_parameter : (n_profiles, n_parameters, n_frequencies)
        Derivatives of `value`.
    """

    value: torch.Tensor
    by_parameter: torch.Tensor


class Easel:
    """The canvases of a layout."""

    def __init__(self, measurement: Measurement, layout: Layout, order: int, device: torch.device) -> None:
        self.nodes, self.device = layout.nodes, device
        self.wavelength = measurement.radiation.wavelength
        self.canvases = [Canvas(measurement, size, order, device) for size in layout.sizes]
        #: Index of the finest canvas.
        self.finest = int(np.argmax([size.n_grid for size in layout.sizes]))
        #: Points of all canvases of one row and column.
        self.n_points = sum(size.n_grid for size in layout.sizes)

    def narrowest(self, profile: Profile, size_factor: float) -> float:
        """Return the `finest_scale` in Å⁻¹ of the peaks of `profile`."""
        return finest_scale(self._narrowest(profile), size_factor)

    def shapes(self, profiles: Sequence[Profile], size_factor: float, parameters: Sequence[str] = ()) -> list[Shapes]:
        """Return the shapes of `profiles` at every node, with derivatives by some of `SHAPE_PARAMETERS`."""
        positions = self.nodes.positions
        finest = self.canvases[self.finest]
        names = ["value"]
        if "crystallite_size" in parameters:
            names.append("by_size")
        if any(name.endswith("_hwhm") for name in parameters):
            names.append("by_hwhm")
        narrowest = [self._narrowest(profile) for profile in profiles]
        reference = dict(zip(names, finest.shapes(narrowest, size_factor, names), strict=True))
        widths = [widths_at(profile, positions, self.wavelength) for profile in profiles]
        variance = self._tensor([w.variance - w.variance[self.finest] for w in widths])
        hwhm = self._tensor([w.hwhm - w.hwhm[self.finest] for w in widths])
        slopes = [[width_slopes(p, positions, self.wavelength, name) for name in parameters] for p in profiles]
        by_variance = self._tensor([[slope.variance for slope in row] for row in slopes])
        by_hwhm = self._tensor([[slope.hwhm for slope in row] for row in slopes])
        images = finest.image_of_tails() if len(self.canvases) > 1 else None
        shapes = []
        for node, canvas in enumerate(self.canvases):
            r, n = canvas.distance, len(canvas.distance)
            factor = canvas.response.expand(len(profiles), -1)
            if images is not None:
                # Shapes differ by convolution with a Gaussian and a Lorentzian.
                wider = hwhm[:, node, None]
                lorentzian = torch.exp(-r * wider) - wider * images[:n]
                factor = factor * torch.exp(r.square() * (-variance[:, node, None] / 2)) * lorentzian
            value = reference["value"][:, :n] * factor
            derivatives = torch.zeros(len(profiles), len(parameters), n, dtype=r.dtype, device=self.device)
            for column, name in enumerate(parameters):
                if name == "crystallite_size":
                    derivatives[:, column] = reference["by_size"][:, :n] * factor
                elif name.endswith("_hwhm"):
                    derivatives[:, column] = reference["by_hwhm"][:, :n] * factor * by_hwhm[:, column, node, None]
                else:
                    derivatives[:, column] = value * (r.square() * (by_variance[:, column, node, None] / -2))
            shapes.append(Shapes(value, derivatives))
        return shapes

    def draw(
        self, deposits: Sequence[Deposit], n_rows: int, shapes: Sequence[Shapes]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (n_rows, n_columns, n_points) and, of the first column, (n_rows, n_parameters, n_points).

        The latter are derivatives by the parameters for which `shapes` were made, for one profile a row or for all.
        """
        weights = [self.nodes.weights(d.position) for d in deposits] if len(self.canvases) > 1 else []

        def spectra_at(node: int) -> torch.Tensor:
            canvas = self.canvases[node]
            grids = canvas.empty_grids(n_rows, deposits[0].columns.shape[-1])
            for index, deposit in enumerate(deposits):
                part = deposit.weighted(weights[index][0][node], weights[index][1][node]) if weights else deposit
                canvas.deposit(grids, part.owner, part.position, part.columns, part.moves)
            return canvas.spectrum(grids)

        spectra, shape = spectra_at(self.finest), shapes[self.finest]
        by_parameter = spectra[:, :1] * shape.by_parameter
        drawn = spectra.mul_(shape.value[:, None])
        for node, shape in enumerate(shapes):
            if node != self.finest:
                spectra = spectra_at(node)
                n = spectra.shape[-1]
                by_parameter[..., :n].addcmul_(spectra[:, :1], shape.by_parameter)
                drawn[..., :n].addcmul_(spectra, shape.value[:, None])
        finest = self.canvases[self.finest]
        return finest.read(drawn), finest.read(by_parameter)

    def _narrowest(self, profile: Profile) -> Profile:
        """Return the profile of constant widths that is that of `profile` at the node with the finest canvas."""
        return local_profiles(profile, self.nodes.positions[self.finest : self.finest + 1], self.wavelength)[0]

    def _tensor(self, values: Sequence[object]) -> torch.Tensor:
        return torch.as_tensor(np.array(values), device=self.device)
