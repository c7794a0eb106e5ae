import pytest
from pymatgen.core import Lattice, Structure

from data_sets import Material
from judgement import summarise
from solve_simulated import case_of, result_page

JUDGE = ["            n         R2wp best", "all         3   0.0100 ± 0.0000"]


def row(name, solved, r2wp):
    shares = dict.fromkeys(("match_first", "match_ten", "strict_first", "strict_ten"), solved)
    identity = {"formula": "NaCl", "n_atoms": 2, "crystal_system": "cubic", "n_candidates": 10 * solved}
    return {"material_id": name, "r2wp_best": r2wp, "r2wp_first": r2wp, **shares, **identity}


@pytest.fixture
def record(making, times):
    rows = [row("mp-1", True, 0.01), row("mp-2", True, 0.01), row("mp-3", False, 1.0)]
    return {
        "set": "test_200",
        "size": 10.0,
        "noise": False,
        "generators": ["prototype"],
        "materials": 3,
        "all": summarise(rows),
        "by_prototype_in_train": {"yes": summarise(rows[:2]), "no": summarise(rows[2:])},
        "times": times,
        "making": making,
        "failures": {"mp-3": "no candidate was found"},
        "judge": JUDGE,
        "rows": rows,
    }


def test_the_page_quotes_the_judge(record):
    page = "".join(result_page(record))
    assert "```text\n" + "\n".join(JUDGE) + "\n```\n" in page
    assert page.startswith("# test_200: patterns of 10 Å crystallites, library mp20/train\n")


def test_the_title_names_generators_that_are_not_the_usual_one(record):
    both = "".join(result_page(record | {"generators": ["prototype", "pxrdnet"]}))
    assert both.startswith("# test_200: patterns of 10 Å crystallites, prototype and pxrdnet, library mp20/train\n")


def test_the_page_splits_by_known_types(record):
    page = "".join(result_page(record))
    assert "| yes | 2 | 0.0100 ± 0.0000 | 0.0100 | 1.000 | 1.000 | 1.000 | 1.000 |" in page
    assert "| no | 1 | 1.0000 ± 0.0000 | 1.0000 | 0.000 | 0.000 | 0.000 | 0.000 |" in page


def test_the_page_puts_our_figures_beside_published_ones(record):
    page = "".join(result_page(record))
    assert "| this | 0.340 ± 0.467 | 0.667 | 0.667 |" in page
    assert "| PXRDNet [1] | 0.325 ± 0.283 |" in page


def test_another_set_has_no_published_figures(record):
    assert "PXRDNet [1]" not in "".join(result_page(record | {"set": "mine"}))


def test_the_page_says_what_noise_there_is_and_what_the_solver_is_not_told(record):
    clean, noisy = ("".join(result_page(record | {"noise": noise})) for noise in (False, True))
    assert "no noise. Told to the solver: formula, content of the cell,\ncrystallite size" in clean
    assert "Not told: crystallite size" in noisy
    assert "crystallites with noise, library" in noisy
    assert "match@10 of at least 0.70: **not met**" in noisy


def test_the_aim_is_met_when_enough_are_matched(record):
    page = "".join(result_page(record | {"noise": True, "all": record["all"] | {"match_ten": 0.7}}))
    assert "match@10 of at least 0.70: **met**" in page


def test_patterns_with_noise_are_not_put_beside_figures_for_patterns_without(record):
    assert "PXRDNet [1]" not in "".join(result_page(record | {"noise": True}))


def test_the_page_lists_what_was_not_matched_and_why(record):
    page = "".join(result_page(record))
    assert "| mp-3 | NaCl | 2 | cubic | 1.000 | 0 | no candidate was found |" in page
    assert "| mp-2 |" not in page


def test_the_solver_is_not_told_a_size_that_it_is_to_find(tmp_path):
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    assert case_of(Material("mp-1", salt.to(fmt="cif"), None), tmp_path / "mp-1.xy", None).crystallite_size is None


def test_the_solver_is_told_the_content_of_the_cell_as_the_table_has_it(tmp_path):
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    case = case_of(Material("mp-1", rutile.to(fmt="cif"), None), tmp_path / "mp-1.xy", 10.0)
    assert (case.formula, case.z, case.crystallite_size, case.wavelength) == ("TiO2", 2, 10.0, "1.54184")
