"""The kinds of lattices, and their strains."""

import numpy as np
import pytest
from pymatgen.core import Lattice

from xtal_crystalnet.bravais import bravais_lattices
from xtal_crystalnet.crystal_systems import SYSTEMS
from xtal_crystalnet.known_cell import log_metric_distance, parse_cell, primitive_cells

#: A conventional cell of each system, and how many numbers describe one.
CELLS = {
    "triclinic": ("4 5 6 80 95 110", 6),
    "monoclinic": ("4 5 6 90 110 90", 4),
    "orthorhombic": ("4 5 6 90 90 90", 3),
    "tetragonal": ("4 4 6 90 90 90", 2),
    "trigonal": ("4 4 11 90 90 120", 2),
    "hexagonal": ("4 4 6 90 90 120", 2),
    "cubic": ("4 4 4 90 90 90", 1),
}

KINDS = bravais_lattices(SYSTEMS)


def example(kind):
    """Return a primitive lattice of a kind."""
    system, letter = kind.name.split()
    return primitive_cells(parse_cell(CELLS[system][0]))[letter]


def test_there_are_fourteen_and_a_second_setting_of_one():
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names) == 15
    assert {"orthorhombic A", "orthorhombic C"} < set(names)
    assert [kind.name for kind in bravais_lattices(["trigonal"])] == ["hexagonal P", "trigonal R"]
    assert [kind.name for kind in bravais_lattices(["cubic"])] == ["cubic P", "cubic I", "cubic F"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_lattice_is_the_nearest_of_its_own_kind(kind):
    lattice = example(kind)
    nearest = kind.nearest(lattice)
    np.testing.assert_allclose(nearest @ nearest.T, lattice @ lattice.T, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_strains_leave_a_lattice_one_of_its_kind(kind):
    lattice = kind.nearest(example(kind))
    basis = kind.strains(lattice)
    assert len(basis) == CELLS[kind.name.split()[0]][1]
    np.testing.assert_allclose(
        basis.reshape(len(basis), 9) @ basis.reshape(len(basis), 9).T, np.eye(len(basis)), atol=1e-9
    )
    amounts = np.random.default_rng(0).normal(scale=0.05, size=len(basis))
    strained = lattice @ (np.eye(3) + np.einsum("k,kij->ij", amounts, basis))
    assert log_metric_distance(strained, lattice) > 0.002
    assert log_metric_distance(strained, kind.nearest(strained)) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_any_lattice_becomes_one_of_the_kind(kind):
    noise = 0.1 * np.random.default_rng(1).normal(size=(3, 3))
    nearest = kind.nearest(example(kind) + noise)
    assert log_metric_distance(nearest, kind.nearest(nearest)) == pytest.approx(0, abs=1e-7)
    assert log_metric_distance(nearest, example(kind)) < 0.1


def test_rhombohedral_axes_are_the_nearest_to_themselves():
    (rhombohedral,) = (kind for kind in KINDS if kind.name == "trigonal R")
    found = Lattice(rhombohedral.nearest(np.array(Lattice.from_parameters(5.0, 5.1, 4.9, 60, 61, 62).matrix)))
    assert found.abc == pytest.approx([found.a] * 3)
    assert found.angles == pytest.approx([found.alpha] * 3)
    assert found.a == pytest.approx(5.0, rel=0.01)
