"""From an electron density map of one cell to the atoms that the cell must hold.

The heaviest atoms are found first. Their peaks are fitted and taken from the map, and the next lighter ones are sought
in what is left, so that a light atom may hide in the tail of a heavy one. In the end every atom has a charge, and the
formula says which elements these charges are of. Predicted maps are blurred, too low, and noisy: amplitude and blur of
every peak are fitted, and of more maxima than atoms the highest are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xtal_core.cells import IntArray
from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray
from xtal_crystalnet.blurred_atoms import NO_PEAKS, PeakModel, Peaks
from xtal_crystalnet.peak_search import maxima, room_for, vertices
from xtal_crystalnet.species_assignment import assignments

#: Standard deviations of the blur that are tried first, as fractions of the cell's edges.
BLURS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1)

#: A peak lower than this fraction of what its element should have is no atom, but rounding or the remains of others.
LEAST_AMPLITUDE = 0.02

#: Å: a peak moves no farther in one step of its fit.
LONGEST_STEP = 0.1

#: By this fraction the diagonal of the normal equations is enlarged, lest a peak lost in noise runs away.
DAMPING = 1e-3

#: Steps of the fit whenever atoms of another element have been found, and at the end.
STEPS, LAST_STEPS = 2, 3


@dataclass(frozen=True, eq=False)
class DecodedCell:
    """Atoms that a map may be the density of.

    Attributes
    ----------
    fractional : (n_atoms, 3)
        In [0, 1).
    numbers : (n_atoms,)
        Atomic numbers.
    residual
        Root mean square difference between the map and that of the atoms, blurred and scaled to fit, over the root mean
        square of the map.
    """

    fractional: FloatArray
    numbers: IntArray
    residual: float


def decode(values: FloatArray, lattice: FloatArray, numbers: ArrayLike, alternatives: int = 4) -> list[DecodedCell]:
    """Return up to `alternatives` cells with the atoms `numbers` (n_atoms,) that `values` may be the density of.

    `values` (n1, n2, n3), in any unit, are for the fractional coordinates (i/n1, j/n2, k/n3) of a cell with `lattice`
    (3, 3) Å. The best cell comes first; all have atoms at the same places and differ in which element is where. There
    are none when the map does not show enough atoms. Raises InputError for elements whose density is not known, and for
    a map that holds anything but finite numbers.
    """
    if not np.isfinite(values).all():
        raise InputError("the map holds values that are not finite numbers", "give a map without gaps")
    model = PeakModel(values.shape, lattice)
    elements, counts = np.unique(np.asarray(numbers, int), return_counts=True)
    peaks = NO_PEAKS
    for number, count in zip(elements[::-1].tolist(), counts[::-1].tolist(), strict=True):
        wanted = len(peaks) + count
        # What hides one atom is often another of its element, not yet taken from the map.
        while len(peaks) < wanted:
            found = _find(values, model, peaks, number, wanted - len(peaks))
            if not len(found):
                return []
            peaks = _fitted(values, model, peaks.and_also(found), STEPS)
    peaks = _fitted(values, model, peaks, LAST_STEPS)
    ways = assignments(model.lattice, peaks.fractional, peaks.charges, np.repeat(elements, counts), alternatives)
    wrapped = peaks.fractional % 1 % 1  # a tiny negative number is 1 at first
    return [DecodedCell(wrapped, way, _residual(values, model, peaks, way)) for way in ways]


def _find(values: FloatArray, model: PeakModel, peaks: Peaks, number: int, count: int) -> Peaks:
    """Return `count` atoms of atomic `number` in what `peaks` leave of the map; fewer where there is nothing more."""
    left = values - model.map_of(peaks)
    variance = float(np.median(peaks.variances)) if len(peaks) else _first_variance(values, model, number)
    amplitudes = model.correlation(left, number, variance)
    # Maxima of noise abound, and cost time.
    points = maxima(amplitudes)[: 100 + 10 * count]
    if len(peaks):
        points = points[amplitudes[tuple(points.T)] > LEAST_AMPLITUDE * np.median(peaks.amplitudes)]
    places = vertices(amplitudes, points)
    chosen = room_for(model.lattice, places, number, count, peaks.fractional, peaks.numbers)
    n = len(chosen)
    heights = amplitudes[tuple(points[chosen].T)]
    return Peaks(places[chosen], np.full(n, number), heights, np.full(n, variance))


def _first_variance(values: FloatArray, model: PeakModel, number: int) -> float:
    """Return the blur with which an atom of atomic `number` describes the highest peak of the map best."""
    highest = maxima(values)[:1]
    if not len(highest):
        return 0.0
    position = vertices(values, highest)[0]
    misfits = []
    for blur in BLURS:
        points, density, by_position, _ = model.around(position, number, blur**2)
        columns = np.column_stack([density, by_position, np.ones(len(points))])
        wanted = values.reshape(-1)[points]
        misfits.append(np.linalg.norm(wanted - columns @ np.linalg.lstsq(columns, wanted, rcond=None)[0]))
    return BLURS[int(np.argmin(misfits))] ** 2


def _fitted(values: FloatArray, model: PeakModel, peaks: Peaks, n_steps: int) -> Peaks:
    """Return `peaks` after `n_steps` least-squares steps of places, amplitudes and blurs.

    Each is fitted to what the others leave of the map, all of them at once: where they are high they hardly overlap.
    """
    inverse = np.linalg.inv(model.lattice)
    least_change = 1 / float(model.shape.max()) ** 2
    for _ in range(n_steps):
        left = (values - model.map_of(peaks)).reshape(-1)
        fractional, amplitudes, variances = peaks.fractional.copy(), peaks.amplitudes.copy(), peaks.variances.copy()
        for i, number in enumerate(peaks.numbers.tolist()):
            amplitude, variance = peaks.amplitudes[i], peaks.variances[i]
            points, density, by_position, by_variance = model.around(peaks.fractional[i], number, variance)
            columns = np.column_stack([amplitude * by_position, density, amplitude * by_variance])
            normal = columns.T @ columns
            normal[np.diag_indices(5)] *= 1 + DAMPING
            normal[np.diag_indices(5)] += 1e-12 * np.trace(normal) + 1e-300
            change = np.linalg.solve(normal, columns.T @ left[points])
            distance = float(np.linalg.norm(change[:3]))
            fractional[i] += change[:3] * min(1.0, LONGEST_STEP / max(distance, LONGEST_STEP)) @ inverse
            amplitudes[i] = max(amplitude + change[3], 0.0)
            largest = 0.5 * variance + least_change
            variances[i] = max(variance + float(np.clip(change[4], -largest, largest)), 0.0)
        peaks = Peaks(fractional, peaks.numbers, amplitudes, variances)
    return peaks


def _residual(values: FloatArray, model: PeakModel, peaks: Peaks, numbers: IntArray) -> float:
    """Return the residual of `DecodedCell` when the atoms are `numbers`, all with one amplitude."""
    described = model.map_of(Peaks(peaks.fractional, numbers, np.ones(len(peaks)), peaks.variances))
    scale = float((described * values).sum() / np.square(described).sum())
    return float(np.linalg.norm(values - scale * described) / np.linalg.norm(values))
