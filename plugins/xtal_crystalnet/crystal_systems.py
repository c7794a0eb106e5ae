"""The seven crystal systems by space group, International Tables for Crystallography A."""

from __future__ import annotations

from xtal_core.errors import OptionError

#: Crystal systems, and the last number of their space groups.
LAST = {
    "triclinic": 2,
    "monoclinic": 15,
    "orthorhombic": 74,
    "tetragonal": 142,
    "trigonal": 167,
    "hexagonal": 194,
    "cubic": 230,
}


def which_system(space_group: int) -> str:
    """Return the crystal system of a space group by its international number."""
    return next(name for name, last in LAST.items() if space_group <= last)


def systems_named(text: str) -> tuple[str, ...]:
    """Return the crystal systems in `text`, separated by commas, or all. Raises OptionError for other names."""
    if text == "all":
        return tuple(LAST)
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in LAST:
            raise OptionError(f"'{name}' is no crystal system", f"choose from {', '.join(LAST)}, or give all")
    return names
