import pytest
import torch
from pymatgen.core import Lattice

from xtal_cdvae.model.lattice_parameters import lattice_of_parameters, lattice_parameters


def test_parameters_are_pymatgens_with_lengths_for_one_atom(structures, crystals):
    found = lattice_parameters(crystals.lattice, crystals.n_atoms)
    for structure, parameters in zip(structures, found, strict=True):
        expected = [
            *(length / len(structure) ** (1 / 3) for length in structure.lattice.abc),
            *structure.lattice.angles,
        ]
        assert parameters.tolist() == pytest.approx(expected, rel=1e-5)


def test_the_lattice_comes_back_from_its_parameters(structures, crystals):
    found = lattice_of_parameters(lattice_parameters(crystals.lattice, crystals.n_atoms), crystals.n_atoms)
    for structure, matrix in zip(structures, found, strict=True):
        lattice = Lattice(matrix.double().numpy())
        assert lattice.parameters == pytest.approx(structure.lattice.parameters, rel=1e-4)
        assert matrix[0, 1] == matrix[0, 2] == matrix[1, 2] == 0


@pytest.mark.parametrize(
    "parameters",
    [
        [2.0, 2.0, 2.0, 40.0, 40.0, 150.0],
        [2.0, 2.0, 2.0, 170.0, 170.0, 170.0],
        [-1.0, 0.0, 3.0, 90.0, 200.0, -20.0],
    ],
    ids=["angles that do not close", "angles of more than a whole turn", "numbers out of any range"],
)
def test_parameters_of_no_cell_still_give_one_that_is_not_flat(parameters):
    lattice = lattice_of_parameters(torch.tensor([parameters]), torch.tensor([4]))
    unit = lattice / lattice.norm(dim=-1, keepdim=True)
    assert lattice.isfinite().all()
    assert torch.linalg.det(unit) > 0.02


def test_the_lattice_has_finite_derivatives_by_its_parameters():
    for cell in ([2.0, 2.1, 2.2, 90.0, 90.0, 90.0], [2.0, 2.0, 2.0, 40.0, 40.0, 150.0]):
        parameters = torch.tensor([cell], requires_grad=True)
        (gradient,) = torch.autograd.grad(
            lattice_of_parameters(parameters, torch.tensor([3])).square().sum(), parameters
        )
        assert gradient.isfinite().all()
