"""The crystal diffusion variational autoencoder: encoder, heads, denoiser, losses.

Xie et al., "Crystal diffusion variational autoencoder for periodic material generation" (2022). A latent vector tells
composition, number of atoms and lattice; a denoiser that is told it, too, finds the positions of the atoms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from xtal_cdvae.model.config import CDVAEConfig
from xtal_cdvae.model.crystal_batch import CrystalBatch, crystal_means
from xtal_cdvae.model.cspnet import CSPNetDenoiser
from xtal_cdvae.model.denoiser import Denoised, Denoiser
from xtal_cdvae.model.encoder import DimeNetEncoder
from xtal_cdvae.model.gemnet import GemNetDenoiser
from xtal_cdvae.model.lattice_parameters import lattice_of_parameters, lattice_parameters
from xtal_cdvae.model.periodic_graph import PairFrame, cartesian, pair_frame
from xtal_cdvae.model.wrapped_normal import nearest_displacement, wrapped_displacement

#: Sines and cosines that tell the denoiser how large the noise is.
_NOISE_FREQUENCIES = 16


@dataclass(frozen=True)
class Posterior:
    """Gaussian distributions of latent vectors: `mean` (n, latent) and `log_variance` (n, latent)."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Return (n, latent) random latent vectors."""
        random = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + (0.5 * self.log_variance).exp() * random

    def divergence(self) -> Tensor:
        """Return (n,) the Kullback–Leibler divergences from the standard normal distribution."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - self.log_variance - 1).sum(-1)


@dataclass(frozen=True)
class CrystalParameters:
    """What the latent vector tells about a crystal.

    Attributes
    ----------
    composition : (n, n_species)
        Logits of the atomic fractions, by atomic number from 1.
    atom_count : (n, max_atoms)
        Logits of the number of atoms, from 1.
    lattice : (n, 6)
        Lattice parameters, normalised; see `CDVAE.lattice_of`.
    """

    composition: Tensor
    atom_count: Tensor
    lattice: Tensor


class CDVAE(nn.Module):
    """The whole network. Untrained until weights are loaded; `normalise_lattices` comes before training."""

    lattice_mean: Tensor
    lattice_deviation: Tensor

    def __init__(self, config: CDVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = DimeNetEncoder(config)
        self.posterior_mean = nn.Linear(config.latent, config.latent)
        self.posterior_log_variance = nn.Linear(config.latent, config.latent)
        self.composition_head = _perceptron(config.latent, config.head_width, config.n_species)
        self.count_head = _perceptron(config.latent, config.head_width, config.max_atoms)
        self.lattice_head = _perceptron(config.latent, config.head_width, 6)
        self.condition = nn.Sequential(
            nn.Linear(config.latent + 2 * _NOISE_FREQUENCIES, config.denoiser_width),
            nn.SiLU(),
            nn.Linear(config.denoiser_width, config.denoiser_width),
        )
        self.denoiser: Denoiser = _DENOISERS[config.denoiser](config)
        self.register_buffer("lattice_mean", torch.tensor([2.0, 2.0, 2.0, 90.0, 90.0, 90.0]))
        self.register_buffer("lattice_deviation", torch.tensor([0.5, 0.5, 0.5, 15.0, 15.0, 15.0]))

    def normalise_lattices(self, lattice: Tensor, n_atoms: Tensor) -> None:
        """Take mean and deviation of lattice parameters from those of a training set, (n, 3, 3) Å and (n,)."""
        parameters = lattice_parameters(lattice, n_atoms)
        self.lattice_mean.copy_(parameters.mean(0))
        self.lattice_deviation.copy_(parameters.std(0, correction=0).clamp(min=1e-2))

    def encode(self, crystals: CrystalBatch) -> Posterior:
        """Return the distributions of the latent vectors of `crystals`, however these are described."""
        features = self.encoder(crystals)
        # Neither certainty nor ignorance without limits.
        return Posterior(self.posterior_mean(features), self.posterior_log_variance(features).clamp(-12, 4))

    def crystal_parameters(self, z: Tensor) -> CrystalParameters:
        """Return what the latent vectors `z` (n, latent) tell."""
        return CrystalParameters(self.composition_head(z), self.count_head(z), self.lattice_head(z))

    def lattice_from(self, z: Tensor, n_atoms: Tensor) -> Tensor:
        """Return the (n, 3, 3) Å lattices of `z` (n, latent) for cells of `n_atoms` (n,) atoms."""
        return self.lattice_of(self.lattice_head(z), n_atoms)

    def lattice_of(self, normalised: Tensor, n_atoms: Tensor) -> Tensor:
        """Return the (n, 3, 3) Å lattices of `normalised` (n, 6) parameters for cells of `n_atoms` (n,) atoms."""
        return lattice_of_parameters(normalised * self.lattice_deviation + self.lattice_mean, n_atoms)

    def normalised(self, crystals: CrystalBatch) -> Tensor:
        """Return the (n, 6) lattice parameters of `crystals`, of mean 0 and deviation 1 in the training set."""
        parameters = lattice_parameters(crystals.lattice, crystals.n_atoms)
        return (parameters - self.lattice_mean) / self.lattice_deviation

    def frame(self, lattice: Tensor, n_atoms: Tensor) -> PairFrame:
        """Return what `denoise` needs to know about `lattice` (n, 3, 3) Å, for many calls with it."""
        return pair_frame(lattice, n_atoms, self.denoiser.cutoff)

    def denoise(self, z: Tensor, sigma: Tensor, crystals: CrystalBatch, frame: PairFrame | None = None) -> Denoised:
        """Return where the atoms of noisy `crystals` should go and what they should be.

        `z` (n, latent) tells about the true crystals; `sigma` (n,) Å is the standard deviation of the noise.
        """
        if frame is None:
            frame = self.frame(crystals.lattice, crystals.n_atoms)
        condition = self.condition(torch.cat([z, _waves(sigma)], dim=-1))
        moves, species = self.denoiser(crystals, condition, frame)
        owner = crystals.owner
        moves = moves - crystal_means(moves, crystals.n_atoms)[owner]
        return Denoised(moves * sigma[owner, None], species)

    def losses(
        self,
        crystals: CrystalBatch,
        z: Tensor,
        posterior: Posterior | None,
        generator: torch.Generator | None = None,
        denoiser_z: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the losses by the names of `LossWeights`, without weights.

        `crystals` are in their Niggli cells, `z` (n, latent) are their latent vectors. Without a `posterior` there is
        no loss "kl". Noise comes from `generator`. The denoiser is told `z`, unless `denoiser_z` (n, latent) is given.
        """
        found = self.crystal_parameters(z)
        owner = crystals.owner
        species = crystals.atomic_numbers - 1
        losses = {
            "composition": functional.cross_entropy(found.composition[owner], species),
            "atom_count": functional.cross_entropy(found.atom_count, crystals.n_atoms - 1),
            "lattice": functional.mse_loss(found.lattice, self.normalised(crystals)),
        }
        losses |= self._denoising_losses(
            crystals, z if denoiser_z is None else denoiser_z, found.composition.detach(), generator
        )
        if posterior is not None:
            losses["kl"] = posterior.divergence().mean()
        return losses

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the sum of those of `losses` that are CDVAE's, each by its weight."""
        weights = vars(self.config.weights)
        return torch.stack([weights[name] * value for name, value in losses.items() if name in weights]).sum()

    def _denoising_losses(
        self, crystals: CrystalBatch, z: Tensor, composition: Tensor, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """Return the losses of coordinates and species after noise of a random strength for each crystal."""
        settings, owner, n_atoms = self.config, crystals.owner, crystals.n_atoms
        sigma = _between(settings.sigma_coords, _uniform(z, len(z), generator))
        random = torch.randn(owner.shape[0], 3, generator=generator, device=z.device)
        noise = sigma[owner, None] * random
        moved = crystals.frac_coords + cartesian(noise, torch.linalg.inv(crystals.lattice), owner)
        if settings.coordinate_target == "wrapped":
            back = wrapped_displacement(noise, crystals.lattice, n_atoms, sigma)
        else:
            back = nearest_displacement(noise, crystals.lattice, n_atoms)
        # Nothing can tell how far a crystal was moved as a whole.
        back = (back - crystal_means(back, n_atoms)[owner]) / sigma[owner, None]

        species_sigma = _between(settings.sigma_species, _uniform(z, len(z), generator))
        perturbed = (_uniform(z, len(z), generator) < settings.perturbed_species)[owner]
        truth = functional.one_hot(crystals.atomic_numbers - 1, settings.n_species)
        chances = truth + species_sigma[owner, None] * composition.softmax(-1)[owner]
        drawn = torch.multinomial(chances, 1, generator=generator)[:, 0] + 1
        numbers = torch.where(perturbed, drawn, crystals.atomic_numbers)

        noisy = CrystalBatch(numbers, moved, crystals.lattice, n_atoms)
        found = self.denoise(z, sigma, noisy)
        squares = (found.displacement / sigma[owner, None] - back).square().sum(-1)
        surprise = functional.cross_entropy(found.species, crystals.atomic_numbers - 1, reduction="none")
        weight = perturbed / species_sigma[owner]
        return {
            "coordinates": 0.5 * crystal_means(squares, n_atoms).mean(),
            "species": crystal_means(weight * surprise, n_atoms).mean(),
        }


def _uniform(like: Tensor, n: int, generator: torch.Generator | None) -> Tensor:
    return torch.rand(n, generator=generator, device=like.device)


def _between(limits: tuple[float, float], places: Tensor) -> Tensor:
    """Return `places` (n,) between 0 and 1 as a geometric sequence from the first to the second of `limits`."""
    first, last = limits
    return first * (last / first) ** places


def _perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)
    )


def _waves(sigma: Tensor) -> Tensor:
    """Return (n, 2 · `_NOISE_FREQUENCIES`) sines and cosines of the logarithm of `sigma` (n,)."""
    frequencies = torch.exp(torch.linspace(math.log(0.25), math.log(8.0), _NOISE_FREQUENCIES, device=sigma.device))
    angles = sigma.log()[:, None] * frequencies.to(sigma.dtype)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


_DENOISERS: dict[str, type[GemNetDenoiser] | type[CSPNetDenoiser]] = {
    "gemnet": GemNetDenoiser,
    "cspnet": CSPNetDenoiser,
}
