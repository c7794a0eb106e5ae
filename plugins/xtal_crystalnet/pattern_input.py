"""A measured or simulated pattern, and a formula, as CrystalNet wants them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from xtal_core.errors import InputError, PatternError
from xtal_core.pattern import Pattern
from xtal_core.pattern_features import is_noisy, noise_level, peak_width, smooth, without_background
from xtal_core.problem import Formula
from xtal_core.training_set import LARGEST_Q, N_BINS
from xtal_crystalnet.atomic_densities import LAST_TABULATED
from xtal_crystalnet.patterns import LAST_REFLECTION, N_POINTS, N_SEEN, NOISY_SHARE, shown

#: Of a noisy pattern, the fraction of points taken to be background, and how far above 0 these may be, in standard
#: deviations of the noise of single points.
FLOOR, MOST_NOISE = 0.25, 4.0

#: Fraction of the axis that must be covered.
LEAST_COVERED = 0.15


def pattern_input(pattern: Pattern, narrowest: float) -> Tensor:
    """Return (1, 2, `N_SEEN`) what the network is shown of `pattern`.

    Sharp peaks are smoothed until they are `narrowest` Å⁻¹ wide. The background is taken away; points that were
    excluded, not measured, or lie beyond the reflections that the network knows are marked.
    Raises PatternError when too little is left.
    """
    native = peak_width(pattern)
    step = LARGEST_Q / N_BINS
    q = np.linspace(0.0, LARGEST_Q, N_BINS, endpoint=False) + 0.5 * step
    inside = (q >= pattern.q[0]) & (q <= min(pattern.q[-1], LAST_REFLECTION))
    noise = noise_level(pattern) if is_noisy(pattern) else 0.0
    smoothing = math.sqrt(max(narrowest**2 - native**2, (NOISY_SHARE * native) ** 2 if noise else 0.0, step**2))
    fine = np.zeros(N_BINS)
    seen = smooth(pattern.q, without_background(pattern, max(native, narrowest)), q[inside], smoothing)
    # The lowest points of a noisy pattern are below its background: what was taken away is too little.
    fine[inside] = seen - min(max(float(np.quantile(seen, FLOOR)), 0.0), MOST_NOISE * noise)
    if pattern.excluded is not None:
        inside[inside] = np.interp(q[inside], pattern.q, pattern.included.astype(float)) > 0.5
    covered = inside.reshape(N_POINTS, -1).all(axis=1)[:N_SEEN]
    if covered.mean() < LEAST_COVERED or not fine[inside].max(initial=0.0) > 0:
        problem = f"the pattern covers too little of Q = 0 to {LAST_REFLECTION:.2f} Å⁻¹ for the networks"
        raise PatternError(problem, "measure more of it, or choose another generator", pattern.source or None)
    largest = np.where(inside, fine, 0.0).clip(0).reshape(N_POINTS, -1).max(axis=1)[:N_SEEN]
    return shown(*(torch.tensor(values[None], dtype=torch.float32) for values in (largest, covered)))


def formula_input(formula: Formula, n_species: int) -> Tensor:
    """Return (1, n_species) the atomic fractions of `formula`. Raises InputError for an element beyond `n_species`."""
    if missing := unknown_elements(formula, n_species):
        raise InputError(f"the network does not know {', '.join(missing)}", "choose another generator")
    composition = torch.zeros(1, n_species)
    for symbol, amount in formula.amounts:
        composition[0, _number(symbol) - 1] = amount / formula.n_atoms
    return composition


def unknown_elements(formula: Formula, n_species: int) -> list[str]:
    """Return the elements of `formula` beyond the first `n_species`, or without a tabulated density."""
    known = min(n_species, LAST_TABULATED)
    return [symbol for symbol, _ in formula.amounts if _number(symbol) > known]


def _number(symbol: str) -> int:
    from pymatgen.core import Element

    return Element(symbol).Z
