"""Displacement parameters in CIF: which sites get them, turned by the symmetry that made the site."""

import math

import gemmi
import numpy as np
import pytest

from xtal_core.displacements import ISOTROPIC, PLACES, TENSOR, without_displacements
from xtal_core.errors import StructureError
from xtal_core.readers import read_structure

U = (0.010, 0.020, 0.030, 0.002, 0.003, 0.004)  # U11 U22 U33 U23 U13 U12
UNEQUAL_AXES = (4.0, 5.0, 7.0, 80, 95, 110)


def write(folder, *, cell, group, atoms, columns="", tensors=(), kind="U"):
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_sample", *(f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True))]
    lines += [f"_symmetry_space_group_name_H-M '{group}'", "loop_", "_atom_site_label", "_atom_site_type_symbol"]
    lines += [*(f"_atom_site_fract_{axis}" for axis in "xyz"), *columns.split(), *atoms]
    if tensors:
        lines += ["loop_", "_atom_site_aniso_label"]
        lines += [f"_atom_site_aniso_{kind}_{place}" for place in ("11", "22", "33", "23", "13", "12")]
        lines += [f"{label} {' '.join(map(str, values))}" for label, values in tensors]
    path = folder / "sample.cif"
    path.write_text("\n".join([*lines, ""]))
    return path


def tensor_of(site):
    tensor = np.empty((3, 3))
    for name, (i, j) in zip(TENSOR, PLACES, strict=True):
        tensor[i, j] = tensor[j, i] = site.properties[name]
    return tensor


def site_near(structure, *fractional):
    shifts = structure.frac_coords - np.array(fractional)
    (index,) = np.flatnonzero(np.abs(shifts - np.rint(shifts)).max(axis=1) < 1e-6)
    return structure[int(index)]


def test_isotropic_displacements_reach_every_equivalent_site(tmp_path):
    path = write(
        tmp_path,
        cell=(5.6, 5.6, 5.6, 90, 90, 90),
        group="F m -3 m",
        atoms=["Na1 Na 0 0 0 0.012(3)", "Cl1 Cl 0.5 0.5 0.5 ?"],
        columns="_atom_site_U_iso_or_equiv",
    )
    structure = read_structure(path)
    for site in structure:
        assert site.properties[ISOTROPIC] == (pytest.approx(0.012) if site.specie.symbol == "Na" else None)
    assert not set(TENSOR) & set(structure.site_properties)


def test_b_is_eight_pi_squared_u(tmp_path):
    columns = "_atom_site_B_iso_or_equiv"
    path = write(tmp_path, cell=UNEQUAL_AXES, group="P 1", atoms=["Fe1 Fe 0 0 0 0.8"], columns=columns)
    assert read_structure(path)[0].properties[ISOTROPIC] == pytest.approx(0.8 / (8 * math.pi**2))


def test_a_structure_without_displacements_gets_no_site_properties(tmp_path):
    for atoms, columns in ((["Fe1 Fe 0 0 0"], ""), (["Fe1 Fe 0 0 0 ?"], "_atom_site_U_iso_or_equiv")):
        path = write(tmp_path, cell=UNEQUAL_AXES, group="P 1", atoms=atoms, columns=columns)
        assert not read_structure(path).site_properties


def test_a_fourfold_axis_exchanges_u11_and_u22_and_changes_the_sign_of_u12(tmp_path):
    path = write(tmp_path, cell=(4, 4, 6, 90, 90, 90), group="P 4", atoms=["Fe1 Fe 0.1 0.2 0.3"], tensors=[("Fe1", U)])
    structure = read_structure(path)
    u11, u22, u33, u23, u13, u12 = U
    np.testing.assert_allclose(
        tensor_of(site_near(structure, 0.1, 0.2, 0.3)), [[u11, u12, u13], [u12, u22, u23], [u13, u23, u33]], atol=1e-12
    )
    # x, y, z → −y, x, z
    np.testing.assert_allclose(
        tensor_of(site_near(structure, -0.2, 0.1, 0.3)),
        [[u22, -u12, -u23], [-u12, u11, u13], [-u23, u13, u33]],
        atol=1e-12,
    )


def cartesian(structure, tensor):
    """Return CIF's U on the orthogonal axes of gemmi's cell, by gemmi's own reciprocal cell."""
    cell = gemmi.UnitCell(*structure.lattice.parameters)
    reciprocal = cell.reciprocal()
    to_cartesian = np.array(cell.orth.mat) * [reciprocal.a, reciprocal.b, reciprocal.c]
    return to_cartesian @ tensor @ to_cartesian.T


def test_a_threefold_axis_turns_the_ellipsoid_by_120_degrees(tmp_path):
    """In a hexagonal cell components mix; what must hold is that the ellipsoid is turned in space."""
    path = write(tmp_path, cell=(5, 5, 8, 90, 90, 120), group="P 3", atoms=["Fe1 Fe 0.1 0.3 0.3"], tensors=[("Fe1", U)])
    structure = read_structure(path)
    assert len(structure) == 3
    first = cartesian(structure, tensor_of(site_near(structure, 0.1, 0.3, 0.3)))
    cosine, sine = math.cos(2 * math.pi / 3), math.sin(2 * math.pi / 3)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    # x, y, z → −y, x − y, z
    second = cartesian(structure, tensor_of(site_near(structure, -0.3, -0.2, 0.3)))
    np.testing.assert_allclose(second, turn @ first @ turn.T, atol=1e-12)
    third = cartesian(structure, tensor_of(site_near(structure, 0.2, -0.1, 0.3)))
    np.testing.assert_allclose(third, turn.T @ first @ turn, atol=1e-12)


def test_u_b_and_beta_say_the_same(tmp_path):
    cell = gemmi.UnitCell(*UNEQUAL_AXES).reciprocal()
    lengths = np.array([cell.a, cell.b, cell.c])
    written = {
        "U": U,
        "B": [u * 8 * math.pi**2 for u in U],
        "beta": [u * 2 * math.pi**2 * lengths[i] * lengths[j] for u, (i, j) in zip(U, PLACES, strict=True)],
    }
    for kind, values in written.items():
        tensors = [("Fe1", [f"{value:.12f}" for value in values])]
        path = write(tmp_path, cell=UNEQUAL_AXES, group="P 1", atoms=["Fe1 Fe 0 0 0"], tensors=tensors, kind=kind)
        site = read_structure(path)[0]
        assert [site.properties[name] for name in TENSOR] == pytest.approx(U, abs=1e-9), kind


def test_a_tensor_on_a_special_position_gets_its_symmetry(tmp_path):
    path = write(tmp_path, cell=(4, 4, 6, 90, 90, 90), group="P 4", atoms=["Fe1 Fe 0 0 0"], tensors=[("Fe1", U)])
    np.testing.assert_allclose(tensor_of(read_structure(path)[0]), np.diag([0.015, 0.015, 0.03]), atol=1e-12)


def test_atoms_that_share_a_site_move_alike_weighted_by_occupancy(tmp_path):
    atoms = ["Fe1 Fe 0 0 0 0.75 0.010", "Co1 Co 0 0 0 0.25 0.030"]
    columns = "_atom_site_occupancy _atom_site_U_iso_or_equiv"
    (site,) = read_structure(write(tmp_path, cell=UNEQUAL_AXES, group="P 1", atoms=atoms, columns=columns))
    assert site.properties[ISOTROPIC] == pytest.approx(0.015)


def test_the_tensor_counts_more_than_its_isotropic_equivalent(tmp_path):
    path = write(
        tmp_path,
        cell=UNEQUAL_AXES,
        group="P 1",
        atoms=["Fe1 Fe 0 0 0 0.02", "O1 O 0.5 0.5 0.5 0.01"],
        columns="_atom_site_U_iso_or_equiv",
        tensors=[("Fe1", U)],
    )
    iron, oxygen = sorted(read_structure(path), key=lambda site: -site.specie.Z)
    assert [iron.properties[name] for name in TENSOR] == pytest.approx(U)
    assert iron.properties[ISOTROPIC] is None
    assert (oxygen.properties["U11_cif"], oxygen.properties[ISOTROPIC]) == (None, 0.01)


def test_displacements_can_be_left_out_again(tmp_path):
    structure = read_structure(
        write(tmp_path, cell=UNEQUAL_AXES, group="P 1", atoms=["Fe1 Fe 0 0 0"], tensors=[("Fe1", U)])
    )
    assert not without_displacements(structure).site_properties
    assert structure.site_properties


@pytest.mark.parametrize(
    ("atom", "columns", "tensors", "words"),
    [
        ("Fe1 Fe 0 0 0 much", "_atom_site_U_iso_or_equiv", (), "_atom_site_U_iso_or_equiv of Fe1 is 'much'"),
        ("Fe1 Fe 0 0 0", "", [("Fe1", (*U[:5], "?"))], "_atom_site_aniso_U_12 of Fe1 is '?'; give a number"),
        ("Fe1 Fe 0 0 0", "", [("Fe2", U)], "displacement tensor of Fe2 belongs to no atom; correct its label"),
    ],
)
def test_displacements_that_cannot_be_are_refused(tmp_path, atom, columns, tensors, words):
    path = write(tmp_path, cell=UNEQUAL_AXES, group="P 1", atoms=[atom], columns=columns, tensors=tensors)
    with pytest.raises(StructureError) as caught:
        read_structure(path)
    assert words in str(caught.value)
