from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.bond_valence import BVAnalyzer
from pymatgen.core import Lattice, Species, Structure

from toys import caesium_chloride_type, rocksalt
from xtal_core.chemistry_checks import (
    LONGEST_CONTACT,
    check_chemistry,
    global_instability,
    oxidation_states,
    shortest_contact,
)

#: Å, Cordero et al., Table 2.
RADII = {"Na": 1.66, "Cl": 1.02, "He": 0.28}


def test_the_shortest_contact_of_rock_salt_is_half_its_edge_over_the_radii():
    assert shortest_contact(rocksalt(5.64)) == pytest.approx(2.82 / (RADII["Na"] + RADII["Cl"]))


def test_the_shortest_contact_agrees_with_all_distances_one_by_one():
    random = np.random.default_rng(3)
    structure = Structure(Lattice.from_parameters(4, 5, 6, 80, 95, 110), ["Na", "Cl", "Na"], random.random((3, 3)))
    images = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3), -1).reshape(-1, 3)
    ratios = [
        distance / (RADII[str(a.specie)] + RADII[str(b.specie)])
        for a in structure
        for b in structure
        for distance in np.linalg.norm((b.frac_coords + images - a.frac_coords) @ structure.lattice.matrix, axis=1)
        if distance > 1e-6
    ]
    assert shortest_contact(structure) == pytest.approx(min(ratios))


def test_atoms_that_are_far_apart_have_the_longest_contact():
    assert shortest_contact(Structure(Lattice.cubic(20), ["He"], [[0, 0, 0]])) == LONGEST_CONTACT


def test_a_disordered_site_is_as_large_as_its_largest_atom():
    mixed = caesium_chloride_type(4.0)
    mixed[0] = {"Na": 0.5, "He": 0.5}
    assert shortest_contact(mixed) == pytest.approx(shortest_contact(caesium_chloride_type(4.0)))
    assert global_instability(mixed) is None


def test_a_real_salt_is_stable_and_a_squeezed_one_is_not():
    real, squeezed = global_instability(rocksalt(5.64)), global_instability(rocksalt(4.9))
    assert real < 0.25
    assert squeezed > 1.0


def test_the_instability_of_rock_salt_is_that_of_six_bonds():
    # O'Keeffe and Brese's equation by hand, with size r and electronegativity c; bonds beyond the six add little.
    (r_na, c_na), (r_cl, c_cl) = (1.36, 1.01), (0.99, 2.74)
    correction = r_na * r_cl * (c_na**0.5 - c_cl**0.5) ** 2 / (c_na * r_na + c_cl * r_cl)
    valence = 6 * np.exp((r_na + r_cl - correction - 2.82) / 0.31)
    assert global_instability(rocksalt(5.64)) == pytest.approx(abs(valence - 1), abs=0.01)


def test_ions_are_treated_as_their_elements():
    charged = rocksalt(5.64)
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert check_chemistry(charged) == check_chemistry(rocksalt(5.64))


def test_oxidation_states_agree_with_those_of_the_full_analysis():
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    full = {
        site.specie.symbol: site.specie.oxi_state
        for site in BVAnalyzer().get_oxi_state_decorated_structure(rutile)
        if isinstance(site.specie, Species)
    }
    assert dict(oxidation_states((("O", 2.0), ("Ti", 1.0)))) == full
    assert global_instability(rutile) < 0.4


@pytest.mark.parametrize("formula", [(("Cu", 3.0), ("Au", 1.0)), (("Fe", 1.0),)], ids=str)
def test_alloys_and_elements_have_no_oxidation_states(formula):
    assert oxidation_states(formula) is None


def test_alloys_and_elements_without_parameters_are_not_judged_by_valence():
    assert global_instability(caesium_chloride_type(3.0, "Cu", "Zn")) is None
    assert global_instability(caesium_chloride_type(3.0, "Ne", "F")) is None


def test_a_formula_too_large_to_guess_has_no_oxidation_states():
    assert oxidation_states((("C", 60.0), ("H", 60.0), ("O", 1.0))) is None
