from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from calibration_fit import (
    NEVER,
    fit_calibration,
    not_solved_threshold,
    rival_distances,
    rival_window,
    solved_threshold,
)
from case_runs import Outcome, RunFolder
from data_sets import Material, write_materials
from fit_verdict import LABORATORY_PART, NANOCRYSTAL_PART, PARTS, main, model_card
from judged_solutions import Unjudged, counts_by_condition, judged_solutions, unjudged, values_of
from solution_toys import FEATURES, cif_of, judged, keep
from toys import caesium_chloride_type, rocksalt
from verdict_sample import CONDITIONS, LABORATORY_PATTERNS, NANOCRYSTAL_PATTERNS, SAMPLE, Sample, share_of
from xtal_core.errors import InputError
from xtal_core.verdict_calibration import Calibrations, calibrations
from xtal_core.verdict_features import VerdictFeatures


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
    # "unsolved" was never tried; "empty" has no candidate.
    assert unjudged(MATERIALS, folder, judged) == Unjudged(waiting=1, failed=1)


def test_a_solution_that_ended_with_an_error_has_failed(folder):
    folder.keep(Outcome("first", 1.0, 1.0, "ValueError: no", None), [])
    assert unjudged(MATERIALS[:1], folder, judged_solutions(MATERIALS[:1], folder, "10 Å")) == Unjudged(0, 1)


def test_solutions_without_a_verdict_are_refused(folder):
    keep(folder, "first", [SALT], features=None)
    with pytest.raises(InputError, match="the solution of first has no verdict; solve again"):
        judged_solutions(MATERIALS, folder, "10 Å")


def test_the_solver_is_told_less_the_more_a_pattern_is_like_a_measured_one(tmp_path, monkeypatch):
    monkeypatch.setattr("verdict_sample.make_patterns", lambda materials, folder, size, noise: {"first": folder})
    told = {c.name: c.cases(MATERIALS[:1], tmp_path / c.run_name)[0] for c in CONDITIONS}
    assert {name: (case.z, case.crystallite_size, case.wavelength) for name, case in told.items()} == {
        "10 Å, clean": (4, 10.0, "1.54184"),
        "10 Å, noise": (4, None, "1.54184"),
        "100 Å, clean": (4, 100.0, "1.54184"),
        "100 Å, noise": (4, None, "1.54184"),
        "laboratory": (None, None, "CuKa"),
    }
    assert len({condition.run_name for condition in CONDITIONS}) == 5


NUMBERS = {c.name: LABORATORY_PATTERNS if c.name == "laboratory" else NANOCRYSTAL_PATTERNS for c in CONDITIONS}


def test_the_conditions_share_as_few_structures_as_they_can():
    materials = [Material(str(n), "", True) for n in range(SAMPLE)]
    shares = [share_of(name, materials, NUMBERS) for name in NUMBERS]
    assert [len(share) for share in shares] == list(NUMBERS.values())
    assert all(len({one.material_id for one in share}) == len(share) for share in shares)
    uses = np.bincount([int(one.material_id) for share in shares for one in share], minlength=SAMPLE)
    assert uses.max() - uses.min() <= 1
    assert share_of("laboratory", materials[:50], NUMBERS)[0] in materials[:50]
    assert len(share_of("laboratory", materials[:50], NUMBERS)) == 50


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


def test_the_window_of_rivals_holds_nearly_all_right_structures_that_are_listed():
    solutions = [replace(one, right=False, distance=0.1 * place) for place, one in enumerate(judged(21))]
    first, unlisted = replace(solutions[0], right=True, distance=0.0), replace(solutions[0], distance=None)
    distances = rival_distances([*solutions, *[first] * 50, *[unlisted] * 50])
    assert distances == pytest.approx([0.1 * place for place in range(21)])
    assert rival_window(distances, other=7.0) == pytest.approx(1.8, abs=0.011)
    assert rival_window(distances[:4], other=7.0) == 7.0
    with pytest.raises(InputError, match="only 4 right structures"):
        rival_window(distances[:4])


def test_the_calibration_learns_what_decides_and_keeps_its_range():
    solutions = judged(400)
    fitted = fit_calibration(solutions, ["gap", "misfit"])
    gap, misfit = fitted.calibration.features
    assert gap.coefficient > 5 * abs(misfit.coefficient)
    assert (gap.low, gap.high) == pytest.approx((0, 5), abs=0.1)
    # A fit better than all of them is not beyond the range.
    assert misfit.low == 0
    solved = [
        one.right for one, p in zip(solutions, fitted.probabilities, strict=True) if p >= fitted.calibration.solved_from
    ]
    assert len(solved) > 200
    assert np.mean(solved) >= 0.97


def test_a_sample_without_wrong_solutions_is_refused():
    with pytest.raises(InputError, match="of 50 solutions 0 are wrong"):
        fit_calibration([replace(one, right=True) for one in judged(50)], ["gap"])


def test_where_hardly_a_right_structure_is_listed_but_not_first_the_window_of_rivals_is_another_ones():
    few = [replace(one, distance=one.distance if one.right else None) for one in judged(400)]
    with pytest.raises(InputError, match="only 0 right structures"):
        fit_calibration(few, ["gap"])
    fitted = fit_calibration(few, ["gap"], 1.25)
    assert fitted.calibration.rival_window == 1.25
    card = card_of(fitted, samples(few, 101), LABORATORY_PART)
    assert "Rivals are within 1.25 of the first candidate's merit, as with nanocrystals: here only 0 right" in card


def samples(solutions, meant, waiting=0):
    """Return the samples of both conditions of `judged`, of which the first has one solution without a candidate."""
    materials = [Material(f"material {i}", "", i < 75) for i in range(101)]
    conditions = {name: [one for one in solutions if one.condition == name] for name in ("condition 0", "condition 1")}
    return {
        name: Sample(materials, found, Unjudged(waiting, int(name == "condition 0")), meant)
        for name, found in conditions.items()
    }


def card_of(fitted, samples, part=NANOCRYSTAL_PART):
    return "".join(model_card(part, fitted, samples, "made of mp20/train", "python benchmarks/fit_verdict.py"))


def test_the_model_card_says_how_many_patterns_each_condition_has():
    solutions = judged(400)
    card = card_of(fit_calibration(solutions, ["gap", "misfit"]), samples(solutions, 101))
    assert "400 solutions of simulated patterns of 100 structures" in card
    assert "75% of the structures are of a type that occurs" in card
    assert "| condition 0 | 101 | 0 | 1 | 200 |" in card
    assert "The conditions take their structures in turn" in card
    assert "A small sample" not in card
    assert "is an estimate from these solutions" in card
    assert "expected calibration error" in card
    assert "| solved |" in card


def test_the_model_card_says_what_its_part_is_for():
    solutions = judged(400)
    fitted = fit_calibration(solutions, ["gap"])
    nanocrystals, laboratory = (card_of(fitted, samples(solutions, 101), part) for part in PARTS.values())
    assert nanocrystals.startswith("# Model card: the verdict on patterns of one wavelength\n")
    assert "`noise_limited`" in nanocrystals
    assert laboratory.startswith("# Model card: the verdict on laboratory patterns\n")
    assert "`model_limited`" in laboratory
    assert "Cu Kα1 and Kα2" in laboratory


def test_the_model_card_says_how_small_the_sample_is():
    solutions = judged(400)
    fitted = fit_calibration(solutions, ["gap"])
    few, unfinished = card_of(fitted, samples(solutions, 120)), card_of(fitted, samples(solutions, 101, waiting=1))
    assert "**A small sample**: 120 patterns of condition 0, 120 patterns of condition 1 were meant" in few
    assert "**A small sample**: 101 patterns of condition 0, 101" in unfinished


@pytest.fixture
def solved_sample(tmp_path, monkeypatch):
    """Return a work folder in which 40 validation structures are solved under every condition, one in five wrongly."""
    table = tmp_path / "data" / "mp20" / "val.csv.gz"
    table.parent.mkdir(parents=True)
    materials = [Material(f"mp-{n}", cif_of(SALT), True) for n in range(40)]
    write_materials(table, materials)
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))
    for condition in CONDITIONS:
        run = RunFolder(tmp_path / "work" / condition.run_name)
        run.open({})
        for number, material in enumerate(materials):
            right = number % 5 > 0
            structures = [SALT, OTHER] if right else [OTHER, SALT]
            decided = {"gap": 4.0, "unexplained": 0.01} if right else {"gap": 0.1 * (number % 7), "unexplained": 0.3}
            keep(run, material.material_id, structures, FEATURES | decided | {"instability": 1.0})
    return tmp_path / "work"


def calibration_in(folder):
    return Calibrations.from_record(json.loads((folder / "verdict_calibration.json").read_text()))


def test_the_calibration_of_a_part_of_the_sample_is_written_to_the_work_folder(solved_sample, capsys):
    main(["--collected", "--nanocrystals", "30", "--limit", "35", "--work", str(solved_sample)])
    nanocrystals, laboratory = ((solved_sample / part.card).read_text() for part in PARTS.values())
    printed = capsys.readouterr().out
    assert nanocrystals in printed
    assert laboratory in printed
    assert "| 10 Å, noise | 30 | 0 | 0 | 30 |" in nanocrystals
    assert "120 solutions of simulated patterns of 40 structures" in nanocrystals
    assert "| laboratory | 35 | 0 | 0 | 35 |" in laboratory
    assert "Structure library searched: made of mp20/train." in laboratory
    known = calibration_in(solved_sample)
    assert known.model_limited is not None
    names = [{feature.name for feature in part.features} for part in (known.noise_limited, known.model_limited)]
    assert names[1] == {"gap", "unexplained"}
    assert names[0] == {field.name for field in fields(VerdictFeatures)} - {"unexplained"}


@pytest.mark.parametrize(("named", "kept"), [("laboratory", "noise_limited"), ("nanocrystals", "model_limited")])
def test_a_part_that_is_not_named_stays_as_it_is(solved_sample, named, kept):
    main([named, "--collected", "--limit", "40", "--work", str(solved_sample)])
    found, before = calibration_in(solved_sample), calibrations()
    assert getattr(found, kept) == getattr(before, kept)
    assert getattr(found, PARTS[named].field) != getattr(before, PARTS[named].field)
    assert [part.name for part in PARTS.values() if (solved_sample / part.card).exists()] == [named]


@pytest.mark.usefixtures("solved_sample")
def test_nothing_collected_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing of nanocrystals was solved yet; run without --collected"):
        main(["--collected", "--work", str(tmp_path / "elsewhere")])
