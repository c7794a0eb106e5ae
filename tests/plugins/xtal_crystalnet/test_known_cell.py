"""Cells that the user knows."""

import numpy as np
import pytest
from pymatgen.core import Lattice

from xtal_core.errors import OptionError
from xtal_crystalnet.known_cell import log_metric_distance, parse_cell, primitive_cells


def test_a_cell_is_six_numbers():
    lattice = Lattice(parse_cell("3 4 5 80 95 100"))
    assert (*lattice.abc, *lattice.angles) == pytest.approx((3, 4, 5, 80, 95, 100))
    assert parse_cell("3, 4, 5, 80, 95, 100") == pytest.approx(lattice.matrix)


@pytest.mark.parametrize(
    "text", ["", "5.64", "a b c d e f", "3 4 5 80 95", "0 4 5 90 90 90", "3 4 5 10 10 100", "3 4 nan 90 90 90"]
)
def test_what_is_no_cell_is_refused(text):
    with pytest.raises(OptionError, match="cell"):
        parse_cell(text)


@pytest.mark.parametrize(("letter", "share"), [("P", 1), ("A", 2), ("C", 2), ("I", 2), ("F", 4)])
def test_primitive_cells_have_the_volume_that_their_centring_leaves(letter, share):
    lattice = parse_cell("5 6 7 90 90 90")
    cell = primitive_cells(lattice)[letter]
    assert abs(np.linalg.det(lattice)) / abs(np.linalg.det(cell)) == pytest.approx(share)


def test_rhombohedral_cells_are_offered_for_hexagonal_axes_only():
    assert "R" not in primitive_cells(parse_cell("5 5 7 90 90 90"))
    rhombohedral = Lattice(primitive_cells(parse_cell("4.76 4.76 12.99 90 90 120"))["R"])
    assert rhombohedral.abc == pytest.approx([rhombohedral.a] * 3)
    assert rhombohedral.angles == pytest.approx([rhombohedral.alpha] * 3)


def test_the_distance_of_lattices_is_their_root_mean_square_strain():
    lattice = parse_cell("5 6 7 80 95 100")
    assert log_metric_distance(lattice, lattice) == pytest.approx(0, abs=1e-6)
    assert log_metric_distance(lattice, lattice * np.exp(0.02)) == pytest.approx(0.02)
    stretched = lattice @ np.diag(np.exp([0.03, 0, 0]))
    assert log_metric_distance(lattice, stretched) == pytest.approx(0.03 / np.sqrt(3))
