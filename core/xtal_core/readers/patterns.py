"""Reading powder patterns: which file it is, what was measured over what, and every check before it is believed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from xtal_core.errors import OptionError, PatternError
from xtal_core.pattern import FloatArray, Pattern, Radiation
from xtal_core.readers.columns import read_columns
from xtal_core.readers.radiation import (
    PLAUSIBLE_WAVELENGTHS,
    REMEDY,
    doublet_with_mean,
    mean_wavelength,
    parse_radiation,
)
from xtal_core.readers.recording import Axis, Recording
from xtal_core.readers.text_files import read_text

AxisChoice = Literal["auto", "two-theta", "q"]

MIN_POINTS = 10

#: Relative difference between the wavelength in the file and the one given, beyond which a note points it out.
SAME_WAVELENGTH = 1e-3


def read_pattern(
    path: str | Path,
    wavelength: str | None = None,
    axis: AxisChoice = "auto",
    otherwise: Radiation | None = None,
) -> Pattern:
    """Return the powder pattern in a file of columns (.xy, .xye, .dat, .txt, .csv, .chi, …) or a powder CIF.

    Whatever was done to the points besides converting 2θ to Q is said in the pattern's notes.

    Parameters
    ----------
    path
        The file. A CIF is recognised by its name or its contents.
    wavelength
        As `parse_radiation` takes it. It overrides what the file says, with a note where they differ by more than
        0.1 %; without it the file must say.
    axis
        What the points are given over. "auto": what the file declares; a file that does not is over 2θ when its values
        reach beyond 4π/λ, where no Q can be, and is refused otherwise.
    otherwise
        The radiation of a file that does not say, and for which no `wavelength` is given.

    Raises
    ------
    PatternError
        Naming the file, the line where there is one, and what to do.
    OptionError
        For a `wavelength` or `axis` that is not known.
    """
    if axis not in get_args(AxisChoice):
        raise OptionError(f"there is no axis '{axis}'", f"choose from {', '.join(get_args(AxisChoice))}")
    given = None if wavelength is None else parse_radiation(wavelength)
    path = Path(path)
    text = read_text(path, PatternError, "a powder pattern: two or three columns, or a powder CIF")
    chosen: Axis | None = None if axis == "auto" else axis
    if path.suffix.lower() in (".cif", ".pcif") or re.match(r"(?:\s*#[^\n]*\n)*\s*data_\S", text):
        from xtal_core.readers.powder_cif import read_powder_cif  # gemmi is only needed here

        recording = read_powder_cif(path, text, chosen)
    else:
        recording = read_columns(path, text, chosen)
    notes = list(recording.notes)
    stated = recording.radiations or (() if otherwise is None else (otherwise,))
    radiation = _decide_radiation(path, stated, given, notes)
    over = recording.axis or _recognise_axis(path, recording.positions, radiation)
    recording = _without_origin(recording, notes)
    _check_positions(path, recording, over, radiation)
    _check_intensity(path, recording, notes)
    uncertainty = _usable_uncertainty(path, recording, notes)
    q = radiation.q_from_two_theta(recording.positions) if over == "two-theta" else recording.positions
    q, (intensity, uncertainty, background) = _in_order(
        q, (recording.intensity, uncertainty, recording.background), notes
    )
    if len(q) < MIN_POINTS:
        raise PatternError(f"holds {len(q)} points", f"give a profile of at least {MIN_POINTS} points", path)
    return Pattern(q, intensity, radiation, uncertainty, background, source=str(path), notes=tuple(notes))


def _decide_radiation(
    path: Path, stated: tuple[Radiation, ...], given: Radiation | None, notes: list[str]
) -> Radiation:
    """Return the radiation: the one given, else the one the file states. It is never assumed."""
    if given is not None:
        for radiation in stated:
            references = (radiation.wavelength, mean_wavelength(radiation))
            if all(abs(given.wavelength / reference - 1) > SAME_WAVELENGTH for reference in references):
                notes.append(
                    f"the file says {_describe(radiation)}; the wavelength given, {_describe(given)}, was used instead"
                )
        return _with_mean_noted(given, notes)
    if not stated:
        raise PatternError(
            "no wavelength in the file",
            "give --wavelength, e.g. CuKa for the α1/α2 doublet, CuKa1, or a number in Å",
            path,
        )
    radiation, *others = stated
    if others:
        names = ", ".join(_describe(radiation) for radiation in stated)
        raise PatternError(f"the file speaks of several wavelengths ({names})", "give --wavelength", path)
    low, high = PLAUSIBLE_WAVELENGTHS
    if not all(low <= value <= high for value in radiation.wavelengths):
        problem = f"the file's wavelength of {radiation.wavelength:g} Å is not one of powder diffraction"
        raise PatternError(problem, f"give --wavelength: {REMEDY.removeprefix('give ')}", path)
    notes.append(f"the radiation, {_describe(radiation)}, is the one the file states")
    return _with_mean_noted(radiation, notes)


def _describe(radiation: Radiation) -> str:
    wavelength = f"{radiation.wavelength:g} Å"
    return radiation.name if radiation.name.endswith("Å") else f"{radiation.name} ({wavelength})"


def _with_mean_noted(radiation: Radiation, notes: list[str]) -> Radiation:
    """Return `radiation`, with a note when it is the mean of a doublet that would be described better by name."""
    doublet = doublet_with_mean(radiation.wavelength) if len(radiation.wavelengths) == 1 else None
    if doublet:
        notes.append(
            f"{radiation.wavelength:g} Å is the weighted mean of {doublet}: "
            f"if α1 and α2 were both there, --wavelength {doublet} describes the reflections better"
        )
    return radiation


def _recognise_axis(path: Path, positions: FloatArray, radiation: Radiation) -> Axis:
    """Return the axis of a file that does not declare it, when only one is possible.

    Q ends at 4π/λ (backscattering), so larger values are 2θ. Smaller ones may be either: with short wavelengths both
    axes cover the same numbers, and with long ones a small-angle scan looks like Q.
    """
    if positions.max() > 4 * np.pi / radiation.wavelength:
        return "two-theta"
    raise PatternError(
        f"the axis may be 2θ in degrees or Q in Å⁻¹ (values to {positions.max():g}, λ = {radiation.wavelength:g} Å)",
        "say which with --axis two-theta or --axis q, or name it in a header line",
        path,
    )


def _without_origin(recording: Recording, notes: list[str]) -> Recording:
    """Return the recording without a single first point at exactly 0, where nothing can be measured."""
    if recording.positions[0] != 0 or np.sum(recording.positions <= 0) != 1:
        return recording
    notes.append("the first point, at 0, was left out: Q must be positive")

    def rest(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[1:]

    return replace(
        recording,
        positions=recording.positions[1:],
        intensity=recording.intensity[1:],
        uncertainty=rest(recording.uncertainty),
        background=rest(recording.background),
        lines=recording.lines[1:] if recording.lines else None,
    )


def _check_positions(path: Path, recording: Recording, over: Axis, radiation: Radiation) -> None:
    """Refuse positions at which nothing can be measured."""
    positions = recording.positions
    symbol, unit = ("2θ", "°") if over == "two-theta" else ("Q", " Å⁻¹")
    low = np.flatnonzero(positions <= 0)
    if len(low):
        problem = f"{symbol} is {positions[low[0]]:g}{unit}"
        raise _at_point(path, recording, int(low[0]), problem, "remove points at and below 0")
    limit = 180.0 if over == "two-theta" else 4 * np.pi / radiation.wavelength
    # 4π/λ itself is backscattering, where grids over Q end, up to rounding.
    high = np.flatnonzero(positions >= 180.0 if over == "two-theta" else positions > limit * (1 + 1e-9))
    if not len(high):
        return
    if over == "two-theta":
        problem, remedy = "2θ must be below 180°", "give degrees, not their hundredths, or remove the point"
    else:
        problem = f"Q ends at 4π/λ = {limit:.4g} Å⁻¹ for {radiation.wavelength:g} Å"
        remedy = "check --wavelength, give Q in Å⁻¹, or --axis two-theta if it is 2θ"
    raise _at_point(path, recording, int(high[0]), f"{symbol} is {positions[high[0]]:g}{unit}; {problem}", remedy)


def _check_intensity(path: Path, recording: Recording, notes: list[str]) -> None:
    """Refuse intensities without a pattern in them, and count negative ones."""
    intensity = recording.intensity
    if len(intensity) < MIN_POINTS:
        raise PatternError(f"holds {len(intensity)} points", f"give a profile of at least {MIN_POINTS} points", path)
    if not (intensity > 0).any():
        raise PatternError("no intensity is positive", "check which column is the intensity", path)
    if np.ptp(intensity) == 0:
        raise PatternError(f"every intensity is {intensity[0]:g}", "check which column is the intensity", path)
    negative = int(np.sum(intensity < 0))
    if negative:
        notes.append(f"{negative} intensities are negative; they were kept as they are")


def _usable_uncertainty(path: Path, recording: Recording, notes: list[str]) -> FloatArray | None:
    """Return positive standard uncertainties.

    Programs write 0 for √0 where nothing was counted: such points get the smallest positive uncertainty of the pattern,
    that of about one count. Any other that is not positive is refused.
    """
    uncertainty = recording.uncertainty
    if uncertainty is None:
        return None
    if not uncertainty.any():
        notes.append("every standard uncertainty is 0; they were not used")
        return None
    nothing_counted = (uncertainty == 0) & (recording.intensity == 0)
    wrong = np.flatnonzero((uncertainty <= 0) & ~nothing_counted)
    if len(wrong):
        problem = f"the standard uncertainty is {uncertainty[wrong[0]]:g}"
        raise _at_point(path, recording, int(wrong[0]), problem, "give a positive one, or remove the column")
    if not nothing_counted.any():
        return uncertainty
    smallest = float(uncertainty[uncertainty > 0].min())
    notes.append(f"{nothing_counted.sum()} points of zero counts and zero uncertainty were given {smallest:g}")
    return np.where(nothing_counted, smallest, uncertainty)


def _in_order(
    q: FloatArray, columns: tuple[FloatArray, FloatArray | None, FloatArray | None], notes: list[str]
) -> tuple[FloatArray, tuple[FloatArray, FloatArray | None, FloatArray | None]]:
    """Return Q increasing strictly, and (intensity, uncertainty, background) with it.

    Points of the same Q become their mean, weighted by 1/σ² where uncertainties are known.
    """
    steps = np.diff(q)
    if (steps < 0).any():
        reversed_only = (steps <= 0).all()
        notes.append("the points were in reversed order" if reversed_only else "the points were sorted")
        order = np.arange(len(q))[::-1] if reversed_only else np.argsort(q, kind="stable")
        q = q[order]
        intensity, uncertainty, background = (None if values is None else values[order] for values in columns)
    else:
        intensity, uncertainty, background = columns
    assert intensity is not None
    unique, member = np.unique(q, return_inverse=True)
    if len(unique) == len(q):
        return q, (intensity, uncertainty, background)
    notes.append(f"{len(q) - len(unique)} points of repeated position were merged into the mean")
    weights = np.ones(len(q)) if uncertainty is None else 1 / np.square(uncertainty)
    total = np.bincount(member, weights)

    def mean(values: FloatArray) -> FloatArray:
        return np.bincount(member, weights * values) / total

    return unique, (
        mean(intensity),
        None if uncertainty is None else 1 / np.sqrt(total),
        None if background is None else mean(background),
    )


def _at_point(path: Path, recording: Recording, index: int, problem: str, remedy: str) -> PatternError:
    """Return the error about a point, placed at its line or, where a file has no such lines, by its number."""
    if recording.lines:
        return PatternError(problem, remedy, path, recording.lines[index])
    return PatternError(f"point {index + 1}: {problem}", remedy, path)
