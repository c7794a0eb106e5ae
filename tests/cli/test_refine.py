from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from toys import pattern_of, rocksalt

TOYS = ("--simulator", "toy-simulator", "--refiner", "toy-refiner")


@pytest.fixture
def refine(xtal, salt_pattern, tmp_path):
    """Return a function that refines rock salt, whose edge is 0.7 % off, against its toy pattern."""
    rocksalt(5.6).to_file(str(tmp_path / "guess.cif"))

    def run(*arguments, structure="guess.cif", tools=TOYS):
        return xtal("refine", salt_pattern, structure, "--wavelength", "CuKa1", *tools, *arguments)

    return run


def test_the_report_is_that_of_a_solution_with_one_candidate(refine, tmp_path):
    outcome = refine("--out", "out")
    assert (outcome.code, outcome.err) == (0, "")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "01.cif", "candidates.csv", "pattern.cif", "pattern.csv", "plot.png", "result.json", "run.toml",
    }  # fmt: skip
    assert Structure.from_file(tmp_path / "out" / "01.cif").lattice.a == pytest.approx(5.64, rel=3e-3)
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    (candidate,) = record["candidates"]
    assert (candidate["generator"], candidate["origin"]) == ("given", "guess.cif")
    assert record["problem"]["formula"] == "NaCl"
    assert record["problem"]["space_group"] == 225


def test_the_agreement_factors_are_printed_and_recorded(refine):
    outcome = refine("--out", "out")
    record = json.loads(refine("--out", "other", "--json").out)
    factors = record["candidates"][0]["agreement"]
    assert f"Rwp {factors['rwp']:.2%}, background-corrected {factors['rwp_background_corrected']:.2%}" in outcome.out
    assert "unknown: the intensities are not whole numbers" in outcome.out
    assert factors["rexp"] is None


def test_the_folder_is_named_after_the_pattern(refine, tmp_path):
    assert refine("--quiet").out == ""
    assert (tmp_path / "salt-refined" / "result.json").is_file()


def test_without_a_refiner_the_structure_is_only_compared(refine):
    record = json.loads(refine("--refiner", "none", "--json").out)
    assert record["candidates"][0]["cell"]["a"] == pytest.approx(5.6)


def test_the_pattern_is_prepared_as_asked(refine, tmp_path):
    q = np.linspace(0.9, 6, 900)
    np.savetxt(tmp_path / "empty.xy", np.column_stack([q, 50 * np.exp(-((q - 2.4) ** 2) / 0.05)]), header="Q intensity")
    outcome = refine(
        "--exclude", "30:32", "--exclude", "50:51", "--blank", "empty.xy", "--background-terms", 3, "--out", "out"
    )
    assert outcome.code == 0, outcome.err
    pattern = json.loads((tmp_path / "out" / "result.json").read_text())["problem"]["pattern"]
    assert np.round(pattern["excluded_regions"]).tolist() == [[30, 32], [50, 51]]
    assert (pattern["chebyshev_terms"], pattern["blank"]) == (3, "empty.xy")
    assert "note: excluded from every fit: 30.0" in outcome.out
    assert "note: empty.xy was " in outcome.out
    rows = list(csv.DictReader((tmp_path / "out" / "pattern.csv").open()))
    for row in rows:
        angle = float(row["two_theta_degrees"])
        assert (row["excluded"] == "1") == (30 <= angle <= 32 or 50 <= angle <= 51)
    assert float(rows[200]["blank"]) == pytest.approx(
        50 * np.exp(-((float(rows[200]["q_per_angstrom"]) - 2.4) ** 2) / 0.05), rel=0.01
    )


def test_disordered_structures_are_refined_as_they_are_and_that_is_said(refine, tmp_path):
    mixed = rocksalt(5.6)
    mixed.replace_species({"Na": {"Na": 0.75, "K": 0.25}})
    mixed.to_file(str(tmp_path / "mixed.cif"))
    outcome = refine("--out", "out", structure="mixed.cif")
    assert outcome.code == 0, outcome.err
    assert "note: mixed.cif is disordered: occupancies are not refined" in outcome.out
    assert json.loads((tmp_path / "out" / "result.json").read_text())["problem"]["formula"] == "KNa3Cl4"


def test_oxidation_states_in_the_file_do_not_matter(refine, tmp_path):
    charged = rocksalt(5.6)
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    charged.to_file(str(tmp_path / "charged.cif"))
    assert refine("--out", "out", structure="charged.cif").code == 0


def test_the_real_refiner_gives_uncertainties(xtal, tmp_path):
    """From simulated counts of rock salt, with the plugins that come with the project."""
    rocksalt(5.64).to_file(str(tmp_path / "truth.cif"))
    rocksalt(5.62).to_file(str(tmp_path / "guess.cif"))
    xtal("simulate", "truth.cif", "--wavelength", "CuKa1", "--noise", 5000, "--background", 0.1, "--out", "salt.xy")
    outcome = xtal("refine", "salt.xy", "guess.cif", "--jobs", 1, "--out", "out")
    assert outcome.code == 0, outcome.err
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    (candidate,) = record["candidates"]
    sigma = candidate["cell_uncertainty"]["a"]
    assert abs(candidate["cell"]["a"] - 5.64) < 4 * sigma < 0.02
    assert 0.8 < candidate["agreement"]["chi_squared"] < 1.5
    assert candidate["agreement"]["r_bragg"] < 0.03
    assert candidate["agreement"]["uncertainties"] == "square roots of the counts"
    assert "cell: a 5.64" in outcome.out
    assert ("size: " in outcome.out) == (candidate["size"] is not None)
    text = (tmp_path / "out" / "pattern.cif").read_text()
    assert "_refln_F_squared_meas" in text
    assert pattern_of(rocksalt(5.64)).radiation.name in text


@pytest.fixture
def counted_salt(xtal, tmp_path):
    """Write simulated counts of rock salt to salt.xy and return the structure behind them."""
    salt = rocksalt(5.64)
    salt.to_file(str(tmp_path / "truth.cif"))
    xtal("simulate", "truth.cif", "--wavelength", "CuKa1", "--noise", 5000, "--background", 0.1, "--out", "salt.xy")
    return salt


def test_a_structure_in_p1_gets_the_symmetry_that_it_comes_close_to(xtal, counted_salt, tmp_path):
    rough = counted_salt.copy()
    rough.perturb(0.03)
    rough.to_file(str(tmp_path / "rough.cif"))
    outcome = xtal("refine", "salt.xy", "rough.cif", "--jobs", 1, "--out", "out")
    assert outcome.code == 0, outcome.err
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    (candidate,) = record["candidates"]
    assert record["problem"]["space_group"] is None
    assert candidate["space_group"]["number"] == 225
    assert "note: rough.cif: brought to a higher symmetry that it came close to" in outcome.out
    assert "brought to a higher symmetry that it came close to" in candidate["remarks"]


def test_elements_are_not_exchanged_behind_the_back_of_the_user(xtal, tmp_path):
    sites = [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    for name, cations in {"truth": ("Ba", "Ti"), "swapped": ("Ti", "Ba")}.items():
        Structure(Lattice.cubic(4.0), [*cations, "O", "O", "O"], sites).to_file(str(tmp_path / f"{name}.cif"))
    xtal("simulate", "truth.cif", "--wavelength", "CuKa1", "--noise", 3000, "--out", "barium.xy")
    outcome = xtal("refine", "barium.xy", "swapped.cif", "--jobs", 1, "--out", "out")
    assert outcome.code == 0, outcome.err
    refined = Structure.from_file(tmp_path / "out" / "01.cif")
    oxygen = [site for site in refined if site.species_string == "O"]
    neighbours = {site.species_string for site in refined.get_neighbors(oxygen[0], 2.3) if site.species_string != "O"}
    # Octahedra are around the cation of the middle, which the file says is barium.
    assert neighbours == {"Ba"}


def test_whether_the_refinement_converged_is_recorded(xtal, counted_salt, tmp_path):
    rocksalt(5.63).to_file(str(tmp_path / "close.cif"))
    record = json.loads(xtal("refine", "salt.xy", "close.cif", "--jobs", 1, "--json").out)
    assert record["candidates"][0]["converged"] is True
    assert not any("converged" in note for note in record["notes"])
