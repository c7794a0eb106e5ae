"""Which trials go on to the next stage."""

from dataclasses import replace

import numpy as np
import pytest

from xtal_core.candidate import Candidate
from xtal_core.measurement import Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.problem import Formula, Problem
from xtal_core.workers import SideWorkers
from xtal_fit.plugin import FitOptions
from xtal_fit.stages import MOST_OF_A_KIND, first_stages

GENERATORS = ("prototype",) * 6 + ("network",) * 4


@pytest.fixture
def stages(simulator, rutile):
    candidates = [
        Candidate(rutile, generator, str(i), details={"prototype": "AB2"} if generator == "prototype" else {})
        for i, generator in enumerate(GENERATORS)
    ]
    q = np.linspace(1, 5, 401)
    pattern = Pattern(q, np.exp(-((q - 2) ** 2) / 0.02), Radiation.from_line("CuKa1"))
    problem = Problem(pattern, Formula.parse("TiO2")[0], None, None, None, None)
    with SideWorkers(1, "fit") as workers:
        yield first_stages(problem, candidates, simulator, workers, FitOptions())


@pytest.fixture
def trials(trial_of, rutile):
    """One of each candidate, those of the network described worst, residuals a tenth apart."""
    trial = trial_of(rutile, Profile())
    return [replace(trial, source=i, residual=0.1 * 1.1**i) for i in range(len(GENERATORS))]


def sources(trials):
    return [trial.source for trial in trials]


def test_each_generator_has_its_own_share_of_what_goes_on(stages, trials):
    assert sources(stages.best(trials, 2)) == [0, 1, 6, 7]
    assert sources(stages.distinct(trials, 2)) == [0, 1, 6, 7]


def test_all_are_sorted_when_no_number_is_given(stages, trials):
    assert sources(stages.best(trials[::-1], None)) == list(range(len(GENERATORS)))


def test_few_of_one_structure_type_go_on(stages, trials):
    assert sources(stages.best(trials, 5)) == [*range(MOST_OF_A_KIND), 6, 7, 8, 9]


def test_alike_trials_go_on_once_for_each_generator(stages, trials):
    alike = [replace(trial, residual=0.1) for trial in trials]
    assert sources(stages.distinct(alike, 3)) == [0, 6]


def test_of_alike_trials_the_likeliest_goes_on(stages, trials):
    unlikely = [replace(trial, residual=0.1, unlikelihood=1.0 if i == 0 else 0.0) for i, trial in enumerate(trials)]
    assert sources(stages.distinct(unlikely, 3)) == [1, 6]
