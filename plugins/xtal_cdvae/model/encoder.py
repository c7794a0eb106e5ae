"""The encoder: DimeNet++ on periodic multigraphs.

Gasteiger et al., "Fast and uncertainty-aware directional message passing for non-equilibrium molecules" (2020), from
the blocks of torch-geometric. Edges join images of atoms, so that angles are taken between vectors of edges rather than
positions of atoms.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn.models.dimenet import (
    BesselBasisLayer,
    InteractionPPBlock,
    OutputPPBlock,
)

from xtal_cdvae.model.config import CDVAEConfig
from xtal_cdvae.model.crystal_batch import CrystalBatch, crystal_means
from xtal_cdvae.model.periodic_graph import Edges, edges, images, pair_frame, places
from xtal_cdvae.model.spherical_basis import SphericalBasis

_BASIS_EMBEDDING = 8
_OUTPUT_LAYERS = 3


class DimeNetEncoder(nn.Module):
    """Tells crystals apart, however they are described: in any orientation, cell, order of atoms, from any origin."""

    def __init__(self, config: CDVAEConfig) -> None:
        super().__init__()
        width, radial, spherical = config.encoder_width, config.encoder_radial, config.encoder_spherical
        self.cutoff = config.encoder_cutoff
        self.neighbours = config.encoder_neighbours
        activation = nn.functional.silu
        self.radial_basis = BesselBasisLayer(radial, self.cutoff)
        self.spherical_basis = SphericalBasis(spherical, radial, self.cutoff)
        self.species = nn.Embedding(config.n_species + 1, width)
        self.first_radial = nn.Linear(radial, width)
        self.first = nn.Linear(3 * width, width)
        self.interactions = nn.ModuleList(
            InteractionPPBlock(width, config.encoder_inner, _BASIS_EMBEDDING, spherical, radial, 1, 2, activation)
            for _ in range(config.encoder_blocks)
        )
        self.outputs = nn.ModuleList(
            OutputPPBlock(radial, width, 2 * width, config.latent, _OUTPUT_LAYERS, activation, "glorot_orthogonal")
            for _ in range(config.encoder_blocks + 1)
        )
        self.count = nn.Embedding(config.max_atoms + 1, config.latent)

    def forward(self, crystals: CrystalBatch) -> Tensor:
        """Return the (n, latent) features of `crystals`."""
        frame = pair_frame(crystals.lattice, crystals.n_atoms, self.cutoff)
        found = images(frame, crystals.frac_coords, crystals.lattice)
        graph = edges(frame, found, len(crystals.atomic_numbers), self.neighbours)
        distance = graph.vector.norm(dim=-1)
        incoming, outgoing = triplets(graph)
        direction = graph.vector / distance[:, None]
        cosine = (direction[incoming] * direction[outgoing]).sum(-1)
        radial = self.radial_basis(distance)
        spherical = self.spherical_basis(distance, cosine, incoming)

        species = self.species(crystals.atomic_numbers)
        ends = [species[graph.target], species[graph.source], nn.functional.silu(self.first_radial(radial))]
        messages = nn.functional.silu(self.first(torch.cat(ends, dim=-1)))
        n_atoms = len(crystals.atomic_numbers)
        features = self.outputs[0](messages, radial, graph.target, n_atoms)
        for interaction, output in zip(self.interactions, list(self.outputs)[1:], strict=True):
            messages = interaction(messages, radial, spherical, incoming, outgoing)
            features = features + output(messages, radial, graph.target, n_atoms)
        return crystal_means(features, crystals.n_atoms) + self.count(crystals.n_atoms)


def triplets(graph: Edges) -> tuple[Tensor, Tensor]:
    """Return pairs of edges (k → j, j → i), each (n_triplets,), that do not go back and forth along the same edge."""
    order = graph.target.argsort(stable=True)
    per_atom = torch.bincount(graph.target, minlength=int(graph.target.max()) + 1 if len(order) else 0)
    starts = per_atom.cumsum(0) - per_atom
    counts = per_atom[graph.source]
    outgoing = torch.repeat_interleave(torch.arange(len(order), device=order.device), counts)
    incoming = order[starts[graph.source[outgoing]] + places(counts)]
    onward = incoming != graph.reverse[outgoing]
    return incoming[onward], outgoing[onward]
