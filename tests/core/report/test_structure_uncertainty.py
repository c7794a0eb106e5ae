"""Uncertainties of what is written, against differences between files of structures that differ by one parameter."""

from __future__ import annotations

from dataclasses import replace

import gemmi
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.candidate import Candidate, Fit, RankedCandidate, Uncertainty
from xtal_core.measurement import Profile
from xtal_core.ranking import space_group
from xtal_core.readers.cif_syntax import parse_number
from xtal_core.report import crystal_file
from xtal_core.report.cif import CELL_ITEMS, COORDINATES
from xtal_core.report.structure_uncertainty import VOIGT

STEP = 1e-5


def corundum(a=4.76, c=12.99, z=0.352, x=0.306):
    sites = [[0, 0, z], [x, 0, 0.25]]
    return Structure.from_spacegroup(167, Lattice.hexagonal(a, c), ["Al", "O"], sites)


def zirconia(a=5.15, b=5.21, c=5.32, beta=99.2, x=0.2754, y=0.0395):
    sites = [[x, y, 0.2083], [0.07, 0.3317, 0.3447], [0.4496, 0.7569, 0.4792]]
    return Structure.from_spacegroup(14, Lattice.monoclinic(a, b, c, beta), ["Zr", "O", "O"], sites)


def triclinic(a=4.1, alpha=81.0, x=0.11):
    lattice = Lattice.from_parameters(a, 5.3, 6.2, alpha, 97, 104)
    return Structure(lattice, ["Ca", "C", "O"], [[x, 0.23, 0.31], [0.62, 0.17, 0.83], [0.37, 0.71, 0.05]])


def rutile(a=4.594, c=2.959, x=0.3053):
    sites = [[0, 0, 0], [x, x, 0]]
    return Structure.from_spacegroup(136, Lattice.tetragonal(a, c), ["Ti", "O"], sites)


def as_it_is(structure):
    return structure


def primitive(structure):
    """Return the rhombohedral cell, chosen the same way for all parameters, turned in space."""
    lattice = Lattice(np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3 @ structure.lattice.matrix)
    places, chosen = lattice.get_fractional_coords(structure.cart_coords), []
    for index, place in enumerate(places):
        difference = places[chosen] - place
        if not (np.abs(difference - np.rint(difference)).max(axis=-1, initial=0) < 1e-6).any():
            chosen.append(index)
    return turned(Structure(lattice, [structure.species[i] for i in chosen], places[chosen]))


def turned(structure):
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    cross = np.cross(np.eye(3), axis)
    rotation = np.eye(3) + np.sin(1.1) * cross + (1 - np.cos(1.1)) * cross @ cross
    return Structure(Lattice(structure.lattice.matrix @ rotation), structure.species, structure.frac_coords)


def shifted(structure):
    """Return the structure with another origin and another choice of axes."""
    moved = Structure(structure.lattice, structure.species, structure.frac_coords + np.array([0.13, 0.27, 0.41]))
    moved.make_supercell([[0, 1, 0], [0, 0, 1], [1, 0, 0]], to_unit_cell=False)
    return moved


CASES = {
    "corundum": (corundum, as_it_is, ("a", "c", "z", "x")),
    "rhombohedral corundum": (corundum, primitive, ("a", "c", "z", "x")),
    "zirconia with another origin and axes": (zirconia, shifted, ("a", "b", "c", "beta", "x", "y")),
    "turned rutile": (rutile, turned, ("a", "c", "x")),
    "triclinic": (triclinic, turned, ("a", "alpha", "x")),
}


def directions_of(make, view, names):
    """Return (6 + 3 n_atoms, n_parameters): what each parameter does to the cell and the atoms."""
    start = view(make())
    inverse = np.linalg.inv(start.lattice.matrix)
    columns = []
    for name in names:
        default = dict(zip(make.__code__.co_varnames, make.__defaults__, strict=False))[name]
        changed = view(make(**{name: default + STEP}))
        gradient = inverse @ (changed.lattice.matrix - start.lattice.matrix) / STEP
        strain = (gradient + gradient.T) / 2  # the rest is a rotation
        shift = (changed.frac_coords - start.frac_coords) / STEP
        columns.append([*(strain[i, j] * (1 if i == j else 2) for i, j in VOIGT), *shift.ravel()])
    return np.array(columns).T


def numbers_of(file):
    """Return cell and coordinates of a file as written, and their uncertainties."""
    block = gemmi.cif.read_string(file.text).sole_block()
    texts = [block.find_value(item) for item in CELL_ITEMS.values()]
    texts += [text for row in block.find(COORDINATES) for text in row]
    return np.nan_to_num(np.array([parse_number(text) for text in texts])).T


def ranked_of(structure, uncertainty=None, b_iso=0.0):
    fit = Fit(np.zeros(2), np.zeros(2), Profile(b_iso=b_iso), 1.0, 0.01, 5, uncertainty)
    return RankedCandidate(1, Candidate(structure, "toy", fit=fit), 0.0, space_group(structure))


@pytest.mark.parametrize("name", CASES)
def test_written_uncertainties_are_those_that_the_parameters_cause(name):
    make, view, names = CASES[name]
    random = np.random.default_rng(1)
    factor = 1e-4 * random.normal(size=(len(names), len(names)))
    covariance = factor @ factor.T
    known = Uncertainty(names, directions_of(make, view, names), covariance, 1.0)
    start, _ = numbers_of(crystal_file(ranked_of(view(make()))))
    derivatives = []
    defaults = dict(zip(make.__code__.co_varnames, make.__defaults__, strict=False))
    for parameter in names:
        changed, _ = numbers_of(crystal_file(ranked_of(view(make(**{parameter: defaults[parameter] + 100 * STEP})))))
        difference = changed - start
        difference[7:] -= np.rint(difference[7:])
        derivatives.append(difference / (100 * STEP))
    expected = np.sqrt(np.einsum("in,ij,jn->n", derivatives, covariance, derivatives))
    expected[expected < 1e-8] = 0
    values, sigmas = numbers_of(crystal_file(ranked_of(view(make()), known)))
    # One digit of an uncertainty is kept from 2 to 9, two from 10 to 19.
    np.testing.assert_allclose(sigmas, expected, rtol=0.27)
    assert (np.abs(values - start) <= np.maximum(sigmas, 1e-8)).all()
    assert ((sigmas == 0) == (expected == 0)).all()


def test_what_symmetry_fixes_has_no_uncertainty():
    names = ("a", "c", "z", "x")
    known = Uncertainty(names, directions_of(corundum, primitive, names), 1e-8 * np.eye(4), 1.0)
    file = crystal_file(ranked_of(primitive(corundum()), known))
    block = gemmi.cif.read_string(file.text).sole_block()
    assert block.find_value("_cell_angle_gamma") == "120.00000000"
    assert "(" in block.find_value("_cell_length_a")
    aluminium, oxygen = ([*row] for row in block.find(COORDINATES))
    assert ["(" in text for text in aluminium] == [False, False, True]
    assert ["(" in text for text in oxygen].count(True) == 1
    assert file.uncertainty.cell["alpha"] == 0 < file.uncertainty.cell["volume"]


def test_a_file_with_uncertainties_is_read_as_the_same_structure():
    names = ("a", "c", "z", "x")
    known = Uncertainty(names, directions_of(corundum, as_it_is, names), 1e-8 * np.eye(4), 1.0)
    file = crystal_file(ranked_of(corundum(), known, b_iso=0.5))
    again = Structure.from_str(file.text, fmt="cif")
    assert again.matches(corundum(), ltol=1e-3, stol=1e-3, scale=False)
    small = gemmi.make_small_structure_from_block(gemmi.cif.read_string(file.text).sole_block())
    assert [site.u_iso for site in small.sites] == pytest.approx([0.5 / (8 * np.pi**2)] * 2, abs=1e-5)


def test_a_structure_that_the_pattern_hardly_determines_is_written_in_full():
    names = ("a", "alpha", "x")
    known = Uncertainty(names, directions_of(triclinic, as_it_is, names), 9.0 * np.eye(3), 1.0)
    file = crystal_file(ranked_of(triclinic(), known))
    again = Structure.from_str(file.text, fmt="cif")
    assert again.lattice.abc == pytest.approx(triclinic().lattice.abc, abs=1e-5)
    assert again.lattice.angles == pytest.approx(triclinic().lattice.angles, abs=1e-5)
    assert again.matches(triclinic(), ltol=1e-5, stol=1e-5, scale=False)


def test_displacements_are_written_with_their_uncertainty():
    known = Uncertainty(("b_iso",), np.zeros((6 + 90, 0)), np.array([[0.04]]), 1.0)
    block = gemmi.cif.read_string(crystal_file(ranked_of(corundum(), known, b_iso=0.8)).text).sole_block()
    value, sigma = parse_number(next(iter(block.find_values("_atom_site_U_iso_or_equiv"))))
    assert (value, sigma) == (
        pytest.approx(0.8 / (8 * np.pi**2), abs=2e-3),
        pytest.approx(0.2 / (8 * np.pi**2), rel=0.2),
    )
    assert "_atom_site_U_iso_or_equiv" not in crystal_file(ranked_of(corundum())).text


def test_without_symmetry_the_cell_is_written_as_it_is(monkeypatch):
    monkeypatch.setattr("xtal_core.report.cif._same", lambda *_: False)
    names = ("a", "c", "x")
    known = Uncertainty(names, directions_of(rutile, as_it_is, names), 1e-8 * np.eye(3), 1.0)
    file = crystal_file(replace(ranked_of(rutile(), known)))
    assert not file.symmetric
    assert file.uncertainty.coordinates.shape == (6, 3)
    assert file.uncertainty.cell["a"] == pytest.approx(1e-4)


def test_rounding_gives_fixed_angles_no_uncertainty():
    """Cells that come from elsewhere are symmetric to some digits only."""
    make, view, names = CASES["rhombohedral corundum"]
    structure = view(make())
    noise = np.random.default_rng(3).normal(size=(3, 3)) * 1e-7
    rough = Structure(structure.lattice.matrix @ (np.eye(3) + noise), structure.species, structure.frac_coords)
    known = Uncertainty(names, directions_of(make, view, names), np.eye(len(names)) * 1e-8, 1.0)
    file = crystal_file(ranked_of(rough, known))
    assert [name for name, sigma in file.uncertainty.cell.items() if sigma > 0] == ["a", "b", "c", "volume"]
