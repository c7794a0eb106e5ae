"""Integrated intensities of reflections and their derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from xtal_powder.blocks import Blocks
from xtal_powder.scattering import form_factors


def _phases(blocks: Blocks) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cos and sin of 2π h·x, (n_blocks, n_atoms, n_reflections) each."""
    angle = (2 * math.pi * blocks.fractional) @ blocks.hkl.transpose(1, 2)
    sines = torch.sin(angle)
    return angle.cos_(), sines


def _normalisation(blocks: Blocks) -> torch.Tensor:
    """Return (n_blocks, n_reflections): 2 (Friedel) / n_atoms² for reflections, 0 for padding.

    So normalised, intensities do not depend on the choice of cell.
    """
    return 2 * blocks.membership.sum((1, 2)).reciprocal().square()[:, None] * blocks.present


def squared_structure_factors(blocks: Blocks, s_squared: torch.Tensor) -> torch.Tensor:
    """Return normalised |F|² (n_blocks, n_scales, n_reflections) at s² (n_blocks, n_scales, n_reflections) in Å⁻².

    All scales share the phases of the cell, because fractional coordinates do not change with them.
    """
    cosines, sines = _phases(blocks)
    by_element = blocks.membership.transpose(1, 2)
    f, _ = form_factors(blocks.elements, s_squared, slope=False)  # (n_blocks, n_scales, n_elements, n_reflections)
    real = (f * (by_element @ cosines)[:, None]).sum(2)
    imaginary = (f * (by_element @ sines)[:, None]).sum(2)
    return real.square_().addcmul_(imaginary, imaginary).mul_(_normalisation(blocks)[:, None])


@dataclass(frozen=True, eq=False)
class LinearisedIntensities:
    """Normalised |F|² of (n_blocks, n_reflections) and how it changes.

    `by_s_squared` is the derivative through the form factors, `by_direction` (n_blocks, n_reflections, n_directions)
    that through the fractional coordinates.
    """

    squared: torch.Tensor
    by_s_squared: torch.Tensor
    by_direction: torch.Tensor


def linearised_structure_factors(
    blocks: Blocks, s_squared: torch.Tensor, displacements: torch.Tensor
) -> LinearisedIntensities:
    """Return |F|² and derivatives for displacements (n_blocks, 3, n_atoms, n_directions) in fractional coordinates."""
    cosines, sines = _phases(blocks)
    by_element = blocks.membership.transpose(1, 2)
    f, slope = form_factors(blocks.elements, s_squared, slope=True)  # (n_blocks, n_elements, n_reflections)
    sum_cos, sum_sin = by_element @ cosines, by_element @ sines
    real, imaginary = (f * sum_cos).sum(1), (f * sum_sin).sum(1)
    scale = _normalisation(blocks)
    squared = (real.square() + imaginary.square()) * scale
    by_s = 2 * (real * (slope * sum_cos).sum(1) + imaginary * (slope * sum_sin).sum(1)) * scale
    # d|F|²/dx = −4π h f (Re F sin φ − Im F cos φ), atom by atom.
    per_atom = sines.mul_((real * scale)[:, None]).addcmul_(cosines, (imaginary * scale)[:, None], value=-1)
    per_atom = per_atom.mul_(blocks.membership @ f).mul_(-4 * math.pi)
    per_atom = per_atom.transpose(1, 2)
    by_direction = blocks.hkl[..., :1] * (per_atom @ displacements[:, 0])
    for axis in (1, 2):
        by_direction.addcmul_(blocks.hkl[..., axis, None], per_atom @ displacements[:, axis])
    return LinearisedIntensities(squared, by_s, by_direction)
