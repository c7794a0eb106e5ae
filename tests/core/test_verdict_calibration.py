from __future__ import annotations

import json
import math
from dataclasses import fields

import pytest

from xtal_core.verdict_calibration import Calibration, Calibrations, WeighedFeature, calibrations
from xtal_core.verdict_features import VerdictFeatures

GAP = WeighedFeature("gap", mean=1.0, scale=2.0, coefficient=3.0, low=0.0, high=5.0)
PRIOR = WeighedFeature("prior", mean=0.0, scale=1.0, coefficient=-0.5, low=-1.0, high=1.0)
CALIBRATION = Calibration((GAP, PRIOR), intercept=0.2, solved_from=0.9, not_solved_below=0.3, rival_window=1.5)


def log_odds(**values):
    probability = CALIBRATION.probability(values)
    return math.log(probability / (1 - probability))


def test_log_odds_are_the_intercept_and_the_weighed_standardised_features():
    assert log_odds(gap=2.0, prior=0.6) == pytest.approx(0.2 + 3 * 0.5 - 0.5 * 0.6)


def test_what_is_not_known_counts_as_the_mean():
    assert log_odds(gap=None, prior=0.6) == pytest.approx(log_odds(gap=1.0, prior=0.6))


def test_values_beyond_the_calibrated_range_count_as_its_end_and_are_named():
    assert log_odds(gap=50.0, prior=0.0) == pytest.approx(log_odds(gap=5.0, prior=0.0))
    assert CALIBRATION.outside({"gap": 50.0, "prior": -1.0}) == ["gap"]
    assert CALIBRATION.outside({"gap": 5.0, "prior": None}) == []


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        (1.0, "solved"),
        (0.9, "solved"),
        (0.89, "ambiguous"),
        (0.3, "ambiguous"),
        (0.29, "not solved"),
        (0, "not solved"),
    ],
)
def test_thresholds_put_probabilities_into_words(probability, word):
    assert CALIBRATION.word(probability) == word


@pytest.mark.parametrize("model_limited", [CALIBRATION, None])
def test_a_record_is_read_back_as_it_was(model_limited):
    known = Calibrations(CALIBRATION, model_limited, ("prototype",), "fit", "structure-matcher", "powder")
    assert Calibrations.from_record(json.loads(json.dumps(known.to_record()))) == known


def shipped():
    """Return the calibrations that come with the package."""
    return [known for known in (calibrations().noise_limited, calibrations().model_limited) if known is not None]


def test_the_shipped_calibrations_weigh_features_that_exist():
    for known in shipped():
        names = [feature.name for feature in known.features]
        assert names
        assert set(names) <= {field.name for field in fields(VerdictFeatures)}


def test_the_shipped_thresholds_are_in_order():
    for known in shipped():
        assert 0 < known.not_solved_below <= known.solved_from
        assert known.rival_window > 0


def test_a_better_fit_a_wider_gap_fewer_parameters_and_ordinary_bonds_make_a_solution_more_likely():
    coefficients = {feature.name: feature.coefficient for feature in calibrations().noise_limited.features}
    assert coefficients["misfit"] < 0 < coefficients["gap"]
    assert coefficients["parameters"] < 0 < coefficients["shortest_contact"]


def test_what_is_left_unexplained_counts_against_a_laboratory_solution_and_a_wider_gap_for_it():
    model_limited = calibrations().model_limited
    assert model_limited is not None
    coefficients = {feature.name: feature.coefficient for feature in model_limited.features}
    assert coefficients["unexplained"] < 0 < coefficients["gap"]
