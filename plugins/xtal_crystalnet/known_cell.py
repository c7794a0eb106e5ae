"""The primitive cells that a cell the user knows may stand for."""

from __future__ import annotations

import numpy as np

from xtal_core.errors import OptionError
from xtal_core.pattern import FloatArray
from xtal_crystalnet.standard_cell import CENTRINGS

_REMEDY = "write it like '5.64 5.64 5.64 90 90 90': a, b, c in Å, α, β, γ in degrees"


def parse_cell(text: str) -> FloatArray:
    """Return the (3, 3) Å lattice vectors, as rows, of a cell written as a b c α β γ, separated by spaces or commas.

    Raises OptionError for what is no cell.
    """
    from pymatgen.core import Lattice

    try:
        a, b, c, alpha, beta, gamma = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise OptionError(f"'{text}' is no cell of six numbers", _REMEDY) from None
    lengths, angles = np.array([a, b, c]), np.radians([alpha, beta, gamma])
    cosines = np.cos(angles)
    flatness = 1 - np.square(cosines).sum() + 2 * cosines.prod()
    if not (np.isfinite(lengths).all() and (lengths > 0.5).all() and flatness > 1e-6):
        raise OptionError(f"no cell has the edges and angles '{text}'", _REMEDY)
    return np.array(Lattice.from_parameters(a, b, c, alpha, beta, gamma).matrix)


def primitive_cells(lattice: FloatArray) -> dict[str, FloatArray]:
    """Return the (3, 3) Å primitive lattice by every centring that the conventional `lattice` (3, 3) Å may have.

    "P" is the cell itself. R is offered for hexagonal axes only.
    """
    cells = {"P": lattice}
    for letter, columns in CENTRINGS.items():
        if letter != "R" or _is_hexagonal(lattice):
            cells[letter] = np.array(columns).T @ lattice
    return cells


def log_metric_distance(first: FloatArray, second: FloatArray) -> float:
    """Return how far two lattices (3, 3) Å differ in shape and size: root mean square of the logarithmic strains."""
    chosen = np.linalg.cholesky(first @ first.T)
    inverse = np.linalg.inv(chosen)
    strains = 0.5 * np.log(np.linalg.eigvalsh(inverse @ (second @ second.T) @ inverse.T))
    return float(np.sqrt(np.mean(strains**2)))


def _is_hexagonal(lattice: FloatArray) -> bool:
    metric = lattice @ lattice.T
    scale = metric[0, 0]
    return bool(
        abs(metric[1, 1] / scale - 1) < 1e-3
        and abs(metric[0, 1] / scale + 0.5) < 1e-3
        and abs(metric[0, 2]) + abs(metric[1, 2]) < 1e-3 * scale
    )
