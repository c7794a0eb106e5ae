"""How strongly atoms scatter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import gemmi
import numpy as np

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray


def scattering_strengths(
    symbols: Sequence[str], radiation: Literal["xray", "neutron"], owner: str = "the structure"
) -> FloatArray:
    """Return (n_atoms,) scattering strengths of the elements of `owner`, D among them.

    X-rays: the number of electrons, which is the form factor at Q = 0 (pdffit2's choice, too; oxidation states do not
    count). Neutrons: the real part of the bound coherent scattering length of the natural element in fm (V. F. Sears,
    Neutron News 3(3), 26 (1992), from gemmi). Raises StructureError for an element without a tabulated one.
    """
    strengths = np.array([(_electrons if radiation == "xray" else _coherent_length)(symbol) for symbol in symbols])
    if not strengths.all():
        symbol = symbols[int(np.argmin(np.abs(strengths)))]
        raise StructureError(f"no neutron scattering length is tabulated for {symbol} of {owner}", "use X-rays")
    return strengths


def _electrons(symbol: str) -> float:
    return float(gemmi.Element(symbol).atomic_number)


@lru_cache(maxsize=256)
def _coherent_length(symbol: str) -> float:
    """Return the scattering length in fm; 0, as in the table, where nobody has measured it."""
    return gemmi.Element(symbol).neutron92.get_coefs()[0]
