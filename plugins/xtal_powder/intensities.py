"""Integrated intensities of reflections and their derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from xtal_powder.reflections import PaddedCells
from xtal_powder.scattering import form_factors


@dataclass(frozen=True, eq=False)
class PaddedTensors:
    """`PaddedCells` on the device that computes."""

    lattices: torch.Tensor
    hkl: torch.Tensor
    mask: torch.Tensor
    fractional: torch.Tensor
    elements: torch.Tensor
    membership: torch.Tensor

    @classmethod
    def on(cls, device: torch.device, padded: PaddedCells) -> PaddedTensors:
        """Return `padded` as tensors on `device`."""

        def tensor(values: object) -> torch.Tensor:
            return torch.as_tensor(values, device=device)

        return cls(
            tensor(padded.lattices),
            tensor(padded.hkl),
            tensor(padded.mask),
            tensor(padded.fractional),
            tensor(padded.elements),
            tensor(padded.membership),
        )

    def reciprocal_vectors(self) -> torch.Tensor:
        """Return (n_cells, n_reflections, 3) Å⁻¹: g = h a* + k b* + l c*, Cartesian."""
        return self.hkl @ torch.linalg.inv(self.lattices).transpose(1, 2)

    def phases(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return cos and sin of 2π h·x, (n_cells, n_atoms, n_reflections) each."""
        angle = (2 * math.pi * self.fractional) @ self.hkl.transpose(1, 2)
        return torch.cos(angle), torch.sin(angle)

    def normalisation(self) -> torch.Tensor:
        """Return (n_cells, 1) that makes intensities independent of the choice of cell: 2 (Friedel) / n_atoms²."""
        return 2 * self.membership.sum((1, 2)).reciprocal().square()[:, None]


def squared_structure_factors(cells: PaddedTensors, s_squared: torch.Tensor) -> torch.Tensor:
    """Return normalised |F|² (n_cells, n_scales, n_reflections) at s² (n_cells, n_scales, n_reflections) in Å⁻².

    All scales share the phases of the cell, because fractional coordinates do not change with them.
    """
    cosines, sines = cells.phases()
    by_element = cells.membership.transpose(1, 2)
    f, _ = form_factors(cells.elements, s_squared, slope=False)  # (n_cells, n_scales, n_elements, n_reflections)
    real = (f * (by_element @ cosines)[:, None]).sum(2)
    imaginary = (f * (by_element @ sines)[:, None]).sum(2)
    return (real.square() + imaginary.square()) * (cells.normalisation() * cells.mask)[:, None]


@dataclass(frozen=True, eq=False)
class LinearisedIntensities:
    """Normalised |F|² of (n_cells, n_reflections) and how it changes.

    `by_s_squared` is the derivative through the form factors, `by_direction` (n_cells, n_reflections, n_directions)
    that through the fractional coordinates.
    """

    squared: torch.Tensor
    by_s_squared: torch.Tensor
    by_direction: torch.Tensor


def linearised_structure_factors(
    cells: PaddedTensors, s_squared: torch.Tensor, displacements: torch.Tensor
) -> LinearisedIntensities:
    """Return |F|² and derivatives for displacements (n_cells, n_atoms, 3, n_directions) in fractional coordinates."""
    cosines, sines = cells.phases()
    by_element = cells.membership.transpose(1, 2)
    f, slope = form_factors(cells.elements, s_squared, slope=True)  # (n_cells, n_elements, n_reflections)
    sum_cos, sum_sin = by_element @ cosines, by_element @ sines
    real, imaginary = (f * sum_cos).sum(1), (f * sum_sin).sum(1)
    scale = cells.normalisation() * cells.mask
    squared = (real.square() + imaginary.square()) * scale
    by_s = 2 * (real * (slope * sum_cos).sum(1) + imaginary * (slope * sum_sin).sum(1)) * scale
    # d|F|²/dx = −4π h f (Re F sin φ − Im F cos φ), atom by atom.
    per_atom = (cells.membership @ f) * (real[:, None] * sines - imaginary[:, None] * cosines)
    per_atom = (per_atom * (-4 * math.pi * scale)[:, None]).transpose(1, 2)
    n_cells, n_reflections, n_atoms = per_atom.shape
    by_direction = torch.zeros(
        n_cells, n_reflections, displacements.shape[-1], dtype=per_atom.dtype, device=per_atom.device
    )
    for axis in range(3):
        by_direction += cells.hkl[..., axis, None] * (per_atom @ displacements[:, :, axis])
    return LinearisedIntensities(squared, by_s, by_direction)
