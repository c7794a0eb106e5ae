"""The last stage for a measured sample: every point, widths that change with the angle, texture.

The search describes peaks by one width and orientations as random, which real samples are not; a wrong structure with
more freedom then often describes the pattern better than the right one. Here the better candidates get what a sample
and a diffractometer do to peaks, so that they can be judged by their structures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from xtal_core.counting_statistics import standard_uncertainties
from xtal_core.interfaces import DifferentiableSimulator
from xtal_core.measurement import Profile
from xtal_core.parsimony import Parsimony
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.workers import SideWorkers
from xtal_fit.least_squares import fit
from xtal_fit.measured_points import MeasuredPoints, measured_points
from xtal_fit.plugin import FitOptions
from xtal_fit.trial import ProfileParameter, Trial

#: Å⁻¹; peaks narrower than this owe their width to the instrument as much as to the sample.
SHARP = 0.02

#: How many axes of texture are tried for a candidate, and in how many steps.
TEXTURE_AXES = 5
TEXTURE_STEPS = 4

#: March coefficient that axes are tried from, and its bounds.
FIRST_MARCH = 0.9
LOWEST_MARCH, HIGHEST_MARCH = 0.3, 2.0

FIRST_STEPS, LAST_STEPS = 6, 10

#: Most steps until a refinement must have converged.
MOST_STEPS = 100

#: A last step gains less than this fraction.
CONVERGED = 1e-6

#: What part of the peak width widths start with that not every pattern shows.
FIRST_SHARE = 0.3


@dataclass(frozen=True, eq=False)
class WholePattern:
    """Refinement against the measured points.

    Attributes
    ----------
    simulator, pattern
        What is calculated and what was measured.
    points
        The pattern as least squares sees it.
    width
        Å⁻¹; standard deviation of its peaks.
    parsimony
        What weighs parameters against misfit.
    sized
        Whether a crystallite size is refined, or a Lorentzian instead.
    known_size
        Whether the size was given, and stays.
    options
        Which shifts are refined, and what the instrument is known to contribute.
    workers
        What takes over part of the work.
    """

    simulator: DifferentiableSimulator
    pattern: Pattern
    points: MeasuredPoints
    width: float
    parsimony: Parsimony
    sized: bool
    known_size: bool
    options: FitOptions
    workers: SideWorkers

    def refine(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials refined for some steps, with texture where that is worth a parameter."""
        started = [replace(trial, displaced=True, profile=self._starting(trial.profile)) for trial in trials]
        plain = self._fit(started, self.parameters(), FIRST_STEPS)
        return self._fit(self._textured(plain), self.parameters(TEXTURE), LAST_STEPS)

    def converged(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return refined trials refined until they converge, with further widths that are worth a parameter each."""
        return self._widened(self._polished(trials))

    def parameters(self, *more: ProfileParameter) -> list[ProfileParameter]:
        """Return the profile parameters of a sample without texture, and `more`."""
        width = self.width
        shifts = SHIFTS[self.options.shift]
        # Nearly the same to a pattern, two shifts are told apart by it alone: an expectation would share them out.
        expected = 0.0 if len(shifts) == 1 else None
        parameters = [ProfileParameter(name, -0.3, 0.3, expected, 0.1) for name in shifts]
        parameters += [
            ProfileParameter("b_iso", 0.0, 6.0, 0.7, 0.7),
            ProfileParameter("strain_hwhm", 0.0, 0.03, 0.0, 0.005),
        ]
        if self._instrument_refined:
            degrees = _degrees(width, self.pattern)
            parameters.append(ProfileParameter("instrument_sigma", 0.05 * degrees, 1.5 * degrees))
        else:
            parameters.append(ProfileParameter("gaussian_sigma", 0.05 * width, 1.5 * width))
        if not self.sized:
            parameters.append(ProfileParameter("lorentzian_hwhm", 0.0, 3 * width))
        elif not self.known_size:
            parameters.append(ProfileParameter("crystallite_size", 0.5 / width, 50 / width))
        return [*parameters, *more]

    def all_parameters(self) -> list[ProfileParameter]:
        """Return every profile parameter that some trial may have; one that a trial does without is at its bound."""
        return self.parameters(TEXTURE, *(parameter for parameter, _ in self._further_widths))

    def n_parameters(self, trial: Trial) -> int:
        """Return how many parameters, scale and background apart, describe `trial`."""
        textured = trial.profile.march_axis is not None
        return trial.directions.n_directions + len(self.parameters()) + textured + len(self._widths_of(trial))

    @property
    def _instrument_refined(self) -> bool:
        """Whether the Gaussian width is that of the instrument, which sharp peaks show and nobody stated."""
        return self.width < SHARP and self.options.instrument_sigma is None

    @property
    def _further_widths(self) -> list[tuple[ProfileParameter, float]]:
        """Widths that are refined where they are worth a parameter, and where they start.

        Normally distributed microstrain, and what makes the peaks of a sharp pattern those of a Voigt function at every
        angle.
        """
        middle = (self.pattern.q[0] + self.pattern.q[-1]) / 2
        widths = [(ProfileParameter("strain_sigma", 0.0, 0.03), FIRST_SHARE * self.width / middle)]
        if self.width < SHARP and self.options.instrument_hwhm is None:
            degrees = _degrees(self.width, self.pattern)
            widths.append((ProfileParameter("instrument_hwhm", 0.0, 3 * degrees), FIRST_SHARE * degrees))
        return widths

    def _widths_of(self, trial: Trial) -> list[ProfileParameter]:
        """Return the further widths that `trial` was found worth."""
        return [parameter for parameter, _ in self._further_widths if getattr(trial.profile, parameter.name) > 0]

    def _starting(self, profile: Profile) -> Profile:
        """Return the `profile` of a search in terms of what is refined here.

        Where peaks are sharp, the constant Gaussian width becomes that of the instrument, unless that is known: then
        the sample has the rest.
        """
        if self.options.shift == "displacement":
            profile = replace(profile, zero_shift=0.0, sample_displacement=profile.zero_shift)
        if self._instrument_refined:
            degrees = _degrees(profile.gaussian_sigma, self.pattern)
            least = 0.1 * _degrees(self.width, self.pattern)
            profile = replace(profile, gaussian_sigma=0.0, instrument_sigma=max(degrees, least))
        elif self.options.instrument_sigma is not None:
            known = self.options.instrument_sigma * self.width / _degrees(self.width, self.pattern)
            rest = math.sqrt(max(profile.gaussian_sigma**2 - known**2, (0.1 * self.width) ** 2))
            profile = replace(profile, gaussian_sigma=rest, instrument_sigma=self.options.instrument_sigma)
        return replace(profile, instrument_hwhm=self.options.instrument_hwhm or 0.0)

    def _polished(self, trials: Sequence[Trial], steps: int = MOST_STEPS) -> list[Trial]:
        """Return trials that were refined before refined for at most `steps`, each with the widths that it has."""
        polished = list(trials)
        kinds = [tuple(parameter.name for parameter in self._widths_of(trial)) for trial in trials]
        for kind in sorted(set(kinds)):
            places = [place for place, other in enumerate(kinds) if other == kind]
            chosen = [trials[place] for place in places]
            fitted = self._fit(chosen, self.parameters(TEXTURE, *self._widths_of(chosen[0])), steps)
            for place, trial in zip(places, fitted, strict=True):
                polished[place] = trial
        return polished

    def _widened(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return every trial with the further widths that are worth a parameter each, one after the other.

        Some steps show what a width is worth; only trials that got one are then refined until they converge.
        """
        best = list(trials)
        waiting = range(len(best))
        for _ in self._further_widths:
            tried, owners = [], []
            for place in waiting:
                for parameter, first in self._further_widths:
                    if getattr(best[place].profile, parameter.name) == 0:
                        profile = replace(best[place].profile, **{parameter.name: first})
                        tried.append(replace(best[place], profile=profile))
                        owners.append(place)
            before = list(best)
            for owner, rival in zip(owners, self._polished(tried, LAST_STEPS), strict=True):
                best[owner] = min(best[owner], rival, key=self._merit)
            waiting = [place for place in waiting if best[place] is not before[place]]
        wider = [place for place, trial in enumerate(best) if trial is not trials[place]]
        for place, trial in zip(wider, self._polished([best[place] for place in wider]), strict=True):
            best[place] = trial
        return best

    def _textured(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return every trial with the texture axis that describes the pattern best, or none.

        The broad peaks of small crystallites overlap too much to tell texture from structure: none is tried there.
        """
        if self.width >= SHARP:
            return list(trials)
        tried, owners = [], []
        for owner, trial in enumerate(trials):
            for axis in texture_axes(trial.lattice, TEXTURE_AXES):
                profile = replace(trial.profile, march_axis=axis, march_coefficient=FIRST_MARCH)
                tried.append(replace(trial.held(), profile=profile))
                owners.append(owner)
        best = list(trials)
        for owner, held in zip(owners, self._fit(tried, [TEXTURE], TEXTURE_STEPS), strict=True):
            rival = replace(held, directions=trials[owner].directions)
            best[owner] = min(best[owner], rival, key=self._merit)
        return best

    def _merit(self, trial: Trial) -> float:
        return self.parsimony.penalised(trial.residual, self.n_parameters(trial))

    def _fit(self, trials: Sequence[Trial], parameters: Sequence[ProfileParameter], steps: int) -> list[Trial]:
        return fit(
            self.simulator,
            self.points,
            trials,
            parameters,
            steps,
            self.parsimony.observations,
            workers=self.workers,
            converged=CONVERGED,
            hold_bounds=True,
        )


#: What is refined of how far reflections are from where they belong, by the option `shift`.
SHIFTS = {
    "zero": ("zero_shift",),
    "displacement": ("sample_displacement",),
    "both": ("zero_shift", "sample_displacement"),
}

TEXTURE = ProfileParameter("march_coefficient", LOWEST_MARCH, HIGHEST_MARCH, 1.0, 0.3)


def whole_pattern(
    simulator: DifferentiableSimulator,
    pattern: Pattern,
    profile: Profile,
    width: float,
    parsimony: Parsimony,
    *,
    known_size: bool,
    options: FitOptions,
    reflections_to: float | None,
    workers: SideWorkers,
) -> WholePattern:
    """Return the refinement of `pattern`, whose peaks are like `profile` and of the standard deviation `width` Å⁻¹.

    Points weigh by the standard uncertainties of the pattern.
    """
    return WholePattern(
        simulator,
        pattern,
        measured_points(pattern, standard_uncertainties(pattern)[0], width, reflections_to=reflections_to),
        width,
        parsimony,
        profile.crystallite_size is not None,
        known_size,
        options,
        workers,
    )


def texture_axes(lattice: FloatArray, n: int) -> list[tuple[int, int, int]]:
    """Return the Miller indices of the `n` planes farthest apart, one of those equally far.

    Crystals cleave along such planes and grow faces of them (Donnay and Harker, Am. Mineral. 22, 446 (1937)).
    `lattice` is (3, 3) Å.
    """
    # One of each pair ±hkl, without common divisors.
    indices = [hkl for hkl in product(range(-3, 4), repeat=3) if hkl > (0, 0, 0) and math.gcd(*hkl) == 1]
    lengths = np.linalg.norm(np.array(indices) @ np.linalg.inv(lattice).T, axis=1)
    axes: list[tuple[int, int, int]] = []
    last = 0.0
    for place in np.argsort(lengths, kind="stable"):
        if lengths[place] > last * (1 + 1e-3):
            axes.append(indices[place])
            last = lengths[place]
    return axes[:n]


def _degrees(width: float, pattern: Pattern) -> float:
    """Return the `width` in Å⁻¹ as degrees 2θ in the middle of `pattern`."""
    wavelength = pattern.radiation.wavelength
    sine = (pattern.q[0] + pattern.q[-1]) / 2 * wavelength / (4 * math.pi)
    return math.degrees(width * wavelength / (2 * math.pi * math.sqrt(1 - sine**2)))
