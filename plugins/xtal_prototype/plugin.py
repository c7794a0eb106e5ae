"""Manifest of the isostructural search."""

from __future__ import annotations

from dataclasses import dataclass

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option


@dataclass(frozen=True)
class PrototypeOptions:
    """Options of the isostructural search."""

    library: str | None = option(None, "structure library file; none: XTAL_LIBRARY, else the user's data folder")
    use_library: bool = option(True, "search the structure library")
    same_formula: bool = option(True, "use structures of the formula itself; off searches as if the compound were new")
    table: bool = option(True, "search the prototype table that comes with the package")
    aflow: bool = option(True, "search the AFLOW prototypes that come with pymatgen")
    candidates: int = option(100, "candidates handed to the refiner", bounds=(1, None))
    cell_sizes: int = option(4, "numbers of formula units tried for types of another composition", bounds=(0, None))
    members: int = option(12, "decorations screened for each structure type", bounds=(1, None))
    assignments: int = option(3, "ways of distributing the elements tried for each library entry", bounds=(1, None))
    redistributed_members: int = option(
        2, "members screened of each structure type of another composition", bounds=(0, None)
    )
    redistributions: int = option(6, "distributions of the elements tried on each of them", bounds=(1, None))
    screened: int = option(2000, "decorations screened altogether", bounds=(1, None))
    likeness_weight: float = option(0.01, "residual that one unit of chemical likeness outweighs", bounds=(0, None))


@hookimpl
def xtal_generators() -> list[PluginRecord]:
    """Return the isostructural search."""
    return [
        PluginRecord(
            "prototype",
            "known structure types decorated with the formula's elements, screened against the pattern",
            "xtal_prototype.generator:PrototypeGenerator",
            interface=1,
            options=PrototypeOptions,
        )
    ]


@hookimpl
def xtal_commands() -> list[PluginRecord]:
    """Return the commands that manage structure libraries."""
    return [PluginRecord("library", "manage structure libraries", "xtal_prototype.commands:app", interface=1)]
