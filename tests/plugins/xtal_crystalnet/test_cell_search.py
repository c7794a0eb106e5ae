"""Cells in which true densities describe patterns, sought around wrong ones."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.cells import CellBatch
from xtal_core.testing.problems import problem_of
from xtal_crystalnet.bravais import bravais_lattices
from xtal_crystalnet.cell_search import LIKELY_KINDS, SAME_CELL, cells_of_draws, search_cells
from xtal_crystalnet.crystal_systems import SYSTEMS
from xtal_crystalnet.density_map import electron_density
from xtal_crystalnet.density_pattern import SmoothedPattern
from xtal_crystalnet.known_cell import log_metric_distance
from xtal_crystalnet.standard_cell import standard_cell

CRYSTALS = {
    "cubic F": Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "hexagonal P": Structure.from_spacegroup(
        "P6_3mc", Lattice.hexagonal(3.25, 5.21), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]
    ),
    "trigonal R": Structure.from_spacegroup(
        "R-3c", Lattice.hexagonal(4.76, 12.99), ["Al", "O"], [[0, 0, 0.352], [0.306, 0, 0.25]]
    ),
    "tetragonal P": Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    ),
    "orthorhombic P": Structure.from_spacegroup(
        "Pnma",
        Lattice.orthorhombic(5.44, 7.64, 5.38),
        ["Ca", "Ti", "O", "O"],
        [[0.035, 0.25, 0.993], [0, 0, 0.5], [0.484, 0.25, 0.071], [0.289, 0.037, 0.711]],
    ),
}


def true_density(structure):
    """Return the density of a crystal in the setting that networks learn, and the lattice."""
    numbers = np.array(structure.atomic_numbers)
    cell = standard_cell(structure.lattice.matrix, structure.frac_coords, numbers)
    batch = CellBatch.from_cells([(cell.lattice, cell.fractional, cell.numbers)])
    return electron_density(batch, 0, (32, 32, 32)).values, cell.lattice


@pytest.mark.parametrize("kind", CRYSTALS)
def test_the_cell_is_found_though_the_prediction_is_ten_per_cent_off(kind, simulator):
    values, lattice = true_density(CRYSTALS[kind])
    strain = 0.05 * np.random.default_rng(3).normal(size=(3, 3)) + np.diag([0.1, -0.1, 0.05])
    predicted = lattice @ (np.eye(3) + strain)
    pattern = SmoothedPattern(problem_of(CRYSTALS[kind], simulator).pattern)
    kinds = bravais_lattices({kind.split()[0], "cubic", "tetragonal"})
    found = search_cells(values, predicted, pattern, kinds, np.random.default_rng(0))
    assert log_metric_distance(lattice, predicted) > 0.07
    assert log_metric_distance(lattice, found[0].lattice) < 0.003
    assert found[0].residual < 0.05
    assert found[0].kind == kind


def test_the_best_comes_first_and_none_twice(simulator, quartz):
    values, lattice = true_density(quartz)
    pattern = SmoothedPattern(problem_of(quartz, simulator).pattern)
    kinds = bravais_lattices({"trigonal", "cubic"})
    once, again = (search_cells(values, 1.05 * lattice, pattern, kinds, np.random.default_rng(0)) for _ in range(2))
    assert [cell.residual for cell in once] == sorted(cell.residual for cell in once)
    assert [cell.residual for cell in again] == [cell.residual for cell in once]
    for place, cell in enumerate(once):
        assert all(log_metric_distance(cell.lattice, other.lattice) > SAME_CELL for other in once[:place])


def test_further_draws_are_tried_in_the_likely_kinds_alone(simulator, quartz):
    values, lattice = true_density(quartz)
    pattern = problem_of(quartz, simulator).pattern
    maps = np.array([values, values])
    first, second = cells_of_draws(maps, 1.05 * lattice, pattern, SYSTEMS, np.random.default_rng(0))
    assert first[0].kind == second[0].kind == "hexagonal P"
    assert (
        {cell.kind for cell in second} <= {cell.kind for cell in first[:LIKELY_KINDS]} < {cell.kind for cell in first}
    )
