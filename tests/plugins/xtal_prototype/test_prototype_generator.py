from __future__ import annotations

from dataclasses import replace

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xtal_core.errors import InputError
from xtal_core.interfaces import Workbench
from xtal_core.problem import Formula, Problem
from xtal_core.registry import installed_registry
from xtal_core.testing import GeneratorConformance
from xtal_core.testing.problems import caesium_chloride_type, problem_of, rock_salt
from xtal_prototype.generator import PrototypeGenerator
from xtal_prototype.library import StructureLibrary
from xtal_prototype.plugin import PrototypeOptions
from xtal_prototype.reading import read_entry
from xtal_prototype.sources import RawStructure

#: The table that the package carries and nothing else; few candidates keep the tests quick.
TABLE_ALONE = PrototypeOptions(use_library=False, aflow=False, candidates=10, cell_sizes=2, screened=300)


class TestPrototypeConformance(GeneratorConformance):
    def create_generator(self):
        return PrototypeGenerator(TABLE_ALONE)

    def hopeless_problem(self):
        (problem,) = self.problems()
        return replace(problem, formula=Formula.parse("Na17Cl31")[0], z=7)


@pytest.fixture(scope="module")
def simulator():
    return installed_registry().create("simulator", "powder")


@pytest.fixture(scope="module")
def salt(simulator):
    return problem_of(rock_salt(5.64), simulator, z=4)


def generate(problem, simulator, options=TABLE_ALONE):
    return PrototypeGenerator(options).generate(problem, Workbench(simulator))


def test_rock_salt_is_proposed_from_its_pattern_by_the_table_alone(salt, simulator):
    best = generate(salt, simulator)[0]
    assert best.details["source"] == "prototype table"
    assert StructureMatcher().fit(best.structure, rock_salt(5.64))
    assert best.structure.volume / len(best.structure) == pytest.approx(5.64**3 / 8, rel=0.03)


def test_the_pattern_decides_between_types_when_z_is_not_known(salt, simulator):
    for structure in (rock_salt(5.64), caesium_chloride_type(3.55)):
        best = generate(problem_of(structure, simulator), simulator)[:3]
        assert any(StructureMatcher().fit(candidate.structure, structure) for candidate in best)


def test_without_z_several_cell_contents_are_proposed(salt, simulator):
    units = {len(candidate.structure) // 2 for candidate in generate(replace(salt, z=None), simulator)}
    assert len(units) > 1


def test_a_known_space_group_excludes_all_others(salt, simulator):
    candidates = generate(replace(salt, z=None, space_group=221), simulator)
    assert candidates
    assert {SpacegroupAnalyzer(c.structure, 0.01).get_space_group_number() for c in candidates} == {221}


def test_candidates_of_other_compositions_come_beside_those_of_their_own(salt, simulator):
    options = replace(TABLE_ALONE, candidates=5)
    own = generate(salt, simulator, replace(options, cell_sizes=0))
    both = generate(salt, simulator, options)
    assert len(own) == 5
    assert len(both) == 10
    assert {c.origin for c in own} <= {c.origin for c in both}


def test_an_element_that_nothing_is_known_of_is_an_input_error(salt, simulator):
    polonium = Problem(salt.pattern, Formula.parse("PoCl")[0], z=4)
    with pytest.raises(InputError, match="atomic number 84; leave the prototype search out"):
        generate(polonium, simulator)


def test_structures_of_the_library_are_proposed_and_the_library_is_named(salt, simulator, tmp_path):
    path = tmp_path / "library.sqlite"
    with StructureLibrary.open_for_adding(path) as library:
        lithium = rock_salt(5.1)
        lithium.replace_species({"Na": "Li", "Cl": "F"})
        library.add([read_entry(RawStructure("mine", lithium.to(fmt="cif")))])
    generator = PrototypeGenerator(PrototypeOptions(library=str(path), table=False, aflow=False))
    best = generator.generate(salt, Workbench(simulator))[0]
    assert best.origin == "AB_cF8_225_a_b (library mine)"
    assert best.structure.composition.reduced_formula == "NaCl"
    assert generator.files()[0] == path
    assert {file.name for file in generator.files()[1:]} == {"element_volumes.json", "substitutions.npz"}


def test_the_tables_that_ship_with_the_package_are_named_where_they_are_used():
    files = PrototypeGenerator(TABLE_ALONE).files()
    assert {file.name for file in files} == {"element_volumes.json", "substitutions.npz", "prototypes.npz"}
    assert all(file.is_file() for file in files)


def test_the_refined_candidate_is_rock_salt(salt, simulator):
    registry = installed_registry()
    refiner = registry.create("refiner", "fit", {"rounds": 0})
    best = refiner.refine(salt, generate(salt, simulator), Workbench(simulator))[0]
    assert best.fit.residual < 1e-3
    assert best.structure.volume / len(best.structure) == pytest.approx(5.64**3 / 8, rel=1e-3)
    assert SpacegroupAnalyzer(best.structure, 0.01).get_space_group_number() == 225
