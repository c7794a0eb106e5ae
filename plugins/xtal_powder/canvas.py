"""From reflections to a pattern: deposit on a periodic grid, convolve with the peak shape, read off the axis.

A reflection is shared among the nearest grid points by a B-spline, and what that does to its Fourier transform is
undone together with the convolution, as in smooth particle-mesh Ewald summation (Essmann et al., J. Chem. Phys. 103,
8577 (1995)). The grid is as fine as the peak shape requires, whatever the axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import torch
from scipy.fft import next_fast_len
from scipy.interpolate import BSpline, PPoly

from xtal_core.errors import InputError
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray
from xtal_powder.peak_shape import finest_scale, peak_shape, reach, support

#: Grid points between the farthest a peak is seen and half the period, in which its tails are levelled off.
MARGIN = 16

#: Grid points of the narrowest peaks that are drawn.
LARGEST_GRID = 1e7

#: The Lorentz factor diverges at backscattering: nothing beyond this 2θ, in degrees, contributes.
LARGEST_TWO_THETA = 170.0


@dataclass(frozen=True)
class Resolution:
    """How well peaks are resolved: order of the B-splines, grid points a standard deviation."""

    order: int
    points: float


#: Errors below 1e-6 of a peak.
EXACT = Resolution(6, 3.5)

#: Errors below 1e-3 of a peak.
COARSE = Resolution(4, 2.0)


@dataclass(frozen=True)
class CanvasSize:
    """Points over one period of a canvas.

    Attributes
    ----------
    n_grid
        Of the grid on which reflections are deposited.
    n_axis
        Of the axis, made finer where that is needed to represent the peaks.
    stride
        Every how manieth of those is a point of the measurement.
    """

    n_grid: int
    n_axis: int
    stride: int


def window(measurement: Measurement, profile: Profile, size_factor: float) -> tuple[float, float]:
    """Return between which Q in Å⁻¹, as seen at the reference wavelength, reflections contribute to a pattern."""
    first, last = float(measurement.q[0]), float(measurement.q[-1])
    limit = measurement.reflections_to
    if limit is None:
        limit = last + reach(profile, size_factor)
    limit = min(limit, 4 * math.pi / measurement.radiation.wavelength * math.sin(math.radians(LARGEST_TWO_THETA / 2)))
    return max(0.0, first - support(profile)), min(limit, last + support(profile))


def canvas_size(measurement: Measurement, profile: Profile, size_factor: float, resolution: Resolution) -> CanvasSize:
    """Return the size of the canvas for patterns with `profile`.

    Widths are rounded, so that similar profiles share a canvas. Raises InputError for a profile without broadening, or
    with so little that the grid would be excessive.
    """
    width = finest_scale(profile, size_factor)
    if width <= 0:
        raise InputError(
            "a profile without any broadening cannot be drawn",
            "give a crystallite size, a Gaussian or a Lorentzian width",
        )
    spacing = _power_of_root_two(width, math.floor) / resolution.points
    size = profile.crystallite_size
    generous = Profile(
        crystallite_size=None if size is None else _power_of_root_two(size, math.floor),
        gaussian_sigma=_power_of_root_two(profile.gaussian_sigma, math.ceil),
        lorentzian_hwhm=_power_of_root_two(profile.lorentzian_hwhm, math.ceil),
    )
    lowest, highest = window(measurement, generous, size_factor)
    shift = 2 * math.pi / measurement.radiation.wavelength * math.radians(math.ceil(2 * abs(profile.zero_shift)) / 2)
    farthest = max(measurement.q[-1] - lowest, highest - measurement.q[0]) + shift
    period = farthest + min(farthest, support(generous)) + 2 * MARGIN * spacing
    if period / spacing > LARGEST_GRID:
        raise InputError(
            f"peaks {width:.1g} Å⁻¹ wide are too narrow for an axis of {period:.1f} Å⁻¹",
            "give a smaller crystallite size or a larger width",
        )
    n_axis = _fast_length(period / measurement.step)
    n_grid = _fast_length(n_axis * measurement.step / spacing)
    stride = math.ceil(n_grid / n_axis)
    return CanvasSize(n_grid, n_axis * stride, stride)


class Canvas:
    """A periodic grid in Q on which peaks are drawn, and the axis on which they are read.

    Parameters
    ----------
    measurement
        The axis.
    size, order
        As `canvas_size` says, and of the B-splines.
    device
        Where to compute.
    """

    def __init__(self, measurement: Measurement, size: CanvasSize, order: int, device: torch.device) -> None:
        self.size, self.order, self.device = size, order, device
        self.n_points = len(measurement.q)
        self.first = float(measurement.q[0])
        self.spacing = measurement.step * size.n_axis / size.stride / size.n_grid
        half_phase = np.pi * np.arange(size.n_grid // 2 + 1) / size.n_grid
        response = size.n_axis / size.n_grid * np.sinc(half_phase / np.pi) ** -order
        self.response = torch.as_tensor(response, device=device)
        #: (n_grid // 2 + 1,) Å: the variable conjugate to Q.
        self.distance = torch.as_tensor(2 * half_phase / self.spacing, device=device)
        self.pieces = torch.as_tensor(_spline_pieces(order), device=device)

    def empty_grids(self, n_grids: int, n_columns: int) -> torch.Tensor:
        """Return (n_grids, n_grid + order − 1, n_columns) zeros; what is beyond `n_grid` belongs to the beginning."""
        shape = (n_grids, self.size.n_grid + self.order - 1, n_columns)
        return torch.zeros(shape, dtype=torch.float64, device=self.device)

    def deposit(self, grids: torch.Tensor, owner: torch.Tensor, positions: torch.Tensor, columns: torch.Tensor) -> None:
        """Add `columns` (…, n_columns) at `positions` (…) Å⁻¹ to those of the `empty_grids` that `owner` says.

        `owner` is broadcast against `positions`.
        """
        place = (positions - (self.first + (self.order // 2 - 1) * self.spacing)).div_(self.spacing)
        base = torch.floor(place)
        t = place.sub_(base).reshape(-1)
        powers = torch.ones(self.order, len(t), dtype=t.dtype, device=self.device)
        for power in range(1, self.order):
            torch.mul(powers[power - 1], t, out=powers[power])
        weights = self.pieces @ powers
        index = base.long().remainder_(self.size.n_grid).add_(owner * grids.shape[1]).reshape(-1)
        n_columns = grids.shape[2]
        if n_columns == 1:
            nodes = torch.arange(self.order, device=self.device)[:, None]
            grids.view(-1).index_add_(0, (index + nodes).view(-1), weights.mul_(columns.reshape(-1)).view(-1))
        else:
            for weight in weights:
                grids.view(-1, n_columns).index_add_(0, index, columns.reshape(-1, n_columns) * weight[:, None])
                index += 1

    def spectrum(self, grids: torch.Tensor) -> torch.Tensor:
        """Return (n_grids, n_columns, n_grid // 2 + 1): Fourier transforms of what was deposited on `grids`."""
        n_grid = self.size.n_grid
        grids[:, : self.order - 1] += grids[:, n_grid:]
        return torch.fft.rfft(grids[:, :n_grid].transpose(1, 2).contiguous())

    def kernels(self, profiles: Sequence[Profile], size_factor: float, names: Sequence[str]) -> list[torch.Tensor]:
        """Return (n_profiles, n_grid // 2 + 1) for each of the named members of `PeakShape`.

        The product of a spectrum with one of them is what `read` takes.
        """
        n_grid = self.size.n_grid
        offsets = np.arange(0.0, n_grid // 2 + 1) * self.spacing
        # Tails would have a kink where one period meets the next, whose Fourier transform falls too slowly.
        margin = MARGIN * self.spacing
        beyond = np.maximum(offsets - (n_grid * self.spacing / 2 - margin), 0)
        offsets += 2 * margin / np.pi * np.sin(np.pi / 2 * beyond / margin) - beyond
        shape = peak_shape(offsets, profiles, size_factor)
        halves = np.stack([getattr(shape, name) for name in names])
        mirrored = np.concatenate([halves, halves[..., (n_grid - 1) // 2 : 0 : -1]], axis=-1)
        return list(torch.fft.rfft(torch.as_tensor(mirrored, device=self.device)).real * self.response)

    def read(self, spectra: torch.Tensor) -> torch.Tensor:
        """Return (…, n_points): the values on the axis of what has the Fourier transforms `spectra`."""
        full = torch.fft.irfft(spectra, n=self.size.n_axis)
        return full[..., : self.n_points * self.size.stride : self.size.stride]


def _fast_length(least: float) -> int:
    """Return a number of points, `least` or more, whose Fourier transform is quick."""
    return cast(int, next_fast_len(math.ceil(least), real=True))


def _power_of_root_two(value: float, rounding: Callable[[float], int]) -> float:
    """Return `value` rounded to a power of √2; 0 stays."""
    return 2 ** (rounding(2 * math.log2(value)) / 2) if value > 0 else 0.0


@lru_cache
def _spline_pieces(order: int) -> FloatArray:
    """Return the (order, order) polynomial coefficients of a B-spline: rows are pieces, columns powers from 0.

    Row k is what the k-th of `order` grid points gets of a reflection at t ∈ [0, 1) past the one in their middle.
    """
    spline = PPoly.from_spline(BSpline.basis_element(np.arange(order + 1.0)))
    pieces = spline.c[::-1, np.isin(spline.x[:-1], np.arange(order))].T
    # The first point is the one farthest below the reflection: it sees the spline's last piece.
    return np.ascontiguousarray(pieces[::-1])
