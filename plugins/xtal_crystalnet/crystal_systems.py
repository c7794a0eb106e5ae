"""The seven crystal systems, by name and by space group."""

from __future__ import annotations

import gemmi

from xtal_core.errors import OptionError

SYSTEMS = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic")


def which_system(space_group: int) -> str:
    """Return the crystal system of a space group by its international number."""
    return gemmi.find_spacegroup_by_number(space_group).crystal_system_str()


def systems_named(text: str) -> tuple[str, ...]:
    """Return the crystal systems in `text`, separated by commas, or all. Raises OptionError for other names."""
    if text == "all":
        return SYSTEMS
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in SYSTEMS:
            raise OptionError(f"'{name}' is no crystal system", f"choose from {', '.join(SYSTEMS)}, or give all")
    return names
