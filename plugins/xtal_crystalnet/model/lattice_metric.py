"""Lattices as six numbers without a choice of orientation: the logarithm of the metric tensor, scaled."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Rows and columns of the upper triangle of a symmetric matrix.
_ROWS, _COLUMNS = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)

#: Standard deviations of a scale are at least this, as all lattices of one training set may be alike.
_SMALLEST = 0.02


class LatticeScale(nn.Module):
    """Mean and standard deviation of the six numbers over the training set."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("deviation", torch.ones(6))

    def set(self, lattice: Tensor) -> None:
        """Take the scale of `lattice` (n, 3, 3) Å."""
        numbers = log_metric(lattice.double())
        self.mean.copy_(numbers.mean(0))
        self.deviation.copy_(numbers.std(0, unbiased=False).clamp(min=_SMALLEST))

    def scaled(self, lattice: Tensor) -> Tensor:
        """Return (n, 6) scaled numbers of `lattice` (n, 3, 3) Å."""
        return ((log_metric(lattice.double()) - self.mean) / self.deviation).float()

    def lattice(self, scaled: Tensor) -> Tensor:
        """Return the (n, 3, 3) Å lattice vectors of `scaled` (n, 6), as rows of a symmetric matrix."""
        numbers = scaled.double() * self.deviation + self.mean
        logarithm = numbers.new_zeros(len(numbers), 3, 3)
        logarithm[:, _ROWS, _COLUMNS] = numbers
        logarithm[:, _COLUMNS, _ROWS] = numbers
        # The matrix exponential of half the logarithm is the square root of the metric: one choice of orientation.
        return torch.linalg.matrix_exp(0.5 * logarithm)


def log_metric(lattice: Tensor) -> Tensor:
    """Return (n, 6) the upper triangle of ln(A Aᵀ) for `lattice` A (n, 3, 3) Å."""
    values, vectors = torch.linalg.eigh(lattice @ lattice.transpose(-1, -2))
    logarithm = vectors @ torch.diag_embed(values.log()) @ vectors.transpose(-1, -2)
    return logarithm[:, _ROWS, _COLUMNS]
