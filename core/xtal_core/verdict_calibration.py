"""How the verdict weighs its features: logistic regressions fitted to solved structures, read from a small file.

`benchmarks/fit_verdict.py` writes the file, `data/verdict_calibration.json`, and beside it a model card of each part.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

CALIBRATION_FILE = "verdict_calibration.json"

Word = Literal["solved", "ambiguous", "not solved"]


@dataclass(frozen=True)
class WeighedFeature:
    """A feature and what it counts.

    Attributes
    ----------
    name
        A field of `xtal_core.verdict_features.VerdictFeatures`.
    mean, scale
        By which it is standardised.
    coefficient
        Change of the log-odds with one `scale`.
    low, high
        Its range in the calibration; values beyond count as the nearer end.
    """

    name: str
    mean: float
    scale: float
    coefficient: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """A logistic regression and how its probability is put into words.

    Attributes
    ----------
    features, intercept
        ln p/(1 − p) = intercept + Σ coefficient (value − mean)/scale. A value that is not known counts as the mean.
    solved_from, not_solved_below
        Probabilities at which "solved" begins and "not solved" ends.
    rival_window
        Candidates whose merit is within this of the first's are those that the pattern does not tell from it.
    """

    features: tuple[WeighedFeature, ...]
    intercept: float
    solved_from: float
    not_solved_below: float
    rival_window: float

    def probability(self, values: Mapping[str, float | None]) -> float:
        """Return the probability that a solution with these features is right."""
        log_odds = self.intercept
        for feature in self.features:
            value = values[feature.name]
            if value is not None:
                log_odds += feature.coefficient * (self._within(feature, value) - feature.mean) / feature.scale
        return 1 / (1 + math.exp(-log_odds))

    def word(self, probability: float) -> Word:
        """Return what a probability is called."""
        if probability >= self.solved_from:
            return "solved"
        return "not solved" if probability < self.not_solved_below else "ambiguous"

    def outside(self, values: Mapping[str, float | None]) -> list[str]:
        """Return the names of the features whose value is beyond what was calibrated."""
        known = [(feature, values[feature.name]) for feature in self.features]
        return [f.name for f, value in known if value is not None and value != self._within(f, value)]

    @staticmethod
    def _within(feature: WeighedFeature, value: float) -> float:
        return min(max(value, feature.low), feature.high)


@dataclass(frozen=True)
class Calibrations:
    """The content of the file.

    Attributes
    ----------
    noise_limited
        For patterns in which only noise comes on top of what is calculated, as in simulations.
    model_limited
        For laboratory patterns, in which texture, peak shapes and background leave more than noise even with the right
        structure: by other features, see docs/verdict.md. None where it was not fitted.
    generators, refiner, metric, simulator
        Of the solutions that were calibrated with.
    """

    noise_limited: Calibration
    model_limited: Calibration | None
    generators: tuple[str, ...]
    refiner: str
    metric: str
    simulator: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Calibrations:
        """Return what `to_record` made a record of."""
        return cls(
            noise_limited=_calibration(record["noise_limited"]),
            model_limited=None if record["model_limited"] is None else _calibration(record["model_limited"]),
            generators=tuple(record["generators"]),
            refiner=record["refiner"],
            metric=record["metric"],
            simulator=record["simulator"],
        )

    def to_record(self) -> dict[str, Any]:
        """Return the calibrations as plain data."""
        return asdict(self)


@cache
def calibrations() -> Calibrations:
    """Return the calibrations that come with the package."""
    return Calibrations.from_record(json.loads(_content()))


@cache
def calibration_digest() -> str:
    """Return the SHA-256 of the file that `calibrations` reads, in hexadecimal digits."""
    return hashlib.sha256(_content()).hexdigest()


def _content() -> bytes:
    return (files("xtal_core") / "data" / CALIBRATION_FILE).read_bytes()


def _calibration(record: Mapping[str, Any]) -> Calibration:
    features: Sequence[Mapping[str, Any]] = record["features"]
    return Calibration(**{**record, "features": tuple(WeighedFeature(**feature) for feature in features)})
