"""What a denoiser of coordinates and species is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_cdvae.model.periodic_graph import PairFrame


@dataclass(frozen=True)
class Denoised:
    """Where atoms should go, and what they should be.

    Attributes
    ----------
    displacement : (n_atoms, 3) Å
        From the noisy to the clean position as far as it can be known: σ² times the gradient of the logarithm of the
        density of noisy positions, whose mean over a crystal is zero.
    species : (n_atoms, n_species)
        Logits of the true species, by atomic number from 1.
    """

    displacement: Tensor
    species: Tensor


class Denoiser(nn.Module, ABC):
    """Tells clean crystals from noisy ones.

    Displacements turn with the crystal; neither they nor the species depend on the origin, the order of the atoms or
    the choice of the cell. Whoever implements this need not make the mean displacement zero.
    """

    @property
    @abstractmethod
    def cutoff(self) -> float:
        """Å, of the `PairFrame`s this is called with."""

    @abstractmethod
    def forward(self, crystals: CrystalBatch, condition: Tensor, frame: PairFrame) -> tuple[Tensor, Tensor]:
        """Return (n_atoms, 3) displacements in units of the noise and (n_atoms, n_species) logits.

        `crystals` are noisy; `condition` (n, width) tells the latent vector and the noise; `frame` is that of the
        crystals' lattices.
        """
