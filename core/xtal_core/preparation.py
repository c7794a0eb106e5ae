"""What the user says about a pattern before it is fitted: regions that do not count, a blank, the background's freedom.

The measured points stay as they are; see `xtal_core.pattern.Pattern`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xtal_core.agreement import background_basis, background_columns
from xtal_core.candidate import RankedCandidate
from xtal_core.errors import InputError, OptionError, PatternError
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.pattern_features import background_terms

#: Share of a blank, as a root mean square, that the polynomials of the background must leave over.
LEAST_DISTINCT = 1e-3

#: Points for each coefficient of the background, at least.
POINTS_PER_TERM = 3

_NUMBER = r"\d+\.?\d*|\.\d+"
_REGION = re.compile(rf"\s*({_NUMBER})\s*:\s*({_NUMBER})\s*")

Region = tuple[float, float]


def parse_regions(texts: Sequence[str]) -> list[Region]:
    """Return the regions written as "20.1:22.4", degrees 2θ. Raises OptionError for other texts."""
    regions = []
    for text in texts:
        match = _REGION.fullmatch(text)
        if match is None or not float(match[1]) < float(match[2]):
            raise OptionError(f"--exclude '{text}' is not a region", "give two angles 2θ in degrees, like 20.1:22.4")
        regions.append((float(match[1]), float(match[2])))
    return regions


def prepare(
    pattern: Pattern,
    excluded: Sequence[Region] = (),
    blank: Pattern | None = None,
    chebyshev_terms: int | None = None,
) -> Pattern:
    """Return `pattern` with regions excluded, a blank beside it and a number of background terms, each noted.

    Parameters
    ----------
    excluded
        Degrees 2θ of the pattern's reference wavelength, limits included.
    blank
        What container or solvent scatter alone, over at least the same range of Q.
    chebyshev_terms
        None leaves the number to `background_terms`.

    Raises
    ------
    InputError
        For regions without points, a blank that ends before the pattern does or is as smooth as the background, and
        when too few points are left.
    """
    notes = list(pattern.notes)
    if chebyshev_terms is not None:
        pattern = replace(pattern, chebyshev_terms=chebyshev_terms)
        notes.append(f"the background has {chebyshev_terms} Chebyshev terms, as asked")
    if excluded:
        pattern = _without_regions(pattern, excluded)
        notes += [f"excluded from every fit: {low:.4g}° to {high:.4g}°" for low, high in excluded_regions(pattern)]
    if blank is not None:
        pattern = replace(pattern, blank=_resampled(blank, pattern), blank_source=blank.source)
        notes += [f"blank: {note}" for note in blank.notes]
        if blank.radiation != pattern.radiation:
            notes.append(f"the blank was measured with {blank.radiation.name} and is compared at the same Q")
        _check_distinct(pattern)
    n_left, n_columns = int(pattern.included.sum()), 1 + background_columns(pattern).shape[1]
    if n_left < POINTS_PER_TERM * n_columns:
        problem = f"{n_left} points are too few for a background of {n_columns - 1} terms"
        raise PatternError(problem, "exclude less or give fewer --background-terms", pattern.source or None)
    return replace(pattern, notes=tuple(notes))


def excluded_regions(pattern: Pattern) -> list[Region]:
    """Return first and last angle, in degrees 2θ, of every run of excluded points of `pattern`."""
    steps = np.diff(np.concatenate([[0], (~pattern.included).astype(int), [0]]))
    two_theta = pattern.two_theta
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    return [(float(two_theta[i]), float(two_theta[j])) for i, j in zip(starts, ends, strict=True)]


def blank_notes(pattern: Pattern, ranked: Sequence[RankedCandidate]) -> list[str]:
    """Return what became of the blank of `pattern`, if it has one, in the fit of the first of `ranked`."""
    fit = ranked[0].candidate.fit if ranked else None
    if pattern.blank is None or fit is None or fit.blank_scale is None:
        return []
    name = pattern.blank_source or "the blank"
    if fit.blank_scale > 0:
        return [f"{name} was subtracted with the fitted scale {fit.blank_scale:.5g}"]
    return [f"{name} was not subtracted: the pattern asks for a negative amount of it"]


def _without_regions(pattern: Pattern, regions: Sequence[Region]) -> Pattern:
    excluded = ~pattern.included
    two_theta = pattern.two_theta
    for low, high in regions:
        inside = (two_theta >= low) & (two_theta <= high)
        if not inside.any():
            problem = f"no point lies between {low:g}° and {high:g}°"
            limits = f"{two_theta[0]:.2f}° to {two_theta[-1]:.2f}°"
            raise PatternError(
                problem, f"exclude regions of the pattern, which covers {limits}", pattern.source or None
            )
        excluded |= inside
    return replace(pattern, excluded=excluded)


def _resampled(blank: Pattern, pattern: Pattern) -> FloatArray:
    """Return the (n_points,) intensity of `blank` at the points of `pattern`, interpolated linearly."""
    # An axis that ends within half a step of the pattern's was meant to be the same.
    slack = 0.5 * float(np.median(np.diff(blank.q)))
    if blank.q[0] > pattern.q[0] + slack or blank.q[-1] < pattern.q[-1] - slack:
        covered = f"{blank.two_theta[0]:.2f}° to {blank.two_theta[-1]:.2f}°"
        wanted = f"{pattern.two_theta[0]:.2f}° to {pattern.two_theta[-1]:.2f}°"
        problem = f"the blank covers {covered} ({blank.q[0]:.3f} to {blank.q[-1]:.3f} Å⁻¹), the pattern {wanted}"
        remedy = "give a blank over the whole range, or a shorter pattern"
        raise PatternError(problem, remedy, blank.source or None)
    return np.interp(pattern.q, blank.q, blank.intensity)


def _check_distinct(pattern: Pattern) -> None:
    """Refuse a blank that the polynomials of the background describe: its scale could not be told from theirs."""
    assert pattern.blank is not None
    included = pattern.included
    blank = pattern.blank[included]
    basis = background_basis(pattern.q, background_terms(pattern))[included]
    left = blank - basis @ np.linalg.lstsq(basis, blank)[0] if basis.shape[1] else blank
    if not np.sqrt(np.mean(left**2)) > LEAST_DISTINCT * np.sqrt(np.mean(blank**2)):
        problem = "is as smooth as the fitted background, which describes it already"
        raise InputError(problem, "leave out --blank, or give fewer --background-terms", pattern.blank_source or None)
