"""The single reflections of a pattern: which they are, and what each contributes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from xtal_core.interfaces import Reflections
from xtal_core.pattern import FloatArray, Radiation
from xtal_powder.blocks import Blocks
from xtal_powder.drawing import Deposit, Easel, Shapes
from xtal_powder.intensities import squared_structure_factors
from xtal_powder.lines import Conditions, lines
from xtal_powder.texture import textured


@dataclass(frozen=True, eq=False)
class SingleReflections:
    """The reflections of one cell that are seen with any wavelength, one of each Friedel pair, by increasing Q.

    Attributes
    ----------
    hkl : (n, 3)
    q : (n,) Å⁻¹
        2π/d.
    squared : (n,)
        |F|² of the cell in electrons².
    positions, intensities : (n_wavelengths, n)
        Apparent Q in Å⁻¹, and area of both of the pair, with each wavelength.
    """

    hkl: torch.Tensor
    q: torch.Tensor
    squared: torch.Tensor
    positions: torch.Tensor
    intensities: torch.Tensor

    def listed(self) -> Reflections:
        """Return the reflections as `ListsReflections` does."""
        return Reflections(
            hkl=np.rint(self.hkl.cpu().numpy()).astype(int),
            q=self.q.cpu().numpy(),
            squared_structure_factor=self.squared.cpu().numpy(),
            position=self.positions[0].cpu().numpy(),
            intensity=self.intensities.sum(0).cpu().numpy(),
        )

    def weighed(self, easel: Easel, shapes: Sequence[Shapes], weights: FloatArray) -> FloatArray:
        """Return (n_weights, n): sums over points of `weights` (n_weights, n_points) times what each contributes.

        Patterns are linear in intensities: what a reflection adds to a sum is its intensity times the sum's gradient.
        """
        with torch.enable_grad():
            intensities = self.intensities.clone().requires_grad_()
            owner = torch.zeros(1, dtype=torch.long, device=easel.device)
            deposits = [
                Deposit(owner, position, intensity[:, None])
                for position, intensity in zip(self.positions, intensities, strict=True)
            ]
            pattern, _ = easel.draw(deposits, 1, shapes)
            sums = torch.as_tensor(weights, device=easel.device) @ pattern[0, 0]
            slopes = [torch.autograd.grad(total, intensities, retain_graph=True)[0] for total in sums]
        return torch.stack([(slope * self.intensities).sum(0) for slope in slopes]).cpu().numpy()


def single_reflections(
    parts: Iterable[Blocks], conditions: Conditions, radiation: Radiation, device: torch.device
) -> SingleReflections:
    """Return the reflections in the blocks of one cell, seen under its `conditions`."""
    n = len(radiation.wavelengths)
    nothing = torch.zeros(0, dtype=torch.float64, device=device)
    found = [(nothing.reshape(0, 3), nothing, nothing, nothing.expand(n, 0), nothing.expand(n, 0))]
    for blocks in parts:
        here = conditions.at(torch.zeros_like(blocks.owner))
        g = blocks.reciprocal_vectors()
        q = 2 * math.pi * g.norm(dim=-1)
        normalised = squared_structure_factors(blocks, (q / (4 * math.pi)).square()[:, None])
        strength = textured(normalised, blocks, g, here)[:, 0]
        seen = list(lines(radiation, q, here))
        positions = torch.stack([line.position for line in seen])
        intensities = torch.stack([line.strength * strength for line in seen])
        # What the normalisation divided by: both of a Friedel pair, and the number of atoms.
        squared = normalised[:, 0] * (blocks.membership.sum((1, 2)).square() / 2)[:, None]
        kept = (blocks.present > 0) & torch.stack([line.strength > 0 for line in seen]).any(0)
        found.append((blocks.hkl[kept], q[kept], squared[kept], positions[:, kept], intensities[:, kept]))
    hkl, q, squared = (torch.cat([part[i] for part in found]) for i in range(3))
    positions, intensities = (torch.cat([part[i] for part in found], dim=1) for i in (3, 4))
    order = torch.argsort(q, stable=True)
    return SingleReflections(hkl[order], q[order], squared[order], positions[:, order], intensities[:, order])
