"""What a pattern, a composition and the number of atoms in the cell have to say, as one vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from xtal_core.training_set import LARGEST_Q, LAST_REFLECTION
from xtal_pxrdnet.broadening import N_POINTS, Patterns

#: Each convolution halves the axis; this many times.
_HALVINGS = 5

#: Points that are looked at: up to the last reflection, in whole strides.
N_SEEN = 2**_HALVINGS * math.ceil(LAST_REFLECTION / LARGEST_Q * N_POINTS / 2**_HALVINGS)


class PatternEncoder(nn.Module):
    """A one-dimensional convolutional network beside two perceptrons, whose findings are added.

    Where a reflection is matters as much as that it is there: positions along the axis are kept to the end.
    """

    def __init__(self, channels: int, width: int, n_species: int, max_atoms: int) -> None:
        super().__init__()
        self.max_atoms = max_atoms
        layers: list[nn.Module] = []
        before = 2
        for halving in range(_HALVINGS):
            after = channels * 2 ** (halving // 2)
            layers += [nn.Conv1d(before, after, 7 if halving == 0 else 5, 2, 3 if halving == 0 else 2)]
            layers += [nn.GroupNorm(4, after), nn.SiLU()]
            before = after
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.of_pattern = nn.Linear(before * N_SEEN // 2**_HALVINGS, width)
        self.of_composition = nn.Linear(n_species, width)
        self.of_count = nn.Embedding(max_atoms + 1, width)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, patterns: Patterns, composition: Tensor, n_atoms: Tensor) -> Tensor:
        """Return (n, width) features.

        `composition` (n, n_species) are atomic fractions, by atomic number from 1; `n_atoms` (n,) is 0 where the number
        of atoms is not known.
        """
        # The square root brings weak reflections up beside the strongest.
        seen = torch.stack([patterns.intensity.sqrt(), patterns.covered], 1)[:, :, :N_SEEN]
        found = self.of_pattern(self.convolutions(seen)) + self.of_composition(composition) + self.of_count(n_atoms)
        return self.norm(found + self.mix(found))


def fractions(atomic_numbers: Tensor, owner: Tensor, n: int, n_species: int) -> Tensor:
    """Return the (n, n_species) atomic fractions of crystals whose atoms have `atomic_numbers` and an `owner`."""
    counts = torch.zeros(n, n_species, device=atomic_numbers.device)
    counts.index_add_(0, owner, one_hot(atomic_numbers - 1, n_species).to(counts.dtype))
    return counts / counts.sum(-1, keepdim=True)
