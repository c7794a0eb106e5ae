"""Patterns of a cell at many volumes for little more than the price of one.

On a logarithmic Q axis a change of volume shifts all reflections alike. Squared structure factors are therefore
deposited once on such an axis, and one matrix a volume takes them to the pattern: it holds the Lorentz–polarisation
factor and the peak shape at the shifted positions. Form factors change with volume, too; their change is taken from
their mean square over the composition, which errs by about a per cent.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray
from xtal_powder.canvas import NODES, spread
from xtal_powder.intensities import PaddedTensors, squared_structure_factors
from xtal_powder.peak_shape import finest_scale, peak_shape
from xtal_powder.scattering import form_factors, lorentz_polarisation

#: Points of the logarithmic axis a standard deviation of the peaks, at the largest Q.
POINTS_PER_SIGMA = 2.5

#: Å⁻¹; no crystal of interest has a reflection below.
SMALLEST_Q = 0.1


class VolumeScan:
    """What all cells of a scan share: the logarithmic axis and the matrices from it to the patterns.

    Parameters
    ----------
    measurement, profile
        The axis of the patterns and the peak shape.
    factors : (n_factors,)
        Cell volumes relative to those the cells come with.
    q_limit
        Largest apparent Q in Å⁻¹ of a reflection that contributes.
    size_factor
        See `peak_shape`.
    device
        Where to compute.
    """

    def __init__(
        self,
        measurement: Measurement,
        profile: Profile,
        factors: FloatArray,
        q_limit: float,
        size_factor: float,
        device: torch.device,
    ) -> None:
        radiation = measurement.radiation
        self.profile = profile
        self.device = device
        stretch = np.cbrt(factors)
        smallest_ratio = min(radiation.wavelengths) / radiation.wavelength
        self.q_largest = q_limit / smallest_ratio * float(stretch.max())
        lowest = max(SMALLEST_Q, 0.5 * float(measurement.q[0])) * float(stretch.min())
        spacing = finest_scale(profile, size_factor) / (POINTS_PER_SIGMA * q_limit)
        n_inside = math.ceil(math.log(self.q_largest / lowest) / spacing) + 1
        self.spacing = spacing
        self.start = math.log(lowest) + NODES[0] * spacing
        self.q_log = np.exp(self.start + spacing * np.arange(n_inside + len(NODES)))
        self.n_points = len(measurement.q)
        # Narrow peaks are found by interpolation in a table of the peak shape.
        offsets = np.arange(0, measurement.q[-1] + self.q_log[-1], finest_scale(profile, size_factor) / 10)
        table = peak_shape(offsets, profile, size_factor).value
        columns = []
        for scale in 1 / stretch:
            column = np.zeros((len(self.q_log), self.n_points))
            for wavelength, weight in zip(radiation.wavelengths, radiation.weights, strict=True):
                q = self.q_log * scale
                apparent = q * wavelength / radiation.wavelength
                seen = apparent <= q_limit
                factor = lorentz_polarisation(torch.as_tensor(q[seen]), wavelength)[0].numpy()
                shape = np.interp(np.abs(measurement.q - apparent[seen, None]), offsets, table)
                damping = np.exp(-2 * profile.b_iso * (q[seen] / (4 * math.pi)) ** 2)
                column[seen] += (weight * factor * damping)[:, None] * shape
            columns.append(column)
        self.matrices = torch.as_tensor(np.array(columns), device=device)  # (n_factors, n_log, n_points)
        self.stretch = torch.as_tensor(stretch, device=device)
        self._by_composition: dict[tuple[tuple[int, float], ...], torch.Tensor] = {}

    def patterns(self, cells: PaddedTensors) -> torch.Tensor:
        """Return the (n_cells, n_factors, n_points) patterns of a padded batch."""
        q = 2 * math.pi * cells.reciprocal_vectors().norm(dim=-1)
        squared = squared_structure_factors(cells, (q / (4 * math.pi)).square()[:, None])[:, 0]
        place = (torch.log(q.clamp(min=1e-3)) - self.start) / self.spacing
        deposited = spread(place, squared[..., None], len(self.q_log))[:, 0]
        result = torch.empty(len(deposited), len(self.stretch), self.n_points, dtype=q.dtype, device=self.device)
        groups: dict[tuple[tuple[int, float], ...], list[int]] = {}
        amounts = cells.membership.sum(1)
        fractions = (amounts / amounts.sum(1, keepdim=True)).cpu().numpy().round(6)
        for row, (numbers, shares) in enumerate(zip(cells.elements.cpu().numpy().tolist(), fractions.tolist(), strict=True)):
            composition = tuple((n, share) for n, share in zip(numbers, shares, strict=True) if share > 0)
            groups.setdefault(composition, []).append(row)
        for composition, rows in groups.items():
            chosen = torch.as_tensor(rows, device=self.device)
            result[chosen] = (deposited[chosen] @ self._matrix(composition)).reshape(
                len(rows), len(self.stretch), self.n_points
            )
        return result

    def _matrix(self, composition: tuple[tuple[int, float], ...]) -> torch.Tensor:
        """Return (n_log, n_factors · n_points): the matrices with the change of the form factors of a composition."""
        if composition not in self._by_composition:
            numbers = torch.as_tensor([[number for number, _ in composition]], device=self.device)
            shares = torch.as_tensor([share for _, share in composition], dtype=torch.float64, device=self.device)
            s = torch.as_tensor(self.q_log / (4 * math.pi), device=self.device)
            scaled = torch.cat([s[None], s / self.stretch[:, None]])  # the unscaled axis first
            f, _ = form_factors(numbers, scaled.square()[None], slope=False)
            mean_square = (f[0].square() * shares[:, None]).sum(1)
            ratio = mean_square[1:] / mean_square[0]
            matrices = self.matrices * ratio[..., None]
            self._by_composition[composition] = matrices.transpose(0, 1).reshape(len(self.q_log), -1).contiguous()
        return self._by_composition[composition]
