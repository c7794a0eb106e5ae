import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from pulls import profile_pulls, strain_between, structure_pulls
from toys import rocksalt
from xtal_core.candidate import Fit, Uncertainty
from xtal_core.measurement import Profile
from xtal_fit.symmetry import free_directions
from xtal_fit.trial import Trial


@pytest.fixture
def rutile():
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]]
    )


def uncertainty_of(structure, sigmas, keep_symmetry=True):
    lattice, numbers = structure.lattice.matrix, np.array(structure.atomic_numbers)
    directions = free_directions(lattice, structure.frac_coords, numbers, keep_symmetry=keep_symmetry)
    names = tuple(str(n) for n in range(directions.n_directions))
    covariance = np.diag(np.broadcast_to(sigmas, len(names)) ** 2)
    return Uncertainty(names, directions.columns, covariance, 1.0), directions


def moved_by(structure, directions, step):
    numbers = np.array(structure.atomic_numbers)
    trial = Trial(0, structure.lattice.matrix, structure.frac_coords, numbers, Profile(), directions)
    trial = trial.stepped(np.asarray(step), Profile())
    return Structure(trial.lattice, structure.species, trial.fractional)


def test_a_pull_is_the_error_over_its_uncertainty(rutile):
    uncertainty, directions = uncertainty_of(rutile, [1e-5, 2e-5, 1e-4])
    truth = moved_by(rutile, directions, [0, 0, -3e-4])
    pulls = structure_pulls(rutile, truth, uncertainty)
    assert pulls["positions"] == pytest.approx([3.0])
    assert np.abs(pulls["lattice parameters"]).max() < 1e-9


def test_each_free_lattice_parameter_counts_once(rutile):
    stretched = Structure(Lattice.tetragonal(4.5944, 2.959), rutile.species, rutile.frac_coords)
    uncertainty, _ = uncertainty_of(rutile, 1e-5)
    # The parameter of unit length strains a and b by 1/√2 each.
    pulls = structure_pulls(rutile, stretched, uncertainty)["lattice parameters"]
    assert len(pulls) == 2
    assert sorted(np.abs(pulls)) == pytest.approx([0.0, 0.0004 / 4.594 * np.sqrt(2) / 1e-5], abs=1e-2)
    assert min(pulls) < -1
    salt = rocksalt(5.64)
    assert len(structure_pulls(salt, salt, uncertainty_of(salt, 1e-5)[0])["lattice parameters"]) == 1


def test_a_common_shift_and_a_turned_cell_are_no_errors(rutile):
    uncertainty, _ = uncertainty_of(rutile, 1e-4, keep_symmetry=False)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    truth = Structure(rutile.lattice.matrix @ turn, rutile.species, rutile.frac_coords + np.array([0.01, 0.02, 0.03]))
    assert np.allclose(strain_between(rutile, truth), 0, atol=1e-12)
    pulls = structure_pulls(rutile, truth, uncertainty)
    assert np.abs([*pulls["lattice parameters"], *pulls["positions"]]).max() < 1e-8


def test_pulls_of_values_drawn_with_their_covariance_have_the_standard_deviation_one(rutile):
    random = np.random.default_rng(0)
    uncertainty, directions = uncertainty_of(rutile, [1e-5, 2e-5, 1e-4])
    factor = random.normal(size=(3, 3)) * [[1e-5], [2e-5], [1e-4]]
    correlated = Uncertainty(uncertainty.names, uncertainty.directions, factor @ factor.T, 1.0)
    lattice, positions = [], []
    for _ in range(600):
        truth = moved_by(rutile, directions, factor @ random.normal(size=3))
        pulls = structure_pulls(rutile, truth, correlated)
        lattice += pulls["lattice parameters"]
        positions += pulls["positions"]
    assert np.std(lattice) == pytest.approx(1, abs=0.08)
    assert np.std(positions) == pytest.approx(1, abs=0.1)


def test_profile_parameters_without_an_uncertainty_have_no_pull():
    names = ("strain 1", "b_iso", "zero_shift")
    covariance = np.diag([1e-8, 0.04, 0.0])
    fit = Fit(
        np.ones(3), np.zeros(3), Profile(b_iso=0.9), 1.0, 0.1, 3, Uncertainty(names, np.ones((9, 1)), covariance, 1.0)
    )
    assert profile_pulls(fit, Profile(b_iso=0.5, zero_shift=0.1)) == pytest.approx({"b_iso": 2.0})
