"""What cells may hold, how lattices are corrected, and what the filter keeps."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.cell_contents import CellContent, cell_contents, shares
from xtal_core.cells import CellBatch
from xtal_core.filtering import Filter, Proposal, is_sound, shortest_distance
from xtal_core.interfaces import Simulator, Workbench
from xtal_core.problem import Formula
from xtal_core.registry import installed_registry
from xtal_core.testing.problems import problem_of


@pytest.fixture(scope="module")
def simulator():
    return installed_registry().create("simulator", "powder")


@pytest.fixture(scope="module")
def rutile():
    lattice = Lattice.tetragonal(4.594, 2.959)
    return Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]])


@pytest.fixture(scope="module")
def problem(rutile, simulator):
    return problem_of(rutile, simulator, z=2)


def proposal(structure, origin="", strain=0.0):
    lattice = structure.lattice.matrix @ (np.eye(3) + strain)
    return Proposal(lattice, structure.frac_coords, np.array(structure.atomic_numbers), origin)


class PlainSimulator(Simulator):
    """Offers no derivatives."""

    def __init__(self, simulator):
        self.simulator = simulator

    def simulate(self, cells, measurement, profiles):
        return self.simulator.simulate(cells, measurement, profiles)

    def scan_volume(self, cells, measurement, profile, factors):
        return self.simulator.scan_volume(cells, measurement, profile, factors)


def test_known_z_may_be_that_of_a_centred_cell(problem):
    found = cell_contents(replace(problem, z=4), max_atoms=20, n_species=100)
    assert [content.z for content in found] == [4, 2, 1]
    assert found[0].weight > found[1].weight
    assert found[2].numbers.tolist() == [22, 8, 8]


def test_unknown_z_is_everything_that_fits(problem):
    assert [content.z for content in cell_contents(replace(problem, z=None), 20, 100)] == [1, 2, 3, 4, 5, 6]


def test_cells_larger_than_the_network_knows_are_left_out(problem):
    assert [content.z for content in cell_contents(replace(problem, z=8), 20, 100)] == [4, 2]
    assert cell_contents(replace(problem, z=7), 20, 100) == []


def test_elements_that_the_network_does_not_know_have_no_cells(problem):
    assert cell_contents(replace(problem, formula=Formula.parse("LrO2")[0]), 20, 100) == []


def test_shares_add_up_and_follow_weights_times_likelihoods():
    contents = [CellContent(z, np.array([1] * z), weight) for z, weight in ((1, 4.0), (2, 1.0), (4, 1.0))]
    assert shares(contents, np.array([1.0, 2.0, 2.0]), 40) == [20, 10, 10]
    assert sum(shares(contents, np.array([0.31, 0.27, 0.11]), 7)) == 7
    assert shares(contents, np.zeros(3), 9) == [3, 3, 3]


@pytest.mark.parametrize("strain", [0.04 * np.eye(3), np.diag([0.015, 0.015, -0.03]), np.diag([-0.03, -0.03, -0.02])])
def test_a_strained_cell_finds_back(problem, simulator, rutile, strain):
    screen = Filter(problem, Workbench(simulator), correct_lattice=True)
    fitted = screen.fitted([proposal(rutile, strain=strain)])
    np.testing.assert_allclose(fitted.cells.lattices[0], rutile.lattice.matrix, atol=0.01)
    assert fitted.residuals[0] < 1e-3


@pytest.mark.parametrize(("expected_strain", "largest"), [(0.02, 0.08), (0.002, 0.015)])
def test_a_poor_description_of_the_pattern_strains_a_cell_little(problem, simulator, rutile, expected_strain, largest):
    random = np.random.default_rng(0)
    wrong = [replace(proposal(rutile), fractional=random.random((6, 3))) for _ in range(8)]
    screen = Filter(problem, Workbench(simulator), correct_lattice=True, expected_strain=expected_strain)
    cells = screen.fitted(wrong).cells
    shape = cells.lattices / np.cbrt(cells.volumes)[:, None, None]
    true = rutile.lattice.matrix / np.cbrt(rutile.volume)
    assert np.abs(np.linalg.solve(true, shape) - np.eye(3)).max() < largest


def test_without_derivatives_the_volume_is_corrected(problem, simulator, rutile):
    screen = Filter(problem, Workbench(PlainSimulator(simulator)), correct_lattice=True)
    fitted = screen.fitted([proposal(rutile, strain=0.06 * np.eye(3))])
    assert fitted.cells.volumes[0] == pytest.approx(rutile.volume, rel=0.03)


def test_lattices_stay_when_no_correction_is_wanted(problem, simulator, rutile):
    screen = Filter(problem, Workbench(simulator), correct_lattice=False)
    strained = proposal(rutile, strain=0.03 * np.eye(3))
    np.testing.assert_array_equal(screen.fitted([strained]).cells.lattices[0], strained.lattice)


def test_the_right_structure_comes_first_and_repetitions_last(problem, simulator, rutile):
    other = replace(proposal(rutile, "other"), fractional=(rutile.frac_coords * [1, 1, 0.7]) % 1)
    offered = [other, proposal(rutile, "right"), proposal(rutile, "again")]
    screen = Filter(problem, Workbench(simulator), correct_lattice=False)
    assert [c.origin for c in screen.best(offered, 3, "test")] == ["right", "other", "again"]
    assert len(screen.best(offered, 2, "test")) == 2


@pytest.mark.parametrize(("z", "repeats"), [(2, [1, 1, 1]), (4, [1, 1, 2]), (6, [1, 1, 3]), (8, [1, 2, 2])])
def test_cells_come_as_large_as_they_were_said_to_be(problem, simulator, rutile, z, repeats):
    screen = Filter(replace(problem, z=z), Workbench(simulator), correct_lattice=False)
    (candidate,) = screen.best([proposal(rutile)], 1, "test")
    assert sorted(np.round(np.divide(candidate.structure.lattice.abc, rutile.lattice.abc))) == repeats
    assert candidate.structure.get_primitive_structure().volume == pytest.approx(rutile.volume)


def test_what_is_no_crystal_is_left_out(problem, simulator, rutile):
    right = proposal(rutile)
    unsound = [
        replace(right, lattice=right.lattice * np.nan),
        replace(right, lattice=right.lattice * 0.3),
        replace(right, lattice=right.lattice * 5),
        replace(right, fractional=np.zeros((6, 3))),
    ]
    assert is_sound(right)
    assert not any(is_sound(each) for each in unsound)
    assert Filter(problem, Workbench(simulator), correct_lattice=True).best(unsound, 3, "test") == []


@pytest.mark.parametrize("n_atoms", [1, 2, 5])
def test_the_shortest_distance_is_that_of_brute_force(n_atoms):
    random = np.random.default_rng(n_atoms)
    for _ in range(5):
        lattice = Lattice.from_parameters(*random.uniform(3, 6, 3), *random.uniform(75, 110, 3))
        structure = Structure(lattice, ["C"] * n_atoms, random.random((n_atoms, 3)))
        expected = min(n.nn_distance for site in structure for n in structure.get_neighbors(site, 7.0))
        assert shortest_distance(proposal(structure)) == pytest.approx(expected)


def test_a_crystal_close_to_a_higher_symmetry_is_offered_in_it_and_wins(problem, simulator, rutile):
    random = np.random.default_rng(5)
    strain = np.diag([0.01, -0.01, 0.0])
    rough = replace(proposal(rutile, strain=strain), fractional=rutile.frac_coords + 0.02 * random.normal(size=(6, 3)))
    best = {
        symmetrise: Filter(problem, Workbench(simulator), correct_lattice=True, symmetrise=symmetrise).best(
            [rough], 10, "test"
        )
        for symmetrise in (False, True)
    }
    assert "symmetrised" not in best[False][0].details
    assert best[True][0].details["symmetrised"] == 136
    assert best[True][0].structure.get_space_group_info(0.001)[1] == 136
    assert best[True][0].details["filter_residual"] < 0.5 * best[False][0].details["filter_residual"]
    # What it was before is still there, for crystals that only look symmetric.
    assert any("symmetrised" not in candidate.details for candidate in best[True])


def test_joined_cells_are_those_of_the_parts(rutile):
    cubic = Structure(Lattice.cubic(4), ["Po"], [[0.5, 0.5, 0.5]])
    joined = CellBatch.join([CellBatch.from_structures(each) for each in ([rutile, cubic], [cubic])])
    assert joined.counts.tolist() == [6, 1, 1]
    assert joined.numbers.tolist() == [22, 22, 8, 8, 8, 8, 84, 84]
    np.testing.assert_array_equal(joined.lattices[2], cubic.lattice.matrix)
    np.testing.assert_array_equal(joined.fractional[joined.atoms(0)], rutile.frac_coords)
