from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from case_runs import Outcome, RunFolder
from check_verdict import check
from check_verdict import result_page as check_page
from data_sets import Material
from fit_verdict import (
    CONDITIONS,
    NEVER,
    fit_calibration,
    model_card,
    not_solved_threshold,
    rival_window,
    solved_threshold,
)
from judged_solutions import JudgedSolution, counts_by_condition, judged_solutions, values_of
from toys import caesium_chloride_type, rocksalt
from xtal_core.errors import InputError
from xtal_core.verdict_features import VerdictFeatures

FEATURES = asdict(VerdictFeatures(1.0, 2.0, 0.3, 4.0, 1.0, 1.5, 0.9, None))


def cif_of(structure):
    return str(structure.to(fmt="cif"))


def keep(folder, name, structures, features=FEATURES):
    """Keep a solution with these candidates, of the merits −5, −4, … ."""
    files = [(f"{place:02d}.cif", cif_of(structure)) for place, structure in enumerate(structures, start=1)]
    candidates = [{"file": file, "merit": place - 5.0} for place, (file, _) in enumerate(files)]
    result = {"candidates": candidates, "verdict": {"features": features}}
    folder.keep(Outcome(name, 1.0, 1.0, None, result), files)


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.open({})
    return run


SALT, OTHER = rocksalt(5.64), caesium_chloride_type(3.5)
MATERIALS = [Material(name, cif_of(SALT), True) for name in ("first", "second", "missing", "unsolved", "empty")]


def test_solutions_are_judged_by_the_rank_of_the_right_structure(folder):
    keep(folder, "first", [SALT, OTHER])
    keep(folder, "second", [OTHER, rocksalt(5.7)])
    keep(folder, "missing", [OTHER])
    keep(folder, "empty", [])
    judged = judged_solutions(MATERIALS, folder, "10 Å")
    assert [(one.material_id, one.right, one.distance) for one in judged] == [
        ("first", True, 0.0), ("second", False, 1.0), ("missing", False, None),
    ]  # fmt: skip
    assert counts_by_condition(judged) == {
        "10 Å": {"n": 3, "right": pytest.approx(1 / 3), "listed": pytest.approx(2 / 3)}
    }
    assert np.isnan(values_of(judged, ["gap", "instability"])).tolist() == [[False, True]] * 3


def test_solutions_without_a_verdict_are_refused(folder):
    keep(folder, "first", [SALT], features=None)
    with pytest.raises(InputError, match="the solution of first has no verdict; solve again"):
        judged_solutions(MATERIALS, folder, "10 Å")


def test_the_solver_is_told_less_the_more_a_pattern_is_like_a_measured_one(tmp_path, monkeypatch):
    monkeypatch.setattr("fit_verdict.make_patterns", lambda materials, folder, size, noise: {"first": folder})
    told = {c.name: c.cases(MATERIALS[:1], tmp_path / c.run_name)[0] for c in CONDITIONS}
    assert {name: (case.z, case.crystallite_size, case.wavelength) for name, case in told.items()} == {
        "10 Å, clean": (4, 10.0, "1.54184"),
        "10 Å, noise": (4, None, "1.54184"),
        "100 Å, clean": (4, 100.0, "1.54184"),
        "100 Å, noise": (4, None, "1.54184"),
        "laboratory": (None, None, "CuKa"),
    }
    assert len({condition.run_name for condition in CONDITIONS}) == 5


def test_solved_begins_where_the_share_of_right_ones_is_high_enough():
    probabilities = np.concatenate([np.linspace(0.1, 0.6, 100), np.linspace(0.8, 1.0, 200)])
    labels = np.concatenate([np.arange(100) % 2 == 0, np.ones(200, bool)])
    threshold = solved_threshold(probabilities, labels)
    assert 0.5 < threshold <= 0.8
    assert labels[probabilities >= threshold].mean() >= 0.97


def test_a_sample_too_small_to_show_precision_never_says_solved():
    assert solved_threshold(np.full(20, 0.99), np.ones(20, bool)) == NEVER


def test_not_solved_ends_where_right_ones_become_frequent():
    probabilities = np.linspace(0, 1, 101)
    assert not_solved_threshold(probabilities, probabilities > 0.35) == pytest.approx(0.44, abs=0.011)
    assert not_solved_threshold(probabilities, probabilities > 0.05) == 0.2
    assert not_solved_threshold(np.full(50, 0.9), np.ones(50, bool)) == 0.2


def judged(n, seed=0):
    """Return solutions that are right when the gap is wide; four of each material."""
    random = np.random.default_rng(seed)
    made = []
    for index in range(n):
        gap = float(random.uniform(0, 5))
        right = bool(random.random() < 1 / (1 + np.exp(-4 * (gap - 1))))
        features = FEATURES | {"gap": gap, "misfit": float(random.uniform(0, 8)), "noisy": float(index % 2)}
        distance = 0.0 if right else gap if random.random() < 0.8 else None
        made.append(JudgedSolution(f"material {index // 4}", f"condition {index % 2}", features, right, distance))
    return made


def test_the_window_of_rivals_holds_nearly_all_right_structures_that_are_listed():
    solutions = [replace(one, right=False, distance=0.1 * place) for place, one in enumerate(judged(21))]
    assert rival_window(solutions) == pytest.approx(1.8, abs=0.011)
    first, unlisted = replace(solutions[0], right=True, distance=0.0), replace(solutions[0], distance=None)
    assert rival_window([*solutions, *[first] * 50, *[unlisted] * 50]) == rival_window(solutions)
    with pytest.raises(InputError, match="only 4 right structures"):
        rival_window(solutions[:4])


def test_the_calibration_learns_what_decides_and_keeps_its_range():
    solutions = judged(400)
    fitted = fit_calibration(solutions, ["gap", "misfit"])
    gap, misfit = fitted.calibration.features
    assert gap.coefficient > 5 * abs(misfit.coefficient)
    assert (gap.low, gap.high) == pytest.approx((0, 5), abs=0.1)
    solved = [
        one.right for one, p in zip(solutions, fitted.probabilities, strict=True) if p >= fitted.calibration.solved_from
    ]
    assert len(solved) > 200
    assert np.mean(solved) >= 0.97


def test_a_sample_without_wrong_solutions_is_refused():
    with pytest.raises(InputError, match="of 50 solutions 0 are wrong"):
        fit_calibration([replace(one, right=True) for one in judged(50)], ["gap"])


def test_the_model_card_says_how_small_the_sample_is():
    fitted = fit_calibration(judged(400), ["gap", "misfit"])
    materials = [Material(f"material {i}", "", i < 75) for i in range(150)]
    card = "".join(model_card(fitted, fitted, materials, "made of mp20/train", "python benchmarks/fit_verdict.py"))
    assert "800 solutions of simulated patterns of 100 structures" in card
    assert "75% of the structures are of a type that occurs" in card
    assert "**A small sample**: 300 structures were meant to be drawn" in card
    assert card.count("expected calibration error") == 2
    assert card.count("| solved |") == 2


def test_the_model_card_says_when_laboratory_patterns_are_not_covered():
    fitted = fit_calibration(judged(400), ["gap"])
    card = "".join(model_card(fitted, None, [Material("material 1", "", True)], "none", "command"))
    assert "Laboratory patterns are not assessed." in card


def test_the_check_counts_what_the_words_promise():
    solutions = judged(400, seed=9)
    calibration = fit_calibration(judged(400), ["gap", "misfit"]).calibration
    record = check(solutions, calibration)
    words = record["groups"]["all"]["words"]
    assert sum(word["n"] for word in words.values()) == record["groups"]["all"]["n"] == 400
    assert words["solved"]["right"] > 0.95 > words["not solved"]["right"]
    assert record["groups"]["all"]["expected_calibration_error"] < 0.05
    assert record["groups"]["condition 0"]["n"] == 200
    wrong = [row for row in record["rows"] if row["word"] == "solved" and not row["right"]]
    page = "".join(check_page(record | {"set": "test_200", "command": "python benchmarks/check_verdict.py"}))
    assert page.startswith("# test_200: is the verdict right?")
    assert page.count("\n- ") == len(wrong)


def test_a_word_that_was_never_used_has_no_share():
    calibration = replace(fit_calibration(judged(400), ["gap"]).calibration, solved_from=NEVER)
    record = check(judged(40), calibration)
    assert record["groups"]["all"]["words"]["solved"] == {"n": 0, "right": None}
    assert "None." in "".join(check_page(record | {"set": "s", "command": "c"}))
