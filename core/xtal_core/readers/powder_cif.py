"""Powder CIF: profiles as the IUCr's powder dictionary (cif_pow.dic, formerly cif_pd.dic) stores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import gemmi
import numpy as np
from numpy.typing import NDArray

from xtal_core.errors import PatternError
from xtal_core.pattern import FloatArray, Radiation
from xtal_core.readers.cif_syntax import parse_cif, parse_number
from xtal_core.readers.radiation import distinct_radiations
from xtal_core.readers.recording import Axis, Recording

#: Intensities, the preferred first: measured before processed before calculated, totals before net.
INTENSITIES = (
    "_pd_meas_counts_total",
    "_pd_meas_intensity_total",
    "_pd_meas_intensity_net",
    "_pd_proc_intensity_total",
    "_pd_proc_intensity_net",
    "_pd_calc_intensity_total",
    "_pd_calc_intensity_net",
)
#: Axes given point by point, the preferred first.
AXES = ("_pd_proc_2theta_corrected", "_pd_meas_2theta_scan", "_pd_proc_recip_len_q", "_pd_proc_d_spacing")
RANGES = ("_pd_meas_2theta_range", "_pd_proc_2theta_range")
BACKGROUNDS = (
    "_pd_proc_intensity_bkg_calc",
    "_pd_proc_intensity_bkg_fix",
    "_pd_meas_counts_background",
    "_pd_meas_intensity_background",
)
#: What cannot be read, and why.
OTHER_AXES = {
    "_pd_meas_time_of_flight": "a time-of-flight pattern",
    "_pd_proc_energy_incident": "an energy-dispersive pattern",
    "_pd_proc_energy_detection": "an energy-dispersive pattern",
}
UNKNOWN = ("?", ".")
REMEDY = "give a powder CIF with a profile (_pd_meas_…, _pd_proc_…) or a file of two columns"


class _Block:
    """A data block with items found by lower-case name, dots of the newer dictionary read as underscores."""

    def __init__(self, block: gemmi.cif.Block):
        self.name = block.name
        self.single: dict[str, str] = {}
        self.columns: dict[str, tuple[gemmi.cif.Loop, int]] = {}
        self.lines: dict[str, int] = {}
        for item in block:
            pair = cast("tuple[str, str] | None", item.pair)
            if pair is not None:
                tag = _plain(pair[0])
                self.single[tag] = gemmi.cif.as_string(pair[1])
                self.lines[tag] = item.line_number
            elif item.loop is not None:
                for column, name in enumerate(item.loop.tags):
                    self.columns[_plain(name)] = (item.loop, column)
                    self.lines[_plain(name)] = item.line_number

    def column(self, tag: str) -> list[str]:
        """Return the looped values of `tag`, as written."""
        loop, index = self.columns[tag]
        return loop.values[index :: loop.width()]

    def texts(self, tag: str) -> list[str]:
        """Return the known values of `tag`, looped or not."""
        values = [gemmi.cif.as_string(value) for value in self.column(tag)] if tag in self.columns else []
        return [value for value in [*values, self.single.get(tag, "?")] if value not in (*UNKNOWN, "")]

    def beside(self, tag: str, other: str) -> bool:
        """Return whether two items are in the same loop."""
        return tag in self.columns and other in self.columns and self.columns[tag][0] is self.columns[other][0]

    @property
    def intensity(self) -> str | None:
        """The preferred intensity that has at least one value."""
        known = (tag for tag in INTENSITIES if tag in self.columns)
        return next((tag for tag in known if any(value not in UNKNOWN for value in self.column(tag))), None)


@dataclass(frozen=True)
class _Profile:
    """Where a profile is: its file, its block and its intensity item."""

    path: Path
    block: _Block
    intensity: str

    def numbers(self, tag: str) -> tuple[FloatArray, FloatArray]:
        """Return values and standard uncertainties of `tag`, NaN where "?" or ".", refusing what is no number."""
        values = self.block.column(tag)
        result = np.full((2, len(values)), np.nan)
        for index, text in enumerate(values):
            if text in UNKNOWN:
                continue
            number = parse_number(text)
            if number is None:
                raise self.refusal(f"'{text}' at point {index + 1} of {tag} is not a number", "correct it", tag)
            result[:, index] = number
        return result[0], result[1]

    def refusal(self, problem: str, remedy: str, tag: str | None = None) -> PatternError:
        """Return the error that names the block and the line of `tag`."""
        line = self.block.lines.get(tag or self.intensity)
        return PatternError(f"block '{self.block.name}': {problem}", remedy, self.path, line)


def read_powder_cif(path: Path, text: str, axis: Axis | None = None) -> Recording:
    """Return the profile in a powder CIF.

    Measured intensities are preferred to processed, and these to calculated ones, which a note points out. The axis is
    2θ point by point, Q or d, else 2θ as range and increment. Points whose intensity is "?" or "." were not measured;
    they are left out and counted in a note.

    Parameters
    ----------
    path
        For messages.
    text
        What it holds.
    axis
        Which axis to use, where the file has several.

    Raises
    ------
    PatternError
        For files that are not CIF, hold no profile or several, and for radiation other than X-rays.
    """
    blocks = [_Block(block) for block in parse_cif(text, path, PatternError)]
    holding = [block for block in blocks if block.intensity]
    if not holding:
        reflections = any(tag.startswith("_refln_") for block in blocks for tag in block.columns)
        problem = "holds reflections but no powder profile" if reflections else "holds no powder profile"
        raise PatternError(problem, REMEDY, path)
    if len(holding) > 1:
        names = ", ".join(block.name for block in holding)
        raise PatternError(f"holds several patterns (blocks {names})", "keep one of these data blocks", path)
    profile = _Profile(path, holding[0], holding[0].intensity or "")
    probe = " ".join(profile.block.texts("_diffrn_radiation_probe")).lower()
    if "neutron" in probe or "electron" in probe or "gamma" in probe:
        raise profile.refusal(f"measured with {probe}", "give an X-ray pattern", "_diffrn_radiation_probe")
    notes: list[str] = []
    positions, quantity = _read_axis(profile, axis, notes)
    intensity, uncertainty = profile.numbers(profile.intensity)
    background = _read_background(profile, notes)
    if profile.intensity.startswith("_pd_calc"):
        notes.append(f"the file holds no measured profile; {profile.intensity} is a calculated one")
    radiations = _read_radiations(profile, blocks, notes)
    measured = np.isfinite(intensity)
    if not measured.all():
        notes.append(f"{np.sum(~measured)} points without a value of {profile.intensity} (? or .) were left out")
    if not np.isfinite(positions[measured]).all():
        point = int(np.flatnonzero(measured & ~np.isfinite(positions))[0]) + 1
        raise profile.refusal(f"point {point} has an intensity but no position", "give its 2θ or remove it")
    return Recording(
        positions=positions[measured],
        intensity=intensity[measured],
        axis=quantity,
        radiations=radiations,
        uncertainty=_complete(_read_uncertainty(profile, uncertainty), measured, "standard uncertainties", notes),
        background=_complete(background, measured, "stored background", notes),
        notes=tuple(notes),
    )


def _read_axis(profile: _Profile, axis: Axis | None, notes: list[str]) -> tuple[FloatArray, Axis]:
    """Return the position of every point: 2θ in degrees or Q in Å⁻¹."""
    block = profile.block
    available = [tag for tag in AXES if block.beside(tag, profile.intensity)]
    ranges = [name for name in RANGES if block.texts(f"{name}_min") and block.texts(f"{name}_inc")]
    if profile.intensity.startswith("_pd_proc"):
        ranges.reverse()
    if axis == "q":
        available = [tag for tag in available if "2theta" not in tag]
        ranges = []
    elif axis == "two-theta":
        available = [tag for tag in available if "2theta" in tag]
    looped_2theta = [tag for tag in available if "2theta" in tag]
    if ranges and not looped_2theta:
        return _read_range(profile, ranges[0]), "two-theta"
    if available:
        tag = available[0]
        if len(looped_2theta) > 1:
            notes.append(f"of {' and '.join(looped_2theta)}, the first was used")
        positions, _ = profile.numbers(tag)
        if tag == "_pd_proc_d_spacing":
            if (positions <= 0).any():
                raise profile.refusal("a d spacing is not positive", "correct or remove it", tag)
            return 2 * np.pi / positions, "q"
        return positions, "two-theta" if "2theta" in tag else "q"
    other = next((kind for tag, kind in OTHER_AXES.items() if tag in block.columns), None)
    if other:
        raise profile.refusal(f"is {other}", "give an X-ray pattern over 2θ or Q")
    wanted = {"q": "no Q or d axis", "two-theta": "no 2θ axis"}.get(axis or "", "no axis")
    remedy = "add _pd_meas_2theta_range_min, _max and _inc or one 2θ a point" + (", or drop --axis" if axis else "")
    raise profile.refusal(f"{wanted} beside {profile.intensity}", remedy)


def _read_range(profile: _Profile, name: str) -> FloatArray:
    """Return 2θ in degrees from the first, the last and the increment; all must fit the number of points."""
    limits: dict[str, float] = {}
    for part in ("min", "max", "inc"):
        texts = profile.block.texts(f"{name}_{part}")
        if texts:
            number = parse_number(texts[0])
            if number is None:
                raise profile.refusal(f"{name}_{part} is '{texts[0]}'", "give a number", f"{name}_{part}")
            limits[part] = number[0]
    n_points = len(profile.block.column(profile.intensity))
    if limits["inc"] <= 0:
        raise profile.refusal(f"{name}_inc is {limits['inc']:g}", "give a positive step", f"{name}_inc")
    stepped = limits["min"] + limits["inc"] * np.arange(n_points, dtype=np.float64)
    if "max" not in limits:
        return stepped
    # Half a step off at the end means a point too many or too few; less is the increment's rounding.
    if abs(stepped[-1] - limits["max"]) > limits["inc"] / 2:
        expected = round((limits["max"] - limits["min"]) / limits["inc"]) + 1
        problem = f"{name} gives {expected} points, {profile.intensity} has {n_points}"
        raise profile.refusal(problem, "correct the range or give one 2θ a point", f"{name}_inc")
    return np.linspace(limits["min"], limits["max"], n_points, dtype=np.float64)


def _read_background(profile: _Profile, notes: list[str]) -> FloatArray | None:
    """Return the background stored with the intensity, unless that is net of it already.

    It may be in a loop of its own, which is that of the same points when there are as many.
    """
    block = profile.block
    stored = [tag for tag in BACKGROUNDS if tag in block.columns]
    tag = next((tag for tag in stored if block.beside(tag, profile.intensity)), next(iter(stored), None))
    if tag is None:
        return None
    if profile.intensity.endswith("_net"):
        notes.append(f"{tag} was not used: {profile.intensity} has the background subtracted")
        return None
    n_values, n_points = len(block.column(tag)), len(block.column(profile.intensity))
    if n_values != n_points:
        notes.append(f"{tag} was not used: it has {n_values} values, {profile.intensity} has {n_points}")
        return None
    return profile.numbers(tag)[0]


def _read_uncertainty(profile: _Profile, in_parentheses: FloatArray) -> FloatArray | None:
    """Return standard uncertainties from their own item, else those in parentheses."""
    for suffix in ("_su", "_esd"):
        if profile.block.beside(profile.intensity + suffix, profile.intensity):
            return profile.numbers(profile.intensity + suffix)[0]
    return in_parentheses if np.isfinite(in_parentheses).any() else None


def _complete(values: FloatArray | None, measured: NDArray[np.bool_], what: str, notes: list[str]) -> FloatArray | None:
    """Return the values at measured points, or None with a note when some are missing."""
    if values is None:
        return None
    values = values[measured]
    missing = int(np.sum(~np.isfinite(values)))
    if missing:
        notes.append(f"the {what} are missing at {missing} points and were not used")
        return None
    return values


def _read_radiations(profile: _Profile, blocks: Sequence[_Block], notes: list[str]) -> tuple[Radiation, ...]:
    """Return what the block of the profile says about the radiation, else what all others agree on."""
    found = _radiations(profile, profile.block)
    if found:
        return found
    others = {radiation: block.name for block in blocks for radiation in _radiations(profile, block)}
    if len(others) == 1:
        radiation, name = others.popitem()
        notes.append(f"the radiation, {radiation.name}, is the one in block '{name}'")
        return (radiation,)
    return tuple(others)


def _radiations(profile: _Profile, block: _Block) -> tuple[Radiation, ...]:
    names = block.texts("_diffrn_radiation_type")
    sets: list[tuple[Sequence[float], Sequence[float]]] = []
    for tag in ("_diffrn_radiation_wavelength", "_diffrn_radiation_wavelength_value", "_pd_proc_wavelength"):
        texts = block.texts(tag)
        numbers = [parse_number(text) for text in texts]
        names += [text for text, number in zip(texts, numbers, strict=True) if number is None]
        values = [number[0] for number in numbers if number is not None]
        if tag == "_pd_proc_wavelength" and len(set(values)) > 1:
            raise profile.refusal("the wavelength varies from point to point", "give a monochromatic pattern", tag)
        if any(value <= 0 for value in values):
            raise profile.refusal(f"{tag} is not positive", "correct it, or remove it and give --wavelength", tag)
        weights = [parse_number(text) for text in block.texts(f"{tag.removesuffix('_value')}_wt")]
        if len(values) > 1 and len(weights) == len(values) and all(w is not None and w[0] > 0 for w in weights):
            sets.append((values, [weight[0] for weight in weights if weight is not None]))
        else:
            sets += [((value,), (1.0,)) for value in dict.fromkeys(values)]
    return distinct_radiations(names, sets)


def _plain(tag: str) -> str:
    """Return a data name in lower case, the newer dictionary's category.item written as the older's category_item."""
    return tag.lower().replace(".", "_")
