"""Where a reflection is seen with each wavelength of the radiation, and how strongly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from xtal_core.measurement import Profile
from xtal_core.pattern import Radiation
from xtal_powder.scattering import lorentz_polarisation, lorentz_polarisation_slope


@dataclass(frozen=True, eq=False)
class Conditions:
    """What acts on single reflections, besides the structure: tensors are (n, 1), but for the axes.

    Attributes
    ----------
    lowest, highest
        Apparent Q in Å⁻¹ between which reflections contribute.
    b_iso, zero_shift, displacement
        As in `Profile`; the shifts in radians of θ.
    march_coefficient, march_axis, textured
        As in `Profile`, the axis being (n, 3) Miller indices; `textured` is 1 where there is an axis, else 0.
    """

    lowest: torch.Tensor
    highest: torch.Tensor
    b_iso: torch.Tensor
    zero_shift: torch.Tensor
    displacement: torch.Tensor
    march_coefficient: torch.Tensor
    march_axis: torch.Tensor
    textured: torch.Tensor

    @classmethod
    def of(
        cls, profiles: Sequence[Profile], windows: Sequence[tuple[float, float]], device: torch.device
    ) -> Conditions:
        """Return the conditions of cells with `profiles` and `windows`, one each."""

        def column(values: Sequence[float]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float64, device=device)[:, None]

        textured = [profile.march_axis is not None for profile in profiles]
        axes = [profile.march_axis or (0, 0, 1) for profile in profiles]
        return cls(
            column([low for low, _ in windows]),
            column([high for _, high in windows]),
            column([profile.b_iso for profile in profiles]),
            column([math.radians(profile.zero_shift) / 2 for profile in profiles]),
            column([math.radians(profile.sample_displacement) / 2 for profile in profiles]),
            column([p.march_coefficient if has else 1.0 for p, has in zip(profiles, textured, strict=True)]),
            torch.tensor(axes, dtype=torch.float64, device=device),
            column([float(has) for has in textured]),
        )

    def at(self, rows: torch.Tensor) -> Conditions:
        """Return the conditions at `rows`."""
        return Conditions(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Line:
    """Reflections as seen with one wavelength; tensors are (n, n_reflections).

    Attributes
    ----------
    wavelength
        In Å.
    position
        Apparent Q in Å⁻¹: that at which the reference wavelength would be scattered to the same angle.
    strength
        What |F|² is multiplied by: weight of the wavelength, Lorentz–polarisation and displacement factors.
    """

    wavelength: float
    position: torch.Tensor
    strength: torch.Tensor


def lines(radiation: Radiation, q: torch.Tensor, conditions: Conditions, *, blur: float = 0.0) -> Iterator[Line]:
    """Yield reflections at `q` (…, n_reflections) Å⁻¹ as each wavelength shows them.

    Wavelengths that differ by a standard deviation of less than the fraction `blur` are taken together, at their mean.
    """
    damping = torch.exp(q.square() * (conditions.b_iso / (-8 * math.pi**2)))
    shifted = bool(((conditions.zero_shift != 0) | (conditions.displacement != 0)).any())
    for wavelength, weight in _emission(radiation, blur):
        position = q * (wavelength / radiation.wavelength)
        seen = (position >= conditions.lowest) & (position <= conditions.highest)
        strength = lorentz_polarisation(q, wavelength).mul_(damping).mul_(seen).mul_(weight)
        if shifted:
            sine, cosine = _sine_and_cosine(q, wavelength)
            turn = conditions.zero_shift + conditions.displacement * cosine
            turned = sine * torch.cos(turn) + cosine * torch.sin(turn)
            position = turned * (4 * math.pi / radiation.wavelength)
        yield Line(wavelength, position, strength)


def _emission(radiation: Radiation, blur: float) -> list[tuple[float, float]]:
    """Return wavelengths and their weights, or mean and sum where the spread is within `blur`."""
    wavelengths, weights = np.array(radiation.wavelengths), np.array(radiation.weights)
    mean = float(np.average(wavelengths, weights=weights))
    if math.sqrt(np.average((wavelengths / mean - 1) ** 2, weights=weights)) < blur:
        return [(mean, float(weights.sum()))]
    return list(zip(radiation.wavelengths, radiation.weights, strict=True))


@dataclass(frozen=True, eq=False)
class LineSlopes:
    """Derivatives of a `Line`: of its position by Q and by shifts in ° of 2θ, of ln(strength) by Q."""

    position_by_q: torch.Tensor
    position_by_shift: dict[str, torch.Tensor]
    log_strength_by_q: torch.Tensor


def line_slopes(radiation: Radiation, q: torch.Tensor, conditions: Conditions, wavelength: float) -> LineSlopes:
    """Return the derivatives of the line of `wavelength` for reflections at `q` (n, n_reflections) Å⁻¹."""
    sine, cosine = _sine_and_cosine(q, wavelength)
    turn = conditions.zero_shift + conditions.displacement * cosine
    # The cosine of the angle at which the reflection is seen.
    turned = cosine * torch.cos(turn) - sine * torch.sin(turn)
    by_zero_shift = turned * (math.radians(2 * math.pi) / radiation.wavelength)
    return LineSlopes(
        position_by_q=turned / cosine * (1 - conditions.displacement * sine) * (wavelength / radiation.wavelength),
        position_by_shift={"zero_shift": by_zero_shift, "sample_displacement": by_zero_shift * cosine},
        log_strength_by_q=lorentz_polarisation_slope(q, wavelength) - q * (conditions.b_iso / (4 * math.pi**2)),
    )


def _sine_and_cosine(q: torch.Tensor, wavelength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sin θ and cos θ; beyond backscattering, where nothing is seen, their values there."""
    sine = (q * (wavelength / (4 * math.pi))).clamp(max=1 - 1e-9)
    return sine, torch.sqrt(1 - sine * sine)
