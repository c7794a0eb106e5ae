"""Sizes and settings of CDVAE; the defaults are the paper's."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class LossWeights:
    """By which each loss enters their sum."""

    composition: float = 1.0
    atom_count: float = 1.0
    lattice: float = 10.0
    coordinates: float = 10.0
    species: float = 1.0
    kl: float = 0.01


@dataclass(frozen=True)
class CDVAEConfig:
    """What makes a network, apart from its weights.

    Attributes
    ----------
    latent
        Length of the latent vector.
    n_species
        Elements known, by atomic number from 1.
    max_atoms
        The number of atoms is told from 1 to this.
    head_width
        Of the perceptrons between the latent vector and composition, number of atoms, lattice.
    encoder_width, encoder_blocks, encoder_inner, encoder_spherical, encoder_radial
        DimeNet++: width of the messages, interactions, width while messages meet, orders and frequencies of its basis.
    encoder_cutoff, encoder_neighbours
        Å, and how many neighbours of an atom are seen.
    denoiser
        "gemnet" or "cspnet".
    denoiser_width, denoiser_layers
        Of the denoiser's features, and how often atoms exchange messages.
    denoiser_cutoff, denoiser_neighbours
        Å, and how many neighbours of an atom are seen; cspnet sees all.
    coordinate_target
        Where atoms should go: to the nearest image of the true position, as in the paper, or by the score of the
        wrapped normal distribution, which is exact when noise is not small beside the cell.
    sigma_coords, sigma_species
        Largest and smallest noise: of coordinates in Å, of species in units of the truth's weight.
    levels
        Noise levels of the sampling, a geometric sequence. Training draws noise between them, too.
    perturbed_species
        Share of the crystals whose species are noisy in training. Where the formula is given they never are.
    weights
        Of the losses.
    """

    latent: int = 256
    n_species: int = 100
    max_atoms: int = 20
    head_width: int = 256
    encoder_width: int = 128
    encoder_blocks: int = 4
    encoder_inner: int = 64
    encoder_spherical: int = 7
    encoder_radial: int = 6
    encoder_cutoff: float = 7.0
    encoder_neighbours: int = 20
    denoiser: Literal["gemnet", "cspnet"] = "gemnet"
    denoiser_width: int = 128
    denoiser_layers: int = 3
    denoiser_cutoff: float = 7.0
    denoiser_neighbours: int = 20
    coordinate_target: Literal["nearest", "wrapped"] = "nearest"
    sigma_coords: tuple[float, float] = (10.0, 0.01)
    sigma_species: tuple[float, float] = (5.0, 0.01)
    levels: int = 50
    perturbed_species: float = 1.0
    weights: LossWeights = field(default_factory=LossWeights)

    def to_json(self) -> str:
        """Return the settings as text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> CDVAEConfig:
        """Return what `to_json` made the `text` of."""
        values: dict[str, Any] = json.loads(text)
        for name in ("sigma_coords", "sigma_species"):
            values[name] = tuple(values[name])
        values["weights"] = LossWeights(**values["weights"])
        return cls(**values)


#: Sizes and settings of the paper, for a GPU.
PAPER = CDVAEConfig()

#: What a processor with two cores trains and draws from.
FAST = CDVAEConfig(
    encoder_width=64,
    encoder_blocks=2,
    encoder_inner=32,
    encoder_spherical=4,
    encoder_radial=6,
    encoder_cutoff=6.0,
    encoder_neighbours=8,
    denoiser="cspnet",
    coordinate_target="wrapped",
    denoiser_layers=4,
    sigma_coords=(3.0, 0.01),
    perturbed_species=0.0,
)
