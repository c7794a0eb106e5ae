"""How large a cell should be: effective atomic volumes, from which the volume of any composition is estimated.

V = Σ n_e [v_e + s_e (χ̄ − χ̄_e)] with the mean Pauling electronegativity χ̄ of the composition, and χ̄_e its mean over
the known compounds of element e. The second term tells sodium in NaCl from sodium in an alloy. v_e and s_e were fitted
to calculated structures (`volume_fit`, model card in `data/`); (3 v_e / 4π)^⅓ is the effective radius of an element.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from xtal_core.errors import StructureError

VOLUME_TABLE = "element_volumes.json"


@dataclass(frozen=True)
class ElementVolume:
    """Volume model of one element.

    Attributes
    ----------
    volume
        v_e in Å³, the element's volume in its average compound.
    slope
        s_e in Å³ per unit of electronegativity.
    electronegativity
        Pauling's value.
    surroundings
        χ̄_e, the mean electronegativity of its compounds.
    n_structures
        How many structures of the fit held the element.
    """

    volume: float
    slope: float
    electronegativity: float
    surroundings: float
    n_structures: int

    @property
    def radius(self) -> float:
        """Radius in Å of a sphere of volume `volume`."""
        return (3 * self.volume / (4 * math.pi)) ** (1 / 3)


@cache
def element_volumes() -> dict[int, ElementVolume]:
    """Return the fitted table by atomic number."""
    table = json.loads((files("xtal_prototype") / "data" / VOLUME_TABLE).read_text("utf-8"))
    return {int(number): ElementVolume(*row) for number, row in table["elements"].items()}


def expected_volume(amounts: Mapping[int, float], table: Mapping[int, ElementVolume] | None = None) -> float:
    """Return the volume in Å³ that `amounts` atoms of each atomic number occupy in a crystal.

    `table` is another fit than the one that ships with the package.

    The typical error is 4 %, one structure in ten is off by more than 14 %. Calculated (PBE) volumes were fitted, which
    exceed measured ones by some 3 %.

    Raises StructureError for an element that the fit did not see.
    """
    table = element_volumes() if table is None else table
    unknown = sorted(set(amounts) - set(table))
    if unknown:
        raise StructureError(
            f"no atomic volume is known for the element(s) with atomic number {', '.join(map(str, unknown))}",
            "leave the prototype search out",
        )
    n_atoms = sum(amounts.values())
    mean = sum(amount * table[number].electronegativity for number, amount in amounts.items()) / n_atoms
    volume = sum(
        amount * (table[number].volume + table[number].slope * (mean - table[number].surroundings))
        for number, amount in amounts.items()
    )
    # The linear model can fail far outside what it was fitted on; no crystal is denser than 2 Å³ an atom.
    return max(volume, 2.0 * n_atoms)
