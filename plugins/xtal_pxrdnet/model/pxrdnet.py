"""PXRDNet: CDVAE, a regressor of patterns, and what proposes latent vectors and cells for a pattern.

Guo et al., "Ab initio structure solutions from nanocrystalline powder diffraction data via diffusion models" (2025),
figure 7. The pattern encoder and the flow are not the paper's, and trained only if asked for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from xtal_cdvae.model.cdvae import CDVAE
from xtal_cdvae.model.config import CDVAEConfig
from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_pxrdnet.broadening import Patterns, Variety, broadened, gaussian_sigmas
from xtal_pxrdnet.model.latent_flow import LatentFlow
from xtal_pxrdnet.model.pattern_encoder import PatternEncoder, fractions
from xtal_pxrdnet.model.regressor import PatternRegressor

#: Of the crystals in training, those whose pattern encoder is not told how many atoms they have.
_UNTOLD = 0.3

#: Lattice parameters, the last of what the flow proposes.
N_LATTICE = 6

#: Steps of the flow in training, where it only has to come close.
_TRAINING_FLOW_STEPS = 3


@dataclass(frozen=True)
class PXRDNetConfig:
    """What makes the network beside its CDVAE, apart from the weights.

    Attributes
    ----------
    variety
        Of the patterns in training.
    pattern_weight
        Of the regressor's loss, beside those of CDVAE.
    amortised
        Whether there is a flow that proposes latent vectors and lattices.
    amortised_share
        Of the crystals in training, those whose denoiser is told a latent vector of the flow instead of the encoder's:
        generation will tell it such.
    encoder_channels, features
        Of the pattern encoder: channels of the first convolutions, length of what it finds.
    flow_width, flow_blocks
        Of the flow.
    """

    variety: Variety
    pattern_weight: float = 1.0
    amortised: bool = False
    amortised_share: float = 0.0
    encoder_channels: int = 32
    features: int = 256
    flow_width: int = 512
    flow_blocks: int = 3

    def to_json(self) -> str:
        """Return the settings as text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> PXRDNetConfig:
        """Return what `to_json` made the `text` of."""
        values = json.loads(text)
        return cls(**values | {"variety": Variety(**values["variety"])})


@dataclass(frozen=True)
class Proposals:
    """Latent vectors and what goes with them.

    Attributes
    ----------
    z : (n, latent)
    lattice : (n, 6)
        Normalised parameters, see `CDVAE.lattice_of`; None where the latent vectors alone tell the lattice.
    """

    z: Tensor
    lattice: Tensor | None

    def __getitem__(self, rows: Tensor) -> Proposals:
        return Proposals(self.z[rows], None if self.lattice is None else self.lattice[rows])


class PXRDNet(nn.Module):
    """All networks; untrained until weights are loaded."""

    def __init__(self, cdvae: CDVAEConfig, config: PXRDNetConfig) -> None:
        super().__init__()
        self.config = config
        self.cdvae = CDVAE(cdvae)
        self.regressor = PatternRegressor(cdvae.latent)
        self.proposer = _Proposer(cdvae, config) if config.amortised else None

    def losses(self, crystals: CrystalBatch, sticks: Tensor) -> dict[str, Tensor]:
        """Return the losses of `crystals` with their (n, n_bins) `sticks`.

        Beside those of CDVAE: "pattern", the mean absolute error of the regressor, and those of the flow: "flow" for
        latent vectors, "cell" for lattices.
        """
        posterior = self.cdvae.encode(crystals)
        z = posterior.sample()
        sizes = self.config.variety.sizes(len(crystals), sticks.device)
        clean = broadened(sticks, sizes, gaussian_sigmas(len(crystals), sticks.device))
        pattern = l1_loss(self.regressor(z, sizes), clean)
        if self.proposer is None:
            return self.cdvae.losses(crystals, z, posterior) | {"pattern": pattern}
        patterns = self.config.variety.disturbed(clean)
        composition = fractions(crystals.atomic_numbers, crystals.owner, len(crystals), self.cdvae.config.n_species)
        told = torch.rand(len(crystals), device=z.device) >= _UNTOLD
        features = self.proposer.encoder(patterns, composition, crystals.n_atoms * told)
        flow, cell = self.proposer.flow_losses(features, z.detach(), self.cdvae.normalised(crystals))
        losses = self.cdvae.losses(crystals, z, posterior, denoiser_z=self._partly_proposed(self.proposer, z, features))
        return losses | {"pattern": pattern, "flow": flow, "cell": cell}

    def _partly_proposed(self, proposer: _Proposer, z: Tensor, features: Tensor) -> Tensor:
        """Return `z` (n, latent), some rows of it replaced by what the flow proposes for `features`."""
        replaced = (torch.rand(len(z), device=z.device) < self.config.amortised_share).nonzero()[:, 0]
        with torch.no_grad():
            noise = torch.randn(len(replaced), z.shape[1] + N_LATTICE, device=z.device)
            proposed = proposer.propose(features[replaced], noise, _TRAINING_FLOW_STEPS).z
        return z.index_copy(0, replaced, proposed.to(z.dtype))

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of `losses`."""
        flow = sum(losses[name] for name in ("flow", "cell") if name in losses)
        return self.cdvae.total(losses) + self.config.pattern_weight * losses["pattern"] + flow

    def propose(self, patterns: Patterns, composition: Tensor, n_atoms: Tensor, noise: Tensor, steps: int) -> Proposals:
        """Return what patterns and formulas make likely, carried from `noise` (n, latent + `N_LATTICE`).

        `composition` (n, n_species) are atomic fractions; `n_atoms` (n,) is 0 where not known. Raises ValueError
        without a flow.
        """
        if self.proposer is None:
            raise ValueError("this network was trained without a flow")
        return self.proposer.propose(self.proposer.encoder(patterns, composition, n_atoms), noise, steps)


class _Proposer(nn.Module):
    """The pattern encoder and the flow that it steers, in units of the spread that latent vectors and lattices have."""

    def __init__(self, cdvae: CDVAEConfig, config: PXRDNetConfig) -> None:
        super().__init__()
        length = cdvae.latent + N_LATTICE
        self.encoder = PatternEncoder(config.encoder_channels, config.features, cdvae.n_species, cdvae.max_atoms)
        self.flow = LatentFlow(length, config.features, config.flow_width, config.flow_blocks)
        # The divergence from N(0, I) has a small weight: latent vectors need not have that spread.
        self.spread = nn.BatchNorm1d(length, affine=False)

    def flow_losses(self, features: Tensor, z: Tensor, lattice: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses of the flow towards `z` (n, latent) and `lattice` (n, 6), at two times of each crystal."""
        features, target = features.repeat(2, 1), self.spread(torch.cat([z, lattice], -1)).repeat(2, 1)
        time = torch.rand(len(target), device=target.device)
        errors = self.flow.loss(target, features, torch.randn_like(target), time)
        return errors[:-N_LATTICE].mean(), errors[-N_LATTICE:].mean()

    def propose(self, features: Tensor, noise: Tensor, steps: int) -> Proposals:
        """Return what the flow makes of `noise`."""
        vectors = self.flow.sample(features, noise, steps)
        mean, variance = self.spread.running_mean, self.spread.running_var
        assert mean is not None
        assert variance is not None
        vectors = vectors * (variance + self.spread.eps).sqrt() + mean
        return Proposals(vectors[:, :-N_LATTICE], vectors[:, -N_LATTICE:])
