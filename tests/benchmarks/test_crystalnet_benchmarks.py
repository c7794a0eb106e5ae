"""CrystalNet's benchmarks: how sets are divided, one crystal from set to row, and the page."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

import crystalnet_sets
from crystalnet import ABLATIONS, DRAWS, Task, score
from crystalnet_decoding import Task as DecodingTask
from crystalnet_decoding import find_structures, from_true_density, judged
from crystalnet_page import result_page
from crystalnet_sets import divided, first_of_each, kinds, reduced
from ideal_patterns import ideal_problem
from xtal_core.training_set import TrainingSet


def training_set(structures):
    """Return a set of crystals, each with a single stick."""
    n = len(structures)
    return TrainingSet(
        names=tuple(f"crystal {i}" for i in range(n)),
        n_atoms=np.array([len(each) for each in structures], np.int32),
        lattice=np.array([each.lattice.matrix for each in structures], np.float32),
        space_group=np.array([each.get_space_group_info()[1] for each in structures], np.int16),
        atomic_numbers=np.concatenate([each.atomic_numbers for each in structures]).astype(np.uint8),
        frac_coords=np.concatenate([each.frac_coords % 1 for each in structures]).astype(np.float32),
        stick_offsets=np.arange(n + 1),
        stick_bins=np.full(n, 1000, np.uint16),
        stick_heights=np.ones(n, np.float32),
    )


def salts(*elements, edge=5.6):
    corners = [[0, 0, 0], [0.5, 0.5, 0.5]]
    found = [Structure.from_spacegroup("Fm-3m", Lattice.cubic(edge), [each, "Cl"], corners) for each in elements]
    return [each.get_primitive_structure() for each in found]


def test_a_kind_is_the_reduced_formula_and_the_space_group():
    assert reduced([11, 17, 11, 17]) == ((11, 1), (17, 1)) == reduced([17, 11])
    assert list(kinds(training_set(salts("Na")))) == [(((11, 1), (17, 1)), 225)]


def test_of_crystals_of_one_kind_the_first_is_taken_and_none_of_a_forbidden_one():
    crystals = training_set([*salts("Na", "K"), *salts("Na", "Rb", edge=5.7)])
    forbidden = {list(kinds(crystals))[1]}
    assert list(first_of_each(crystals, forbidden)) == [0, 3]


def test_no_crystal_is_in_two_sets(monkeypatch):
    monkeypatch.setattr(crystalnet_sets, "TESTS", {"cubic": 2})
    monkeypatch.setattr(crystalnet_sets, "VALIDATIONS", {"cubic": 2})
    test, validation = divided(training_set(salts("Li", "Na", "K", "Rb", "Cs", "Li")))
    assert len(test) == len(validation) == 2
    assert not set(kinds(test)) & set(kinds(validation))


def test_a_crystal_is_scored_for_its_whole_formula_and_with_less_of_it(tmp_path):
    path = tmp_path / "set.safetensors"
    training_set(salts("Na")).save(path)
    row = score(Task(path, 0, "crystalnet-fast", None, 0))
    assert (row["formula"], row["system"], row["told"], len(row["ssim"])) == ("NaCl", "cubic", "all", DRAWS)
    assert 0 < row["baseline_ssim"] < 1
    assert row["strain"] > 0
    assert row["found_strain"] > 0
    blind = score(Task(path, 0, "crystalnet-fast", ABLATIONS["no formula"], 0))
    assert blind["told"] == "no formula"
    assert blind["ssim"][0] != row["ssim"][0]


def test_the_true_density_leads_to_the_structure_after_refinement():
    (salt,) = salts("Na")
    found = judged(ideal_problem(salt, 100.0), from_true_density(salt), salt, 0)
    assert found["first"]
    assert judged(ideal_problem(salt, 100.0), [], salt, 0)["first"] is False


def test_structures_are_found_in_all_three_ways(tmp_path):
    path = tmp_path / "set.safetensors"
    training_set(salts("Na")).save(path)
    row = find_structures(DecodingTask(path, 0, "crystalnet-fast", 0))
    assert row["true density"]["first"]
    assert {"predicted density", "no cell"} <= row.keys()


@pytest.fixture
def record():
    def row(name, told, ssim):
        scores = {"ssim": [ssim - 0.1, ssim], "psnr": [20.0, 30.0], "baseline_ssim": 0.7, "baseline_psnr": 25.0}
        if told == "all":
            scores |= {"strain": 1 - ssim, "found_strain": 0.5 * (1 - ssim)}
        return {"name": name, "system": "cubic", "n_atoms": 2, "told": told, "error": None, **scores}

    rows = [row("a", "all", 0.96), row("b", "all", 0.94), row("a", "no formula", 0.8)]
    making = {"command": "command", "xtal": "1", "python": "3", "packages": {}, "sources": "abc", "seed": 0}
    weights = {"name": "mine", "sha256": "0"}
    return {
        "picture": "mine.png",
        "weights": weights,
        "rows": rows,
        "making": making,
        "seconds": {"map": 0.5, "scores": 0.7},
    }


def test_the_page_puts_scores_beside_the_papers_and_those_of_a_constant_map(record):
    page = result_page(record)
    assert "| cubic | 2 | 0.950 ± 0.010 | 30.0 ± 0.0 | 0.700 ± 0.000 | 25.0 ± 0.0 | 0.934 ± 0.149 |" in page
    assert "SSIM: met" in page
    assert "![densities](mine.png)" in page
    assert "| cubic | predicted | 2 | 0.000 | 0.000 | 0.500 | 1.000 | 5.0% |" in page
    assert "| cubic | found | 2 | 0.000 | 0.500 | 1.000 | 1.000 | 2.5% |" in page
    # Only crystals that have ablations are compared with them.
    assert "| cubic | whole formula | 1 | 0.960 ± 0.000 |" in page
    assert "| cubic | no formula | 1 | 0.800 ± 0.000 |" in page
    assert "| a map of 50³ points, two threads | 1.0 | 0.5 | met |" in page
    assert "| its scores in 24 rotations, one thread | 0.5 | 0.7 | not met |" in page
