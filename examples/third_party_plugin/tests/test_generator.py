import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.interfaces import Workbench
from xtal_core.testing import GeneratorConformance, problem_of
from xtal_example.generator import BinaryTypes
from xtal_example.plugin import BinaryTypesOptions


class TestBinaryTypes(GeneratorConformance):
    def create_generator(self):
        return BinaryTypes(BinaryTypesOptions())

    def hopeless_problem(self):
        rutile = Structure.from_spacegroup(
            136, Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]]
        )
        return problem_of(rutile, self.create_simulator())


@pytest.mark.parametrize(
    ("symbol", "site", "formula", "edge", "name"),
    [
        ("Fm-3m", 0.5, ("Mg", "O"), 4.212, "rock salt type"),
        ("F-43m", 0.25, ("Zn", "S"), 5.409, "zinc blende type"),
        ("Pm-3m", 0.5, ("Cs", "Cl"), 4.123, "caesium chloride type"),
    ],
)
def test_each_type_is_found_with_its_cell_edge(symbol, site, formula, edge, name):
    truth = Structure.from_spacegroup(symbol, Lattice.cubic(edge), formula, [[0, 0, 0], [site, site, site]])
    simulator = TestBinaryTypes().create_simulator()
    best = BinaryTypes(BinaryTypesOptions()).generate(problem_of(truth, simulator), Workbench(simulator))[0]
    assert best.origin == name
    assert best.structure.lattice.a == pytest.approx(edge, rel=0.003)
