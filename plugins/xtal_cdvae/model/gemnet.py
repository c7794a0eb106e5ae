"""CDVAE's denoiser: GemNet with messages between edges that meet at an atom.

Gasteiger, Becker and Günnemann, "GemNet: universal directional graph neural networks for molecules" (2021), the variant
GemNet-T: messages of edges b → a change those of c → a depending on the angle between them, and are passed to both
directions of an edge. The sum over b of Legendre polynomials of that angle is taken by the addition theorem, as
products of spherical harmonics of b → a, summed at the atom, with those of c → a: the same numbers without a list of
triplets.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from xtal_cdvae.model.config import CDVAEConfig
from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_cdvae.model.denoiser import Denoiser
from xtal_cdvae.model.periodic_graph import Edges, PairFrame, edges, images
from xtal_cdvae.model.radial_basis import RadialBasis
from xtal_cdvae.model.spherical_harmonics import spherical_harmonics

#: Radial functions.
_RADIAL = 16

#: Spherical harmonics: l = 0 … 6.
_ORDERS = 7

#: Keeps the variance of a sum of two.
_HALF = 1 / math.sqrt(2)


class GemNetDenoiser(Denoiser):
    """Directional message passing with forces along edges as its vectors."""

    def __init__(self, config: CDVAEConfig) -> None:
        super().__init__()
        width = config.denoiser_width
        self.neighbours = config.denoiser_neighbours
        self.radial_basis = RadialBasis(_RADIAL, config.denoiser_cutoff)
        self.species = nn.Embedding(config.n_species + 1, width)
        self.first = nn.Linear(2 * width + _RADIAL, width)
        self.blocks = nn.ModuleList(_Interaction(width) for _ in range(config.denoiser_layers))
        self.outputs = nn.ModuleList(_Output(width) for _ in range(config.denoiser_layers + 1))
        self.to_species = nn.Linear(width, config.n_species)

    @property
    def cutoff(self) -> float:
        """Å."""
        return self.radial_basis.cutoff

    def forward(self, crystals: CrystalBatch, condition: Tensor, frame: PairFrame) -> tuple[Tensor, Tensor]:
        """Return displacements in units of the noise, and logits; see `Denoiser`."""
        n_atoms = len(crystals.atomic_numbers)
        found = images(frame, crystals.frac_coords, crystals.lattice)
        graph = edges(frame, found, n_atoms, self.neighbours)
        distance = (graph.vector.square().sum(-1) + 1e-12).sqrt()
        direction = graph.vector / distance[:, None]
        radial = self.radial_basis(distance) / math.pi
        harmonics = spherical_harmonics(direction, _ORDERS)
        atoms = self.species(crystals.atomic_numbers) + condition[crystals.owner]
        ends = [atoms[graph.target], atoms[graph.source], radial]
        messages = nn.functional.silu(self.first(torch.cat(ends, dim=-1)))
        force = self.outputs[0](messages, radial)
        for block, output in zip(self.blocks, list(self.outputs)[1:], strict=True):
            atoms, messages = block(atoms, messages, radial, harmonics, graph)
            force = force + output(messages, radial)
        moves = torch.zeros_like(crystals.frac_coords).index_add_(0, graph.target, force * direction)
        return moves, self.to_species(atoms)


class _Interaction(nn.Module):
    """One exchange between the edges that meet at an atom, then between atoms and edges."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = width // 2
        self.stay = _dense(width, width)
        self.go = _dense(width, width)
        self.go_radial = nn.Linear(_RADIAL, width, bias=False)
        self.down = _dense(width, self.inner)
        self.meet_radial = nn.Linear(_RADIAL, _ORDERS * self.inner, bias=False)
        self.meet = _dense(self.inner, self.inner)
        self.up = _dense(self.inner, width)
        self.up_reverse = _dense(self.inner, width)
        self.before_skip = _Residual(width)
        self.after_skip = _Residual(width)
        self.atom_radial = nn.Linear(_RADIAL, width, bias=False)
        self.atom = nn.Sequential(_dense(width, width), _Residual(width))
        self.edge = nn.Sequential(_dense(3 * width, width), _Residual(width))

    def forward(
        self, atoms: Tensor, messages: Tensor, radial: Tensor, harmonics: list[Tensor], graph: Edges
    ) -> tuple[Tensor, Tensor]:
        """Return new `atoms` (n_atoms, width) and `messages` (n_edges, width)."""
        going = self.down(self.go(messages) * self.go_radial(radial))
        weights = self.meet_radial(radial).reshape(len(radial), _ORDERS, self.inner)
        met = self.meet(sum_over_angles(weights, going, harmonics, graph.target, len(atoms)))
        met = (self.up(met) + self.up_reverse(met)[graph.reverse]) * _HALF
        changed = self.before_skip((self.stay(messages) + met) * _HALF)
        messages = self.after_skip((messages + changed) * _HALF)

        sent = messages * self.atom_radial(radial)
        heard = sent.new_zeros(atoms.shape).index_add_(0, graph.target, sent)
        atoms = (atoms + self.atom(heard)) * _HALF
        ends = [atoms[graph.target], atoms[graph.source], messages]
        return atoms, (messages + self.edge(torch.cat(ends, dim=-1))) * _HALF


def sum_over_angles(weights: Tensor, messages: Tensor, harmonics: list[Tensor], target: Tensor, n_atoms: int) -> Tensor:
    """Return (n_edges, width): Σ_b Σ_l w_l(ca) P_l(cos ∠cab) m(ba) over all other edges b → a that meet c → a at a.

    Parameters
    ----------
    weights : (n_edges, n_orders, width)
    messages : (n_edges, width)
    harmonics
        `spherical_harmonics` of the edges' directions.
    target : (n_edges,)
        The atom at which an edge ends.
    n_atoms
        How many there are.
    """
    # P_l(1) = 1: an edge meets itself in each order, which is taken out.
    total = -weights.sum(1) * messages
    for order, of_edge in enumerate(harmonics):
        each = of_edge[:, :, None] * messages[:, None]
        at_atom = each.new_zeros(n_atoms, *each.shape[1:]).index_add_(0, target, each)
        seen = (of_edge[:, :, None] * at_atom.index_select(0, target)).sum(1)
        total = total + weights[:, order] * seen
    return total


class _Output(nn.Module):
    """The force of an edge on its target, along the edge."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.radial = nn.Linear(_RADIAL, width, bias=False)
        self.layers = nn.Sequential(_Residual(width), nn.Linear(width, 1, bias=False))

    def forward(self, messages: Tensor, radial: Tensor) -> Tensor:
        """Return (n_edges, 1)."""
        return self.layers(messages * self.radial(radial))


class _Residual(nn.Module):
    """Two layers beside a straight line."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_dense(width, width), _dense(width, width))

    def forward(self, values: Tensor) -> Tensor:
        """Return what has the shape of `values` (…, width)."""
        return (values + self.layers(values)) * _HALF


def _dense(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.SiLU())
