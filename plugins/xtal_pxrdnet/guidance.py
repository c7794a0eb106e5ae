"""The pattern's own say in the denoising: how the simulated pattern of half-denoised crystals should change.

With the variance of the misfit unknown, the likelihood of a pattern of n independent observations is that of its R² to
the power −n/2. Its logarithm's gradient by the coordinates is added to the network's score, as in Dhariwal and Nichol,
"Diffusion models beat GANs on image synthesis" (2021), where a classifier takes the place of the simulator.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from xtal_core.cells import CellBatch, IntArray
from xtal_core.filtering import Filter
from xtal_core.interfaces import DifferentiableSimulator

#: Å: with more noise than this a crystal's pattern is not yet its own.
LARGEST_NOISE = 0.4

#: Of a gradient, in units of the noise: the network must be able to make up for it.
LARGEST_PULL = 1.0


class PatternGuidance:
    """A gradient for `xtal_cdvae.model.sampling.langevin`.

    Parameters
    ----------
    screen
        Knows the pattern, and how it is compared.
    simulator
        Which makes the derivatives.
    numbers : n of (n_atoms,)
        Atomic numbers of each crystal.
    weight
        By which the gradient is multiplied.
    """

    def __init__(
        self, screen: Filter, simulator: DifferentiableSimulator, numbers: Sequence[IntArray], weight: float
    ) -> None:
        self.screen = screen
        self.simulator = simulator
        self.numbers = numbers
        self.weight = weight

    def __call__(self, frac: Tensor, lattice: Tensor, sigma: float) -> Tensor:
        """Return the (n_atoms.sum(), 3) Å⁻¹ gradient of the log-likelihood; zero while `sigma` (Å) is large."""
        if sigma > LARGEST_NOISE:
            return torch.zeros_like(frac)
        gradient = torch.from_numpy(self._gradient(frac, lattice)).to(frac)
        length = gradient.norm(dim=-1, keepdim=True)
        return gradient * (LARGEST_PULL / sigma / length.clamp(min=LARGEST_PULL / sigma))

    def _gradient(self, frac: Tensor, lattice: Tensor) -> np.ndarray:
        """Return the (n_atoms.sum(), 3) Å⁻¹ gradient as it is."""
        target = self.screen.sharp
        parts = frac.double().cpu().split([len(numbers) for numbers in self.numbers])
        lattices = lattice.double().cpu().numpy()
        cells = CellBatch.from_cells(
            (cell, part.numpy(), numbers) for cell, part, numbers in zip(lattices, parts, self.numbers, strict=True)
        )
        profile = self.screen.at_best_width(cells).profiles
        directions = [np.eye(6 + 3 * count)[:, 6:] for count in cells.counts]
        result = self.simulator.linearise(
            cells, target.measurement, [target.broadened(each) for each in profile], directions, ()
        )
        observed = target.observed
        model = target.without_background(result.intensity)
        jacobian = target.without_background(result.structure_jacobian, axis=1)
        scale = np.maximum(model @ observed / np.maximum(np.einsum("np,np->n", model, model), 1e-300), 0.0)
        misfit = observed - scale[:, None] * model
        # The best scale makes the misfit's own derivative by it zero.
        descent = np.einsum("n,np,npk->nk", scale, misfit, jacobian)
        descent /= np.maximum(np.einsum("np,np->n", misfit, misfit), 1e-300)[:, None]
        descent *= self.weight * self.screen.observations
        return np.concatenate(
            [
                descent[row, : 3 * count].reshape(-1, 3) @ np.linalg.inv(lattices[row]).T
                for row, count in enumerate(cells.counts)
            ]
        )
