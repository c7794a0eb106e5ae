from __future__ import annotations

import json


def tetragonal(displacements, loops=""):
    """Return the CIF of a crystal whose atoms are displaced as a column and loops say."""
    cell = [f"_cell_length_{name} {value}" for name, value in zip("abc", (4.1, 4.1, 5.9), strict=True)]
    angles = [f"_cell_angle_{name} 90" for name in ("alpha", "beta", "gamma")]
    items = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", "U_iso_or_equiv"]
    atoms = [f"Sr1 Sr 0.1 0.2 0 {displacements}", f"O1 O 0.45 0.4 0.4 {displacements}"]
    head = ["data_a", *cell, *angles, "_symmetry_space_group_name_H-M 'P 4'"]
    return "\n".join([*head, "loop_", *(f"_atom_site_{item}" for item in items), *atoms, loops, ""])


def test_displacements_of_a_cif_count_for_pair_distribution_functions_only(xtal, tmp_path):
    components = [f"_atom_site_aniso_U_{place}" for place in ("11", "22", "33", "12", "13", "23")]
    tensors = ["Sr1 0.03 0.003 0.005 0 0 0", "O1 0.003 0.03 0.005 0 0 0"]
    (tmp_path / "iso.cif").write_text(tetragonal(0.005))
    (tmp_path / "none.cif").write_text(tetragonal("?"))
    (tmp_path / "aniso.cif").write_text(
        tetragonal(0.0127, "\n".join(["loop_", "_atom_site_aniso_label", *components, *tensors]))
    )
    values = {}
    for file in ("iso.cif", "aniso.cif"):
        outcome = xtal("compare", "none.cif", file, "--json")
        assert outcome.code == 0, outcome.err
        values[file] = {row["metric"]: row["value"] for row in json.loads(outcome.out)}
    assert values["iso.cif"]["pdf-rw"] < 1e-6  # 0.005 Å² is what atoms get that bring none
    assert values["aniso.cif"]["pdf-rw"] > 0.02
    for metric in values["iso.cif"].keys() - {"pdf-rw", "pdf-pcc"}:
        assert values["aniso.cif"][metric] == values["iso.cif"][metric], metric
