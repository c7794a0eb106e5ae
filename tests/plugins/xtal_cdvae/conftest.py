"""Crystals, and networks small enough for tests."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from xtal_cdvae.model.cdvae import CDVAE
from xtal_cdvae.model.config import FAST
from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_core.cells import CellBatch

SMALL = replace(
    FAST,
    latent=16,
    head_width=32,
    encoder_width=16,
    encoder_blocks=2,
    encoder_inner=8,
    encoder_spherical=3,
    encoder_radial=4,
    denoiser_width=32,
    denoiser_layers=2,
)


@pytest.fixture(scope="session")
def structures():
    """Crystals of all kinds: one atom, full shells of equal neighbours, hexagonal, triclinic, flat and long cells."""
    random = np.random.default_rng(1)
    rocksalt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    wurtzite = Structure.from_spacegroup(
        "P6_3mc", Lattice.hexagonal(3.25, 5.207), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.3819]]
    )
    triclinic = Structure(Lattice.from_parameters(4.2, 5.3, 6.1, 97, 103, 81), ["Ca", *"COOS"], random.random((5, 3)))
    flat = Structure(Lattice.from_parameters(2.9, 3.1, 14.0, 92, 88, 119), ["Li", *"OSFN"], random.random((5, 3)))
    copper = Structure(Lattice([[0, 1.81, 1.81], [1.81, 0, 1.81], [1.81, 1.81, 0]]), ["Cu"], [[0.1, 0.2, 0.3]])
    return [rocksalt.get_primitive_structure(), wurtzite, triclinic, flat, copper]


@pytest.fixture(scope="session")
def crystals(structures):
    return CrystalBatch.from_cells(CellBatch.from_structures(structures))


@pytest.fixture(scope="session")
def noisy(crystals):
    """The crystals with their atoms moved by about 0.3 Å."""
    move = 0.3 * torch.randn(crystals.frac_coords.shape, generator=torch.Generator().manual_seed(2))
    inverse = torch.linalg.inv(crystals.lattice)[crystals.owner]
    return crystals.with_coordinates(crystals.frac_coords + (move[:, None] @ inverse)[:, 0])


@pytest.fixture(scope="session")
def small_model():
    """Return a function that makes a small untrained network, the same every time."""

    def make(**settings):
        torch.manual_seed(0)
        return CDVAE(replace(SMALL, **settings)).eval()

    return make
