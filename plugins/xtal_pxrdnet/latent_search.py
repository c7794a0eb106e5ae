"""Latent vectors that predict the pattern, the number of atoms and the composition: equation 4 of PXRDNet.

    min_z  |F_ψ(z) − y|₁ − β log p(z) + β_N CE(F_N(z), N) + β_C CE(F_comp(z), c)

(Guo et al. 2025, "Latent code selection via PXR and formula guided backpropagation".) All weights are frozen, each z is
moved by itself: Adam, whose step falls along a cosine and begins again with twice the period (Loshchilov and Hutter,
"SGDR: stochastic gradient descent with warm restarts", 2017).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from xtal_core.interfaces import Workbench
from xtal_pxrdnet.broadening import Patterns
from xtal_pxrdnet.model.pxrdnet import PXRDNet

#: β: adherence to the prior.
PRIOR_WEIGHT = 2e-4

#: β_N and β_C.
COUNT_WEIGHT = 0.1
COMPOSITION_WEIGHT = 0.1

LARGEST_STEP = 0.1
SMALLEST_STEP = 1e-4

#: Periods of the step: each is twice as long as the one before, 5,000 + 10,000 + 20,000 in the paper.
_PERIODS = 7


@dataclass(frozen=True)
class Goal:
    """What latent vectors should predict.

    Attributes
    ----------
    patterns
        One row.
    crystallite_size
        Å.
    composition : (n_species,)
        Atomic fractions.
    n_atoms : (n,)
        In the cell, of each latent vector.
    """

    patterns: Patterns
    crystallite_size: float
    composition: Tensor
    n_atoms: Tensor


def objective(model: PXRDNet, z: Tensor, goal: Goal) -> Tensor:
    """Return (n,) how far latent vectors `z` (n, latent) are from `goal`; the pattern counts where it is covered."""
    covered, wanted = goal.patterns.covered, goal.patterns.intensity
    predicted = model.regressor(z, z.new_full((len(z),), goal.crystallite_size)) * covered
    if not bool(covered.all()):
        # The strongest reflection may lie where nothing was measured.
        predicted = predicted / predicted.amax(-1, keepdim=True).clamp(min=0.05)
    misfit = (predicted - wanted).abs().sum(-1) / covered.sum()
    told = model.cdvae.crystal_parameters(z)
    counts = cross_entropy(told.atom_count, goal.n_atoms - 1, reduction="none")
    composition = cross_entropy(told.composition, goal.composition.expand(len(z), -1), reduction="none")
    prior = 0.5 * z.square().sum(-1)
    return misfit + PRIOR_WEIGHT * prior + COUNT_WEIGHT * counts + COMPOSITION_WEIGHT * composition


def search(model: PXRDNet, z: Tensor, goal: Goal, steps: int, workbench: Workbench) -> Tensor:
    """Return `z` (n, latent) after `steps` of minimisation."""
    z = z.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([z], lr=LARGEST_STEP)
    schedule = CosineAnnealingWarmRestarts(optimiser, max(steps // _PERIODS, 1), 2, SMALLEST_STEP)
    counted: Iterable[int] = range(steps)
    for _ in workbench.progress.track(counted, "searching latent vectors", total=steps):
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(objective(model, z, goal).sum(), z)
        z.grad = gradient
        optimiser.step()
        schedule.step()
    return z.detach()
