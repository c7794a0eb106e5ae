"""Patterns of cells at many volumes for little more than the price of one.

Fractional coordinates stay, and with them the phases, which are most of the work. What changes with the volume is where
reflections stand, the Lorentz–polarisation factor there, and the form factors. |F|² is a smooth function of the scale:
it is computed at a few scales and interpolated, within a few 1e-4. Peaks are drawn less finely than elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from xtal_core.pattern import FloatArray, Radiation
from xtal_powder.blocks import Blocks
from xtal_powder.drawing import Deposit, Easel, Shapes
from xtal_powder.intensities import squared_structure_factors
from xtal_powder.lines import Conditions, lines
from xtal_powder.texture import textured

#: Largest ratio of neighbouring scales at which |F|² is computed, as a logarithm.
SCALE_STEP = 0.11


def scan_blocks(
    easel: Easel,
    radiation: Radiation,
    blocks: Blocks,
    shapes: Sequence[Shapes],
    conditions: Conditions,
    factors: FloatArray,
    *,
    blur: float,
    largest: int,
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield patterns (n_cells, n, n_points) of the cells of `blocks` at n volumes, and which of `factors` these are.

    `factors` (n_factors,) multiply the volumes the cells come with. `shapes` and `conditions` are those of one profile,
    `blur` is as for `lines`. About `largest` numbers are held at once, of reflections as of grids.
    """
    stretch = np.cbrt(factors)
    g = blocks.reciprocal_vectors()
    q = 2 * math.pi * g.norm(dim=-1)
    scales, weights = _interpolation(np.log(stretch))
    s = q[:, None] / (4 * math.pi * torch.as_tensor(np.exp(scales), device=q.device)[:, None])
    squared = textured(squared_structure_factors(blocks, s.square()), blocks, g, conditions)
    n_cells = len(blocks.cells)
    portion = max(1, largest // max(q.numel(), n_cells * easel.n_points))
    for start in range(0, len(factors), portion):
        chosen = slice(start, min(start + portion, len(factors)))
        n = chosen.stop - start
        scaled = q[:, None] / torch.as_tensor(stretch[chosen], device=q.device)[:, None]
        intensity = torch.as_tensor(weights[chosen], device=q.device) @ squared
        owner = blocks.owner[:, None] * n + torch.arange(n, device=q.device)
        deposits = [
            Deposit(owner[..., None], line.position, (line.strength * intensity)[..., None])
            for line in lines(radiation, scaled, conditions, blur=blur)
        ]
        drawn, _ = easel.draw(deposits, n_cells * n, shapes)
        yield chosen, drawn.reshape(n_cells, n, -1)


def _interpolation(logarithms: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return nodes (n_nodes,) over the range of `logarithms` (n,) and Lagrange's weights (n, n_nodes) from them."""
    low, high = float(logarithms.min()), float(logarithms.max())
    nodes = np.linspace(low, high, 1 + math.ceil((high - low) / SCALE_STEP))
    weights = np.ones((len(logarithms), len(nodes)))
    for i, j in np.ndindex(len(nodes), len(nodes)):
        if i != j:
            weights[:, i] *= (logarithms - nodes[j]) / (nodes[i] - nodes[j])
    return nodes, weights
