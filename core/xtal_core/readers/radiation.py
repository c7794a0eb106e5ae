"""Which X-rays a text speaks of: names of emission lines, wavelengths and photon energies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from xtal_core.errors import OptionError
from xtal_core.pattern import EMISSION_LINES, Radiation
from xtal_core.suggest import suggest

#: hc in keV Å (CODATA 2018): wavelength = HC / energy.
HC = 12.398419843

#: Å. Powder diffraction happens between these; outside, another unit was meant.
PLAUSIBLE_WAVELENGTHS = (0.1, 5.0)

#: Relative difference below which a number and a name speak of the same emission line. Published values of one line
#: differ by 1e-4; the mean of a doublet is 8e-4 from its α1 line.
SAME_LINE = 4e-4

ANGSTROMS = {
    "": 1.0,
    "a": 1.0,
    "å": 1.0,
    "ang": 1.0,
    "angstrom": 1.0,
    "angstroms": 1.0,
    "nm": 10.0,
    "pm": 0.01,
    "m": 1e10,
}
REMEDY = "give CuKa for the α1/α2 doublet, CuKa1, MoKa, …, or a wavelength in Å such as 1.5406"

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_QUANTITY = re.compile(rf"({_NUMBER})\s*([a-zå]*)", re.IGNORECASE)
_SPELLINGS = (
    (r"\\a|α|alpha", "a"),
    (r"\\b|β|beta", "b"),
    ("₁", "1"),
    ("₂", "2"),
    (r"radiation|x-?rays?", ""),
    (r"[\s_~^{}()'\"-]+", ""),
    (r"ka1[,+/&]*(?:ka|a)?2$", "ka"),
)
_LINE_IN_TEXT = re.compile(
    r"(?<![a-z])(?:Cu|Mo|Co|Cr|Fe|Ag)[\s_-]*K[\s_-]*(?:α|alpha|\\a|a|β|beta|\\b|b)"
    r"[\s_~-]*(?:[12₁₂](?:[\s,+/&]*(?:K?[\s_-]*(?:α|alpha|a))?[\s_~-]*[2₂](?![\d.]))?(?![\d.]))?(?![a-z])",
    re.IGNORECASE,
)
_WAVELENGTH_IN_TEXT = re.compile(
    r"(?P<before>[^\n]*?)(?:wave[\s_-]*length|lamb?da|λ)"
    r"[\s_-]*(?:(?:k[\s_-]*)?(?:alpha|α|a)?[\s_-]*(?P<index>[12])(?![\d.]))?"
    r"(?P<between>(?:[\s:=,;\"'\[\](){}/]|in\b|å|angstroms?|nm|pm|a\b|m\b)*)"
    rf"(?P<number>{_NUMBER})\s*(?P<unit>å|angstroms?|nm|pm|m|a)?(?![a-z\d.-])",
    re.IGNORECASE,
)
_RATIO_IN_TEXT = re.compile(rf"ratio[^\d\n]*2[^\d\n]*1[^\d\n]*?({_NUMBER})", re.IGNORECASE)


def parse_radiation(text: str) -> Radiation:
    """Return the radiation that `text` names.

    Emission lines are taken in any usual spelling ("CuKa", "Cu Kα1", "Cu K-alpha"); Kα without a number is the α1/α2
    doublet, referring to α1. A number is a wavelength in Å, or in nm or keV when it says so ("0.15406 nm", "17 keV").

    Raises OptionError for anything else, and for wavelengths outside 0.1 to 5 Å.
    """
    quantity = _QUANTITY.fullmatch(text.strip())
    if quantity:
        return Radiation.monochromatic(_wavelength(text.strip(), float(quantity[1]), quantity[2].lower()))
    if re.fullmatch(r"\s*\d+,\d+\s*", text):
        raise OptionError(f"the wavelength is '{text.strip()}'", "write it with a decimal point")
    name = _line_name(text)
    if name not in EMISSION_LINES:
        if not text.strip():
            raise OptionError("the wavelength is empty", REMEDY)
        hint = suggest(name, EMISSION_LINES)
        remedy = f"{hint} Or give a wavelength in Å such as 1.5406" if hint.startswith("did you mean") else REMEDY
        raise OptionError(f"'{text.strip()}' is not a known radiation", remedy)
    return Radiation.from_line(name)


def radiations_in_text(text: str) -> tuple[Radiation, ...]:
    """Return the distinct radiations that a header speaks of: one when it is clear, several when it contradicts itself.

    Recognised are names of emission lines and numbers that follow "wavelength" or "lambda".
    """
    names = [match.group() for match in _LINE_IN_TEXT.finditer(text)]
    numbers: dict[str, list[float]] = {"": [], "1": [], "2": []}
    for line in text.splitlines():
        match = _WAVELENGTH_IN_TEXT.match(line)
        if match is None or re.search(r"beta|β|k[\s_-]*b(?![a-z])", match["before"], re.IGNORECASE):
            continue
        unit = match["unit"] or _unit(match["between"])
        wavelength = float(match["number"]) * ANGSTROMS[unit.lower()]
        if not PLAUSIBLE_WAVELENGTHS[0] <= wavelength <= PLAUSIBLE_WAVELENGTHS[1]:
            continue
        before = re.search(r"(?:alpha|α|k[\s_-]*a)[\s_-]*([12])\D*$", match["before"], re.IGNORECASE)
        numbers[match["index"] or (before[1] if before else "")].append(wavelength)
    sets: list[tuple[Sequence[float], Sequence[float]]] = []
    if numbers["1"] and numbers["2"]:
        ratio = _RATIO_IN_TEXT.search(text)
        sets.append(((numbers["1"][0], numbers["2"][0]), (1.0, float(ratio[1]) if ratio else 0.5)))
    else:
        sets += [((number,), (1.0,)) for number in numbers["1"] + numbers["2"]]
    sets += [((number,), (1.0,)) for number in numbers[""]]
    return distinct_radiations(names, sets)


def distinct_radiations(
    names: Iterable[str], wavelengths: Iterable[tuple[Sequence[float], Sequence[float]]]
) -> tuple[Radiation, ...]:
    """Return the radiations that names and sets of (wavelengths in Å, weights) speak of, those that agree only once.

    A single number beside the name of a doublet is its α1 line or its weighted mean, and the doublet is what was meant.
    Names that are not known are left out.
    """
    known = list(dict.fromkeys(name for name in map(_line_name, names) if name in EMISSION_LINES))
    for doublet in [name[:-1] for name in known if name.endswith("Ka1") and f"{name[:-1]}2" in known]:
        known = [name for name in known if name not in (f"{doublet}1", f"{doublet}2", doublet)] + [doublet]
    found = [Radiation.from_line(name) for name in known]
    sets = sorted(wavelengths, key=lambda pair: -len(pair[0]))
    for values, weights in sets:
        strongest_first = sorted(zip(values, weights, strict=True), key=lambda pair: -pair[1])
        radiation = Radiation.monochromatic(values[0])
        if len(values) > 1:
            ordered, amounts = zip(*strongest_first, strict=True)
            radiation = Radiation(" + ".join(f"{value:g}" for value in ordered) + " Å", ordered, amounts)
        if not any(_speaks_of(radiation, other) for other in found):
            found.append(radiation)
    return tuple(found)


def mean_wavelength(radiation: Radiation) -> float:
    """Return the weighted mean wavelength in Å."""
    return float(np.average(radiation.wavelengths, weights=radiation.weights))


def doublet_with_mean(wavelength: float) -> str | None:
    """Return the name of the Kα doublet whose weighted mean is `wavelength` in Å, if there is one."""
    for name, (wavelengths, _) in EMISSION_LINES.items():
        if len(wavelengths) > 1 and abs(mean_wavelength(Radiation.from_line(name)) / wavelength - 1) < SAME_LINE / 4:
            return name
    return None


def _speaks_of(radiation: Radiation, other: Radiation) -> bool:
    """Return whether the numbers of `radiation` are those of `other`, or its mean."""
    if len(radiation.wavelengths) == len(other.wavelengths):
        return bool(np.allclose(radiation.wavelengths, other.wavelengths, rtol=SAME_LINE, atol=0))
    references = (other.wavelength, mean_wavelength(other))
    return len(radiation.wavelengths) == 1 and any(abs(radiation.wavelength / r - 1) < SAME_LINE for r in references)


def _line_name(text: str) -> str:
    """Return the name of an emission line as the keys of `EMISSION_LINES` are written, known or not."""
    name = text.strip().lower()
    for pattern, replacement in _SPELLINGS:
        name = re.sub(pattern, replacement, name)
    return re.sub(r"^([a-z])([a-z]?)k", lambda match: f"{match[1].upper()}{match[2]}K", name)


def _wavelength(text: str, number: float, unit: str) -> float:
    """Return a wavelength in Å; `unit` is a unit of length or energy, lower case."""
    if unit in ("kev", "ev"):
        energy = number if unit == "kev" else number / 1000
        wavelength = HC / energy if energy > 0 else 0.0
    elif unit in ANGSTROMS:
        wavelength = number * ANGSTROMS[unit]
    else:
        raise OptionError(f"'{text}' has the unknown unit '{unit}'", "give Å, nm or keV")
    low, high = PLAUSIBLE_WAVELENGTHS
    if low <= wavelength <= high:
        return wavelength
    remedy = f"give a wavelength from {low:g} to {high:g} Å"
    if not unit and 0 < number < low:
        remedy += f"; if it is in nm, write {number:g}nm"
    elif not unit and number > high:
        remedy += f"; if it is an energy in keV, write {number:g}keV"
    raise OptionError(f"a wavelength of {wavelength:g} Å is not one of powder diffraction", remedy)


def _unit(text: str) -> str:
    """Return the unit of length that stands between "wavelength" and its number, if any."""
    match = re.search(r"å|angstroms?|nm|pm|\ba\b|\bm\b", text, re.IGNORECASE)
    return match.group() if match else ""
