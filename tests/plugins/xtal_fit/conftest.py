from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.registry import installed_registry
from xtal_fit.symmetry import free_directions
from xtal_fit.trial import Trial


def arrays(structure):
    """Return lattice, fractional coordinates and atomic numbers of a structure."""
    return structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)


@pytest.fixture(scope="session")
def trial_of():
    """Return a function that makes a trial of a structure."""

    def make(structure, profile, *, keep_symmetry=True, source=0):
        lattice, fractional, numbers = arrays(structure)
        directions = free_directions(lattice, fractional, numbers, keep_symmetry=keep_symmetry)
        return Trial(source, lattice, fractional, numbers, profile, directions)

    return make


@pytest.fixture(scope="session")
def simulator():
    return installed_registry().create("simulator", "powder")


@pytest.fixture(scope="session")
def rutile():
    lattice = Lattice.tetragonal(4.594, 2.959)
    return Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]])


@pytest.fixture(scope="session")
def wurtzite():
    lattice = Lattice.hexagonal(3.25, 5.207)
    return Structure.from_spacegroup("P6_3mc", lattice, ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]])


@pytest.fixture(scope="session")
def baddeleyite():
    sites = [[0.2754, 0.0395, 0.2083], [0.0700, 0.3317, 0.3447], [0.4496, 0.7569, 0.4792]]
    lattice = Lattice.monoclinic(5.1505, 5.2116, 5.3173, 99.23)
    return Structure.from_spacegroup("P2_1/c", lattice, ["Zr", "O", "O"], sites)


@pytest.fixture(scope="session")
def triclinic():
    sites = [[0.02, 0.05, 0.01], [0.51, 0.45, 0.55], [0.3, 0.8, 0.2]]
    return Structure(Lattice.from_parameters(4.1, 4.9, 5.6, 83, 97, 101), ["Na", "Cl", "O"], sites)
