"""From drawn densities to candidates; the network is replaced by one that draws the true density."""

from dataclasses import dataclass

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from xtal_core.cells import CellBatch
from xtal_core.errors import InputError, OptionError
from xtal_core.interfaces import Workbench
from xtal_core.problem import Formula
from xtal_core.testing.problems import problem_of
from xtal_crystalnet import generator as generator_module
from xtal_crystalnet.cell_content import likely_contents
from xtal_crystalnet.cell_search import FoundCell, centrings_of
from xtal_crystalnet.density_map import DensityMap, electron_density
from xtal_crystalnet.density_pattern import SmoothedPattern
from xtal_crystalnet.generator import CrystalNetGenerator, in_found_cells, in_given_cell, predicted
from xtal_crystalnet.plugin import CrystalNetOptions
from xtal_crystalnet.standard_cell import standard_cell


@dataclass
class TrueDraws:
    """What `draw_densities` returns of a network that knows the answer, but for an error in the lattice."""

    cell: object
    error: float | np.ndarray
    n: int

    @property
    def lattice(self):
        return self.cell.lattice @ (np.eye(3) + np.broadcast_to(self.error, (3, 3)) * np.eye(3))

    def maps(self, shape):
        cells = CellBatch.from_cells([(self.cell.lattice, self.cell.fractional, self.cell.numbers)])
        return np.array([electron_density(cells, 0, shape).values] * self.n)


@pytest.fixture
def knowing(monkeypatch):
    """Return a function that makes the network draw the density of a structure, its lattice strained by an error."""

    def teach(structure, error):
        numbers = np.array(structure.atomic_numbers)
        cell = standard_cell(structure.lattice.matrix, structure.frac_coords, numbers)
        monkeypatch.setattr(generator_module, "draw_densities", lambda *given: TrueDraws(cell, error, given[3]))

    return teach


def generate(weights, problem, simulator, **options):
    generator = CrystalNetGenerator(CrystalNetOptions(weights=str(weights), draws=2, **options))
    candidates = generator.generate(problem, Workbench(simulator))
    assert generator.files() == [weights]
    return candidates


@pytest.mark.parametrize("crystal", ["salt", "quartz"])
def test_the_true_density_leads_to_the_structure_though_the_lattice_is_off(
    weights, knowing, simulator, request, crystal
):
    structure = request.getfixturevalue(crystal)
    knowing(structure, 0.03)
    first = generate(weights, problem_of(structure, simulator), simulator)[0]
    assert first.generator == "crystalnet"
    assert StructureMatcher().fit(first.structure, structure)
    primitive = structure.get_primitive_structure()
    assert first.structure.volume / len(first.structure) == pytest.approx(primitive.volume / len(primitive), rel=0.01)


def test_atoms_are_not_looked_for_in_densities_without_cores(file_weights, simulator, salt):
    with pytest.raises(InputError, match="densities of CHGCAR files, in which atoms cannot be told apart"):
        generate(file_weights, problem_of(salt, simulator), simulator)


def test_a_crystal_is_found_though_its_predicted_lattice_is_wrong(weights, knowing, simulator, quartz):
    knowing(quartz, np.diag([0.15, 0.1, -0.2]))
    problem = problem_of(quartz, simulator)
    first = generate(weights, problem, simulator)[0]
    assert "hexagonal P cell" in first.origin
    assert StructureMatcher(0.2, 0.3, 5).fit(first.structure, quartz)
    others = generate(weights, problem, simulator, cells=0)
    assert not any(StructureMatcher(0.2, 0.3, 5).fit(candidate.structure, quartz) for candidate in others)


def test_a_predicted_cell_is_tried_unless_one_that_was_found_is_a_correction_of_it():
    values, lattice = np.ones((4, 4, 4)), 5 * np.eye(3)
    near, far = (FoundCell(factor * lattice, "cubic P", 0.1) for factor in (1.03, 1.2))
    cells = [[drawn.cell for drawn in in_found_cells(values, 1, lattice, found)] for found in ([far, near], [far], [])]
    assert cells == [["cubic P cell"] * 2, ["cubic P cell", "predicted cell"], ["predicted cell"]]


def test_a_known_cell_is_used_conventional_as_it_is(weights, knowing, simulator, salt):
    knowing(salt, 0.05)
    cell = "5.64 5.64 5.64 90 90 90"
    first = generate(weights, problem_of(salt, simulator), simulator, cell=cell, correct_lattice=False)[0]
    assert "given F cell" in first.origin
    assert StructureMatcher().fit(first.structure, salt)
    assert first.structure.volume == pytest.approx(salt.volume / 4)


def test_an_untrained_network_proposes_something_or_nothing_and_the_same_for_the_same_seed(weights, simulator, salt):
    problem = problem_of(salt, simulator)
    first, second = (generate(weights, problem, simulator, grid=16) for _ in range(2))
    assert [c.structure for c in first] == [c.structure for c in second]


def test_nothing_is_proposed_for_elements_that_the_network_does_not_know(save_weights, simulator, salt):
    heavy = salt.copy()
    heavy.replace_species({"Na": "U"})
    assert generate(save_weights(n_species=82), problem_of(heavy, simulator), simulator, grid=16) == []


def test_without_a_cell_at_all_the_user_is_asked_for_one():
    with pytest.raises(OptionError, match="give the cell with --cell"):
        predicted(None)


def test_of_the_centrings_of_a_known_cell_those_are_tried_that_the_pattern_and_the_prediction_like(salt, simulator):
    primitive = salt.get_primitive_structure()
    density = electron_density(CellBatch.from_structures([primitive]), 0, (24, 24, 24))
    smoothed = SmoothedPattern(problem_of(salt, simulator).pattern)
    centrings = centrings_of(density.values, 1.01 * salt.lattice.matrix, smoothed)
    assert {cell.kind[-1] for cell in centrings} == set("PACIF")
    assert centrings[0].kind == "given F"

    def tried(lattice, n):
        return [drawn.cell for drawn in in_given_cell(density.values, 1, lattice, centrings, n)]

    assert tried(None, 1) == tried(None, 0) == tried(primitive.lattice.matrix, 1) == ["given F cell"]
    assert tried(salt.lattice.matrix, 1) == ["given F cell", "given P cell"]
    assert tried(salt.lattice.matrix, 0) == ["given P cell"]


def test_the_electrons_of_a_map_tell_how_many_formula_units_it_holds(simulator, quartz):
    density = electron_density(CellBatch.from_structures([quartz]), 0, (24, 24, 24))
    problem = problem_of(quartz, simulator)
    assert problem.formula == Formula.parse("SiO2")[0]
    found = likely_contents(density, problem)
    assert found[0].z == 3
    assert all(content.z in (2, 4) for content in found[1:])
    half = DensityMap(0.34 * density.values, density.lattice)
    assert likely_contents(half, problem)[0].z == 1
