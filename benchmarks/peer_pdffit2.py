"""G(r) by diffpy.pdffit2; runs in the peers' Python. See peers.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from diffpy.pdffit2 import PdfFit, redirect_stdout  # type: ignore[import-not-found]
from diffpy.structure import Atom, Lattice, Structure
from numpy.typing import NDArray

redirect_stdout(open("/dev/null", "w"))  # noqa: SIM115 - for as long as the process lives

FloatArray = NDArray[np.float64]


def prepare(
    lattice: FloatArray,
    fractional: FloatArray,
    symbols: Sequence[str],
    occupancies: Sequence[float],
    displacements: FloatArray,
    conditions: dict[str, Any],
    lengths: dict[str, float],
) -> None:
    """Load a structure and conditions into a new PdfFit, which `calculate` uses.

    `displacements` are CIF's (n_atoms, 3, 3) U in Å². `lengths` replace scattering strengths of the radiation.
    """
    global fit
    structure = Structure(lattice=Lattice(base=lattice))
    for xyz, symbol, occupancy, u in zip(fractional, symbols, occupancies, displacements, strict=True):
        structure.append(Atom(symbol, xyz, occupancy=occupancy, U=u, lattice=structure.lattice))
    fit = PdfFit()
    fit.add_structure(structure)
    radiation = {"xray": "X", "neutron": "N"}[conditions["radiation"]]
    r_min, r_max, r_step = (conditions[name] for name in ("r_min", "r_max", "r_step"))
    n = round((r_max - r_min) / r_step) + 1
    fit.alloc(radiation, conditions["q_max"] or 0.0, conditions["q_damp"], r_min, r_max, n)
    fit.setvar("qbroad", conditions["q_broad"])
    fit.setvar("delta1", conditions["delta1"])
    fit.setvar("delta2", conditions["delta2"])
    for symbol, length in lengths.items():
        fit.set_scat(radiation, symbol, length)


def calculate() -> FloatArray:
    """Return G(r) of what was prepared."""
    fit.calc()
    return np.array(fit.getpdf_fit())
