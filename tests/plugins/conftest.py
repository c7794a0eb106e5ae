"""Crystals with their sticks, for the tests of plugins that learn from them."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xtal_core.registry import installed_registry
from xtal_core.training_set import TrainingSet


@pytest.fixture(scope="session")
def structures():
    """Return the primitive cells of rock salt, caesium chloride, rutile and wurtzite, in several sizes each."""
    corners = [[0, 0, 0], [0.5, 0.5, 0.5]]
    found = []
    for factor in (0.95, 1.0, 1.05, 1.1):
        found += [
            Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64 * factor), ["Na", "Cl"], corners),
            Structure.from_spacegroup("Pm-3m", Lattice.cubic(4.12 * factor), ["Cs", "Cl"], corners),
            Structure.from_spacegroup(
                "P4_2/mnm",
                Lattice.tetragonal(4.594 * factor, 2.959 * factor),
                ["Ti", "O"],
                [[0, 0, 0], [0.3053, 0.3053, 0]],
            ),
            Structure.from_spacegroup(
                "P6_3mc",
                Lattice.hexagonal(3.25 * factor, 5.207 * factor),
                ["Zn", "O"],
                [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.3819]],
            ),
        ]
    return [each.get_primitive_structure().get_reduced_structure() for each in found]


@pytest.fixture(scope="session")
def simulator():
    return installed_registry().create("simulator", "powder")


@pytest.fixture(scope="session")
def training_set(structures, simulator):
    conventional = [SpacegroupAnalyzer(each).get_conventional_standard_structure() for each in structures]
    sticks = simulator.stick_patterns(conventional)
    sticks /= sticks.max(axis=1, keepdims=True)
    bins = [np.flatnonzero(row) for row in sticks]
    return TrainingSet(
        names=tuple(f"crystal {i}" for i in range(len(structures))),
        n_atoms=np.array([len(each) for each in structures], np.int32),
        lattice=np.array([each.lattice.matrix for each in structures], np.float32),
        space_group=np.array([each.get_space_group_info()[1] for each in structures], np.int16),
        atomic_numbers=np.concatenate([each.atomic_numbers for each in structures]).astype(np.uint8),
        frac_coords=np.concatenate([each.frac_coords % 1 for each in structures]).astype(np.float32),
        stick_offsets=np.cumsum([0, *map(len, bins)]),
        stick_bins=np.concatenate(bins).astype(np.uint16),
        stick_heights=np.concatenate([row[row > 0] for row in sticks]).astype(np.float32),
    )
