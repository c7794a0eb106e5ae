"""PXRDNet: CDVAE, a regressor of patterns, and what proposes latent vectors for a pattern.

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
        Whether there is a flow that proposes latent vectors.
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

        Beside those of CDVAE: "pattern", the mean absolute error of the regressor, and "flow", that of the flow.
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
        flow = self.proposer.flow_loss(features, z.detach())
        losses = self.cdvae.losses(crystals, z, posterior, denoiser_z=self._partly_proposed(self.proposer, z, features))
        return losses | {"pattern": pattern, "flow": flow}

    def _partly_proposed(self, proposer: _Proposer, z: Tensor, features: Tensor) -> Tensor:
        """Return `z` (n, latent), some rows of it replaced by what the flow proposes for `features`."""
        replaced = (torch.rand(len(z), device=z.device) < self.config.amortised_share).nonzero()[:, 0]
        with torch.no_grad():
            noise = torch.randn(len(replaced), z.shape[1], device=z.device)
            proposed = proposer.propose(features[replaced], noise, _TRAINING_FLOW_STEPS)
        return z.index_copy(0, replaced, proposed.to(z.dtype))

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of `losses`."""
        own = self.config.pattern_weight * losses["pattern"] + losses.get("flow", losses["pattern"].new_zeros(()))
        return self.cdvae.total(losses) + own

    def propose(self, patterns: Patterns, composition: Tensor, n_atoms: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Return (n, latent) vectors that patterns and formulas make likely, carried from `noise` (n, latent).

        `composition` (n, n_species) are atomic fractions; `n_atoms` (n,) is 0 where not known. Raises ValueError
        without a flow.
        """
        if self.proposer is None:
            raise ValueError("this network was trained without a flow")
        return self.proposer.propose(self.proposer.encoder(patterns, composition, n_atoms), noise, steps)


class _Proposer(nn.Module):
    """The pattern encoder and the flow that it steers, in units of the spread that latent vectors have."""

    def __init__(self, cdvae: CDVAEConfig, config: PXRDNetConfig) -> None:
        super().__init__()
        self.encoder = PatternEncoder(config.encoder_channels, config.features, cdvae.n_species, cdvae.max_atoms)
        self.flow = LatentFlow(cdvae.latent, config.features, config.flow_width, config.flow_blocks)
        # The divergence from N(0, I) has a small weight: latent vectors need not have that spread.
        self.spread = nn.BatchNorm1d(cdvae.latent, affine=False)

    def flow_loss(self, features: Tensor, target: Tensor) -> Tensor:
        """Return the loss of the flow towards `target` (n, latent), at two times of each crystal."""
        features, target = features.repeat(2, 1), self.spread(target).repeat(2, 1)
        return self.flow.loss(target, features, torch.randn_like(target), torch.rand(len(target), device=target.device))

    def propose(self, features: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Return what the flow makes of `noise`."""
        z = self.flow.sample(features, noise, steps)
        mean, variance = self.spread.running_mean, self.spread.running_var
        assert mean is not None
        assert variance is not None
        return z * (variance + self.spread.eps).sqrt() + mean
