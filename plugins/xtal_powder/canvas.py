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
    """How well peaks are resolved.

    Attributes
    ----------
    order
        Of the B-splines.
    points
        Of the grid, a standard deviation.
    points_between
        Likewise where shapes are interpolated.
    between
        Error of interpolated shapes, as a fraction of their maximum.
    """

    order: int
    points: float
    points_between: float
    between: float


#: Errors below 1e-6 of a peak, and 1e-5 where widths change.
EXACT = Resolution(8, 2.5, 2.0, 1e-5)

#: Errors below 1e-3 of a peak, and 3e-3 where widths change.
COARSE = Resolution(4, 2.0, 2.0, 3e-3)


@dataclass(frozen=True)
class CanvasSize:
    """Points over one period of a canvas.

    Attributes
    ----------
    n_grid, n_used
        Of the grid on which reflections are deposited, and of that part of it, its beginning, where they can be.
    n_axis, n_before
        Of the axis, and of those before the first of the measurement: canvas and grid begin below it.
    """

    n_grid: int
    n_used: int
    n_axis: int
    n_before: int


def window(measurement: Measurement, widest: Profile, size_factor: float) -> tuple[float, float]:
    """Return between which Q in Å⁻¹, as seen at the reference wavelength, reflections contribute to a pattern.

    `widest` is a profile of constant widths that no peak exceeds.
    """
    first, last = float(measurement.q[0]), float(measurement.q[-1])
    limit = measurement.reflections_to
    if limit is None:
        limit = last + reach(widest, size_factor)
    limit = min(limit, 4 * math.pi / measurement.radiation.wavelength * math.sin(math.radians(LARGEST_TWO_THETA / 2)))
    return max(0.0, first - support(widest)), min(limit, last + support(widest))


def generous(profile: Profile) -> Profile:
    """Return `profile`, of constant widths, with widths rounded upwards, so that similar profiles become the same."""
    size = profile.crystallite_size
    return Profile(
        crystallite_size=None if size is None else _power_of_root_two(size, math.floor),
        gaussian_sigma=_power_of_root_two(profile.gaussian_sigma, math.ceil),
        lorentzian_hwhm=_power_of_root_two(profile.lorentzian_hwhm, math.ceil),
    )


def largest_shift(profile: Profile) -> float:
    """Return in degrees 2θ how far `profile` moves reflections at most, rounded upwards to a step of half a degree."""
    return math.ceil(2 * (abs(profile.zero_shift) + abs(profile.sample_displacement))) / 2


def canvas_sizes(
    measurement: Measurement,
    profiles: Sequence[Profile],
    widest: Profile,
    shift: float,
    size_factor: float,
    points: float,
) -> tuple[CanvasSize, ...]:
    """Return the sizes of canvases of the same period for peaks of each of `profiles`, which are of constant widths.

    `widest` is a `generous` profile for all of them, `shift` in Å⁻¹ by how much reflections may move, `points` those of
    the grid a standard deviation. Raises InputError for a profile with so little broadening that the grid would be
    excessive.
    """
    finest = [finest_scale(profile, size_factor) for profile in profiles]
    spacings = [_power_of_root_two(width, math.floor) / points for width in finest]
    lowest, highest = window(measurement, widest, size_factor)
    step, margin = measurement.step, MARGIN * max(spacings)
    n_before = math.ceil((max(measurement.q[0] - lowest, 0.0) + shift + margin) / step)
    origin = measurement.q[0] - n_before * step
    occupied = highest + shift + margin - origin
    farthest = max(measurement.q[-1] - lowest, highest - measurement.q[0]) + shift
    period = max(farthest + min(farthest, support(widest)) + 2 * margin, occupied)
    if period / min(spacings) > LARGEST_GRID:
        raise InputError(
            f"peaks {min(finest):.1g} Å⁻¹ wide are too narrow for an axis of {period:.1f} Å⁻¹",
            "give a smaller crystallite size or a larger width",
        )
    n_axis = _fast_length(period / step)
    n_grids = [_fast_length(n_axis * step / spacing) for spacing in spacings]
    return tuple(
        CanvasSize(n_grid, math.ceil(n_grid * occupied / (n_axis * step)), n_axis, n_before) for n_grid in n_grids
    )


class Canvas:
    """A periodic grid in Q on which peaks are drawn, and the axis on which they are read.

    Parameters
    ----------
    measurement
        The axis.
    size, order
        As `canvas_sizes` says, and of the B-splines.
    device
        Where to compute.
    """

    def __init__(self, measurement: Measurement, size: CanvasSize, order: int, device: torch.device) -> None:
        self.size, self.order, self.device = size, order, device
        self.n_points = len(measurement.q)
        self.first = float(measurement.q[0]) - size.n_before * measurement.step
        self.spacing = measurement.step * size.n_axis / size.n_grid
        half_phase = np.pi * np.arange(size.n_grid // 2 + 1) / size.n_grid
        #: (n_grid // 2 + 1,) Å: undoes what the splines did, and makes a transform over the axis an integral over Q.
        self.response = torch.as_tensor(np.sinc(half_phase / np.pi) ** -order / measurement.step, device=device)
        #: (n_grid // 2 + 1,) Å: the variable conjugate to Q.
        self.distance = torch.as_tensor(2 * half_phase / self.spacing, device=device)
        pieces = _spline_pieces(order)
        self.pieces = torch.as_tensor(pieces, device=device)
        #: By position, in units of the spacing.
        self.piece_slopes = torch.as_tensor(pieces[:, 1:] * np.arange(1, order), device=device)

    def empty_grids(self, n_grids: int, n_columns: int) -> torch.Tensor:
        """Return (n_grids, n_used, n_columns) zeros."""
        return torch.zeros(n_grids, self.size.n_used, n_columns, dtype=torch.float64, device=self.device)

    def deposit(
        self,
        grids: torch.Tensor,
        owner: torch.Tensor,
        positions: torch.Tensor,
        columns: torch.Tensor,
        moves: torch.Tensor | None = None,
    ) -> None:
        """Add `columns` (…, n_columns) at `positions` (…) Å⁻¹ to those of the `empty_grids` that `owner` says.

        `owner` is broadcast against `positions`. What is outside the canvas must have no intensity. `moves`
        (…, n_moves) are intensities times movements: what a peak changes by when it moves so is added to the columns
        from the second on.
        """
        place = (positions - (self.first + (self.order // 2 - 1) * self.spacing)).div_(self.spacing)
        base = torch.floor(place)
        t = place.sub_(base).reshape(-1)
        powers = torch.ones(self.order, len(t), dtype=t.dtype, device=self.device)
        for power in range(1, self.order):
            torch.mul(powers[power - 1], t, out=powers[power])
        weights = self.pieces @ powers
        index = base.long().clamp_(0, grids.shape[1] - self.order).add_(owner * grids.shape[1]).reshape(-1)
        n_columns = grids.shape[2]
        if n_columns == 1:
            nodes = torch.arange(self.order, device=self.device)[:, None]
            grids.view(-1).index_add_(0, (index + nodes).view(-1), weights.mul_(columns.reshape(-1)).view(-1))
            return
        flat, values = grids.view(-1, n_columns), columns.reshape(-1, n_columns)
        moved = values[:, :0] if moves is None else moves.reshape(len(values), -1)
        slopes = (self.piece_slopes @ powers[:-1]).div_(self.spacing)
        for weight, slope in zip(weights, slopes, strict=True):
            part = values * weight[:, None]
            part[:, 1 : 1 + moved.shape[1]].addcmul_(moved, slope[:, None])
            flat.index_add_(0, index, part)
            index += 1

    def spectrum(self, grids: torch.Tensor) -> torch.Tensor:
        """Return (n_grids, n_columns, n_grid // 2 + 1): Fourier transforms of what was deposited on `grids`."""
        return torch.fft.rfft(grids.transpose(1, 2), n=self.size.n_grid)

    def shapes(self, profiles: Sequence[Profile], size_factor: float, names: Sequence[str]) -> list[torch.Tensor]:
        """Return (n_profiles, n_grid // 2 + 1) for each of the named members of `PeakShape`: their Fourier transforms.

        The product of a spectrum with one of them and the response is what `read` takes.
        """
        shape = peak_shape(self._offsets(), profiles, size_factor)
        return list(self._transformed(np.stack([getattr(shape, name) for name in names])))

    def image_of_tails(self) -> torch.Tensor:
        """Return (n_grid // 2 + 1,): by how much exp(−γr) exceeds the transform of a Lorentzian on the canvas, per γ.

        exp(−γr) at the canvas' r is the transform of the sum of all periods' Lorentzians; only the one in the middle
        belongs here. Far from their centres these are γ/(πQ²), whose sum over the periods is known.
        """
        per_period = np.pi / (self.spacing * self.size.n_grid)
        phase = np.pi * np.arange(self.size.n_grid // 2 + 1) / self.size.n_grid
        levelled = self._offsets() * per_period
        near = phase < 1e-2
        far = np.where(near, 1.0, np.sin(phase)) ** -2 - np.where(near, 1.0, levelled) ** -2
        return self._transformed(np.where(near, 1 / 3 + phase**2 / 15, far) * (per_period**2 / np.pi))

    def _offsets(self) -> FloatArray:
        """Return the distances (n_grid // 2 + 1,) Å⁻¹ from its centre at which a shape is evaluated.

        Tails would have a kink where one period meets the next, whose Fourier transform falls too slowly: the last
        distances grow more slowly than the grid does.
        """
        n_grid = self.size.n_grid
        offsets = np.arange(0.0, n_grid // 2 + 1) * self.spacing
        margin = MARGIN * self.spacing
        beyond = np.maximum(offsets - (n_grid * self.spacing / 2 - margin), 0)
        return offsets + 2 * margin / np.pi * np.sin(np.pi / 2 * beyond / margin) - beyond

    def _transformed(self, halves: FloatArray) -> torch.Tensor:
        """Return the Fourier integrals of symmetric functions given on half the grid, (…, n_grid // 2 + 1)."""
        mirrored = np.concatenate([halves, halves[..., (self.size.n_grid - 1) // 2 : 0 : -1]], axis=-1)
        return torch.fft.rfft(torch.as_tensor(mirrored, device=self.device)).real * self.spacing

    def read(self, spectra: torch.Tensor) -> torch.Tensor:
        """Return (…, n_points): the values on the axis of what has the Fourier transforms `spectra`."""
        if not spectra.numel():  # which the transform does not take
            return spectra.real.new_zeros(*spectra.shape[:-1], self.n_points)
        folded = _folded(spectra, self.size.n_axis)
        first = self.size.n_before
        return torch.fft.irfft(folded, n=self.size.n_axis)[..., first : first + self.n_points]


def _folded(spectra: torch.Tensor, n: int) -> torch.Tensor:
    """Return (…, n // 2 + 1): the transform of every so manieth point of a real function, `n` in all.

    Its frequencies are those of the function's transform (…, n_frequencies) modulo n.
    """
    half, n_frequencies = n // 2 + 1, spectra.shape[-1]
    if n_frequencies <= half:
        return spectra
    folded = spectra[..., :half].clone()
    for multiple in range(n, n_frequencies + half, n):
        above = spectra[..., multiple : multiple + half]
        folded[..., : above.shape[-1]] += above
        # Negative frequencies −m + multiple of n, whose values are the complex conjugates of those at m.
        first, last = multiple - half + 1, min(multiple, n_frequencies - 1)
        folded[..., multiple - last :] += spectra[..., first : last + 1].flip(-1).conj()
    return folded


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
