from __future__ import annotations

import numpy as np
import pytest

from logistic import (
    choose_strength,
    expected_calibration_error,
    fit_logistic,
    log_loss,
    out_of_fold,
    reliability,
    wilson_lower_bound,
)


def cases(n, seed=0):
    """Return features, labels drawn with the log-odds 2 x − y/3 − 3.5, and those odds; x has the scale 1 and y 3."""
    random = np.random.default_rng(seed)
    values = random.normal([1.0, -5.0], [1.0, 3.0], (n, 2))
    log_odds = 2 * values[:, 0] - values[:, 1] / 3 - 3.5
    return values, random.random(n) < 1 / (1 + np.exp(-log_odds)), log_odds


def test_the_regression_finds_what_the_cases_were_drawn_with():
    values, labels, log_odds = cases(20_000)
    model = fit_logistic(values, labels, strength=1.0)
    assert model.coefficients / model.scales == pytest.approx([2.0, -1 / 3], abs=0.1)
    assert model.probabilities(values) == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=0.03)


def test_its_mean_probability_is_the_share_of_the_cases():
    values, labels, _ = cases(200)
    assert fit_logistic(values, labels, 5.0).probabilities(values).mean() == pytest.approx(labels.mean(), abs=1e-5)


def test_a_strong_penalty_leaves_only_the_share():
    values, labels, _ = cases(200)
    assert fit_logistic(values, labels, 1e9).probabilities(values) == pytest.approx(labels.mean(), abs=1e-3)


def test_no_other_parameters_have_a_lower_penalised_loss():
    values, labels, _ = cases(300)
    model = fit_logistic(values, labels, 2.0)
    standardised = (values - model.means) / model.scales
    best = np.array([model.intercept, *model.coefficients])

    def loss(parameters):
        probabilities = 1 / (1 + np.exp(-parameters[0] - standardised @ parameters[1:]))
        return len(labels) * log_loss(probabilities, labels) + 1.0 * parameters[1:] @ parameters[1:]

    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-3:
        assert loss(best + step) > loss(best)


def test_unknown_values_count_as_the_mean_and_constant_features_as_nothing():
    values, labels, _ = cases(300)
    values = np.column_stack([values, np.full(300, 7.0)])
    values[::3, 1] = np.nan
    model = fit_logistic(values, labels, 1.0)
    assert model.coefficients[2] == pytest.approx(0)
    unknown, mean = np.array([[1.0, np.nan, 7.0]]), np.array([[1.0, np.nanmean(values[:, 1]), 900.0]])
    mean[0, 2] = 7.0
    assert model.probabilities(unknown) == pytest.approx(model.probabilities(mean))


def test_out_of_fold_nothing_is_learnt_from_the_own_group():
    # Labels are a property of the group alone: whoever sees the group knows them, nobody else does.
    groups = [f"group {i // 4}" for i in range(200)]
    labels = np.repeat(np.random.default_rng(1).random(50) < 0.5, 4)
    values = np.repeat(np.random.default_rng(2).normal(size=(50, 30)), 4, axis=0)
    seen = fit_logistic(values, labels, 0.01).probabilities(values)
    assert log_loss(seen, labels) < 0.1
    assert log_loss(out_of_fold(values, labels, groups, 0.01), labels) > 0.6


def test_the_strength_is_chosen_by_the_loss_out_of_fold():
    values, labels, _ = cases(60, seed=5)
    noise = np.random.default_rng(6).normal(size=(60, 25))
    groups = [str(i) for i in range(60)]
    strength, probabilities = choose_strength(np.column_stack([values, noise]), labels, groups)
    assert strength >= 3.0
    assert log_loss(probabilities, labels) < log_loss(np.full(60, labels.mean()), labels)


def test_probabilities_that_come_true_as_often_have_no_calibration_error():
    probabilities = np.array([0.25] * 4 + [1.0] * 2)
    rows = reliability(probabilities, np.array([True, False, False, False, True, True]))
    assert [(row.low, row.n, row.share) for row in rows] == [(0.2, 4, 0.25), (0.9, 2, 1.0)]
    assert expected_calibration_error(rows) == pytest.approx(0)


def test_the_calibration_error_weighs_bins_by_their_cases():
    rows = reliability(np.array([0.9, 0.9, 0.9, 0.1]), np.array([True, True, False, True]))
    assert expected_calibration_error(rows) == pytest.approx((3 * abs(0.9 - 2 / 3) + abs(0.1 - 1)) / 4)


def test_the_lower_bound_rises_with_the_number_of_cases():
    bounds = [wilson_lower_bound(n, n) for n in (1, 10, 100)]
    assert bounds == pytest.approx([n / (n + 1) for n in (1, 10, 100)])
    assert wilson_lower_bound(90, 100) < 0.9 < wilson_lower_bound(96, 100)
