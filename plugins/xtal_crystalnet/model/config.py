"""Settings of CrystalNet's networks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class CrystalNetConfig:
    """Sizes of the networks; the defaults are the paper's.

    Attributes
    ----------
    n_species
        Elements of the composition vector, hydrogen first.
    latent
        Length of the embedding of the pattern, and of that of the formula.
    growth, dense_layers
        Channels that each convolution of the pattern encoder adds, and convolutions of each of its blocks.
    formula_width
        Width of the formula encoder.
    width, blocks
        Width of the fusion, the positional encoding and the regressor, and layers of the latter.
    n_frequencies, frequency_sigma
        Fourier features: how many, and the standard deviation of the random ones.
    periodic
        Whether features are waves with the period of the cell, the longest ones, instead of random ones.
    norm
        Whether layers over points are normalised over the batch.
    square_root
        Whether the pattern encoder is shown the square root of intensities.
    density_scale
        e⁻/Å³; networks and loss see ln(1 + ρ/ρ₀) with this ρ₀. 0: the density itself.
    lattice_head
        Whether the lattice is predicted, too.
    """

    n_species: int = 118
    latent: int = 512
    growth: int = 32
    dense_layers: int = 4
    formula_width: int = 512
    width: int = 512
    blocks: int = 4
    n_frequencies: int = 128
    frequency_sigma: float = 3.0
    periodic: bool = False
    norm: Literal["batch", "none"] = "batch"
    square_root: bool = False
    density_scale: float = 0.0
    lattice_head: bool = False

    def to_json(self) -> str:
        """Return the settings as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CrystalNetConfig:
        """Return the settings in `text`. Raises TypeError and ValueError for what is none."""
        values: dict[str, Any] = json.loads(text)
        return cls(**values)
