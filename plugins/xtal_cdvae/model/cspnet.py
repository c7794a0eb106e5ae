"""A denoiser in which all atoms of a cell speak with each other, in the manner of CSPNet.

Jiao et al., "Crystal structure prediction by joint equivariant diffusion" (2023), join all pairs of atoms of a cell,
once whatever the number of their images, and describe each pair by waves of its fractional coordinates beside the Gram
matrix of the lattice. Those change with the choice of the cell. Here pairs are described by sums over all images
instead, of radial functions and of the vectors that go with them: periodic like the waves, and the same in every cell.
An atom and its own images describe the lattice, in place of the Gram matrix. Vectors travel with the messages as in
Schütt, Unke and Gastegger, "Equivariant message passing for the prediction of tensorial properties" (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xtal_cdvae.model.config import CDVAEConfig
from xtal_cdvae.model.crystal_batch import CrystalBatch, atom_owner
from xtal_cdvae.model.denoiser import Denoiser
from xtal_cdvae.model.periodic_graph import PairFrame, images
from xtal_cdvae.model.radial_basis import RadialBasis

#: Radial functions.
_RADIAL = 24

#: Vectors of a pair, and of an atom.
_VECTORS = 16

#: Sums over images are about as large as this.
_TYPICAL = 4.0

#: What is made of vectors is made of vectors no longer than this, root mean square.
_LONGEST = 8.0


@dataclass(frozen=True, eq=False)
class _Pairs:
    """All pairs of different atoms of a cell, in both directions.

    Attributes
    ----------
    target, source : (n_pairs,)
    scalars : (n_pairs, n_radial)
        Sums over images of radial functions.
    vectors : (n_pairs, 3, n_vectors)
        Sums over images of mixed radial functions times the vector from target to source.
    share : (n_atoms, 1)
        By which sums over the partners of an atom become means.
    """

    target: Tensor
    source: Tensor
    scalars: Tensor
    vectors: Tensor
    share: Tensor

    def gathered(self, values: Tensor) -> Tensor:
        """Return the (n_atoms, …) means of `values` (n_pairs, …) over the pairs that an atom is the target of."""
        sums = values.new_zeros(len(self.share), *values.shape[1:]).index_add_(0, self.target, values)
        return sums * self.share.reshape(-1, *[1] * (values.dim() - 1)).to(values.dtype)


class CSPNetDenoiser(Denoiser):
    """Messages between all atoms of a cell, with vectors that turn with the crystal."""

    def __init__(self, config: CDVAEConfig) -> None:
        super().__init__()
        width = config.denoiser_width
        self.radial_basis = RadialBasis(_RADIAL, config.denoiser_cutoff)
        self.mixed_basis = nn.Linear(_RADIAL, _VECTORS, bias=False)
        self.species = nn.Embedding(config.n_species + 1, width)
        self.lattice = nn.Linear(_RADIAL, width)
        self.layers = nn.ModuleList(_Exchange(width) for _ in range(config.denoiser_layers))
        self.norm = nn.LayerNorm(width)
        self.to_species = nn.Linear(width, config.n_species)
        self.to_vector = nn.Linear(_VECTORS, 1, bias=False)

    @property
    def cutoff(self) -> float:
        """Å."""
        return self.radial_basis.cutoff

    def forward(self, crystals: CrystalBatch, condition: Tensor, frame: PairFrame) -> tuple[Tensor, Tensor]:
        """Return displacements in units of the noise, and logits; see `Denoiser`."""
        own, pairs = self._describe(crystals, frame)
        told = condition[crystals.owner]
        features = self.species(crystals.atomic_numbers) + self.lattice(own) + told
        vectors = pairs.gathered(pairs.vectors)
        for layer in self.layers:
            features, vectors = layer(features, vectors, told, pairs)
        return self.to_vector(vectors)[..., 0], self.to_species(self.norm(features))

    def _describe(self, crystals: CrystalBatch, frame: PairFrame) -> tuple[Tensor, _Pairs]:
        """Return (n_atoms, n_radial) sums over an atom's own images, and all pairs."""
        found = images(frame, crystals.frac_coords, crystals.lattice)
        distance = (found.vector.square().sum(-1) + 1e-12).sqrt()
        radial = self.radial_basis(distance) / _TYPICAL
        scalars = radial.new_zeros(len(frame.first), _RADIAL).index_add_(0, found.pair, radial)
        along = self.mixed_basis(radial)[:, None] * found.vector[..., None]
        vectors = along.new_zeros(len(frame.first), 3, _VECTORS).index_add_(0, found.pair, along)
        own = frame.first == frame.second
        # Both of each two opposite translations.
        itself = 2 * scalars[own]
        first, second, scalars, vectors = (values[~own] for values in (frame.first, frame.second, scalars, vectors))
        partners = (crystals.n_atoms - 1).clamp(min=1)[atom_owner(crystals.n_atoms)]
        pairs = _Pairs(
            target=torch.cat([first, second]),
            source=torch.cat([second, first]),
            scalars=scalars.repeat(2, 1),
            vectors=torch.cat([vectors, -vectors]),
            share=1 / partners[:, None],
        )
        return itself, pairs


class _Exchange(nn.Module):
    """Messages from all partners of an atom, and what the atom makes of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // 2
        self.norm = nn.LayerNorm(width)
        self.target = nn.Linear(width, narrow)
        self.source = nn.Linear(width, narrow, bias=False)
        self.of_scalars = nn.Linear(_RADIAL, narrow, bias=False)
        self.of_vectors = nn.Linear(_VECTORS, narrow, bias=False)
        self.message = nn.Linear(narrow, narrow)
        self.strength = nn.Linear(narrow, 2 * _VECTORS)
        self.turned = nn.Linear(_VECTORS, 2 * _VECTORS, bias=False)
        self.mixed = nn.Linear(_VECTORS, 2 * _VECTORS, bias=False)
        self.update = nn.Sequential(
            nn.Linear(2 * width + narrow + _VECTORS, width), nn.SiLU(), nn.Linear(width, width + _VECTORS)
        )

    def forward(self, features: Tensor, vectors: Tensor, told: Tensor, pairs: _Pairs) -> tuple[Tensor, Tensor]:
        """Return new `features` (n_atoms, width) and `vectors` (n_atoms, 3, n_vectors); `told` is (n_atoms, width)."""
        silu = nn.functional.silu
        now, heading = self.norm(features), _tempered(vectors)
        message = self.target(now).index_select(0, pairs.target) + self.source(now).index_select(0, pairs.source)
        of_target, of_source = self.turned(heading).chunk(2, dim=-1)
        sent = of_source.index_select(0, pairs.source)
        # Vectors of the atoms along those of the pair: angles between neighbours.
        along = ((of_target.index_select(0, pairs.target) + sent) * pairs.vectors).sum(1)
        message = message + self.of_scalars(pairs.scalars) + self.of_vectors(along)
        message = silu(self.message(silu(message)))
        of_pair, of_sent = self.strength(message)[:, None].chunk(2, dim=-1)
        moved = pairs.gathered(of_pair * pairs.vectors + of_sent * sent)
        left, right = self.mixed(_tempered(moved)).chunk(2, dim=-1)
        heard = torch.cat([now, told, pairs.gathered(message), (left * right).sum(1)], dim=-1)
        change, gate = self.update(heard).split([features.shape[-1], _VECTORS], dim=-1)
        return features + change, vectors + moved + gate[:, None] * left


def _tempered(vectors: Tensor) -> Tensor:
    """Return `vectors` (n_atoms, 3, n_vectors) shortened to a root mean square, over an atom's, below `_LONGEST`.

    Products of vectors come back as factors of vectors in the next layer. In a cell with very many images of its atoms,
    as in diamond, they would grow beyond all bounds.
    """
    square = vectors.square().sum(1, keepdim=True).mean(-1, keepdim=True)
    return vectors * (1 + square / _LONGEST**2).rsqrt()
