"""Stretches worth trying: over ln r a stretch is a shift, so that one correlation tries all of them.

Agreement of two G(r) as a function of the stretch has many local maxima, each peak of one resembling each peak of the
other. A fit finds the nearest one only and needs to be told where to start.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from xtal_core.pattern import FloatArray
from xtal_pair_distribution.morphing import MorphLimits, MorphSource

#: Step in ln r: at 30 Å 0.06 Å, well below the width of peaks and finer than any usual Qmax resolves.
LOG_STEP = 0.002

#: Smears tried, as fractions of the largest one allowed.
SMEARS = (0.0, 1 / 3, 5 / 6)


class LogGrid:
    """Distances equally spaced in ln r: those of the comparison, and as many more as the stretches reach."""

    def __init__(self, r_min: float, r_max: float, stretch: float) -> None:
        self.margin = int(np.floor(np.log1p(stretch) / LOG_STEP))
        self.inner = int(np.floor(np.log(r_max / r_min) / LOG_STEP)) + 1
        n = self.inner + 2 * self.margin
        self.r = r_min * np.exp(LOG_STEP * (np.arange(n) - self.margin))
        self.length = next_fast_len(n, real=True)
        #: What a sum over points must be weighted with to be an integral over r.
        self.root_weight = np.sqrt(self.r)
        self.stretches = np.expm1(LOG_STEP * np.arange(self.margin, -self.margin - 1, -1))


@lru_cache(maxsize=64)
def log_grid(r_min: float, r_max: float, stretch: float) -> LogGrid:
    """Return the grid for comparisons between two distances in Å with stretches up to `stretch`."""
    return LogGrid(r_min, r_max, stretch)


class ScanSource:
    """The side that is stretched, smeared by a few widths."""

    def __init__(self, source: MorphSource, grid: LogGrid, limits: MorphLimits) -> None:
        r = source.distribution.r
        self.variances = np.unique(np.square(SMEARS) * limits.variance)
        levels = np.stack([np.interp(grid.r, r, source.smeared(variance)[0]) for variance in self.variances])
        levels *= grid.root_weight
        self.spectra = np.fft.rfft(levels, grid.length)
        sums = np.cumsum(np.pad(levels**2, ((0, 0), (1, 0))), axis=1)
        self.squares = sums[:, grid.inner :] - sums[:, : -grid.inner]


class ScanTarget:
    """The side that stays."""

    def __init__(self, r: FloatArray, g: FloatArray, grid: LogGrid) -> None:
        inner = slice(grid.margin, grid.margin + grid.inner)
        values = np.interp(grid.r[inner], r, g) * grid.root_weight[inner]
        self.spectrum = np.conj(np.fft.rfft(values, grid.length))
        self.square = float(values @ values)


def promising_starts(
    source: ScanSource, target: ScanTarget, grid: LogGrid, most: int, worst: float
) -> list[tuple[float, float]]:
    """Return at most `most` pairs of stretch and variance (Å²), the most promising first.

    They are the local maxima of the correlation that reach `worst` times the highest one.
    """
    overlap = np.fft.irfft(source.spectra * target.spectrum, grid.length)[:, : 2 * grid.margin + 1]
    norms = np.sqrt(source.squares * target.square)
    correlation = np.divide(overlap, norms, out=np.zeros(overlap.shape), where=norms > 0)
    level = correlation.argmax(axis=0)
    best = correlation.max(axis=0)
    peaks = _local_maxima(best)
    peaks = peaks[np.argsort(-best[peaks], kind="stable")][:most]
    peaks = peaks[best[peaks] >= worst * best[peaks[0]]]
    return [(float(grid.stretches[i]), float(source.variances[level[i]])) for i in peaks]


def _local_maxima(values: FloatArray) -> NDArray[np.intp]:
    """Return the indices of values that no neighbour exceeds, ends included."""
    padded = np.pad(values, 1, constant_values=-np.inf)
    return np.flatnonzero((values >= padded[:-2]) & (values >= padded[2:]))
