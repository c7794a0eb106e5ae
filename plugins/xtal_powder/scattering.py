"""Atomic form factors and the Lorentz–polarisation factor, in pymatgen's conventions."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

#: Å² per electron: 41.78214 = 8π² ε₀ h² … / (m e²) of the Mott–Bethe relation between electron and X-ray factors.
MOTT_BETHE = 41.78214

N_GAUSSIANS = 4


@lru_cache(maxsize=1)
def form_factor_table() -> tuple[FloatArray, frozenset[int]]:
    """Return (n_elements + 1, 4, 2) Gaussian coefficients (a Å, b Å²) by atomic number, and which numbers have any.

    The electron scattering coefficients that pymatgen distributes (Peng et al., via Fultz and Howe).
    """
    from pymatgen.core import Element

    text = files("pymatgen.analysis.diffraction").joinpath("atomic_scattering_params.json").read_text()
    table = np.zeros((120, N_GAUSSIANS, 2))
    known = set()
    for symbol, coefficients in json.loads(text).items():
        if Element.is_valid_symbol(symbol):
            number = Element(symbol).Z
            table[number] = coefficients
            known.add(number)
    return table, frozenset(known)


def check_elements(numbers: set[int]) -> None:
    """Raise StructureError for an element without a form factor."""
    from pymatgen.core import Element

    missing = sorted(numbers - form_factor_table()[1])
    if missing:
        symbols = ", ".join(Element.from_Z(number).symbol for number in missing)
        raise StructureError(f"no X-ray form factor is tabulated for {symbols}", "replace the element")


def form_factors(numbers: torch.Tensor, s_squared: torch.Tensor, *, slope: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f and df/ds² for elements `numbers` (n_cells, n_elements) at s² (n_cells, …, n_reflections), s = sin θ/λ.

    s² is in Å⁻². Both results are (n_cells, …, n_elements, n_reflections); f = Z − 41.78214 s² Σ a exp(−b s²). The
    second is empty unless `slope` is asked for.
    """
    table = torch.as_tensor(form_factor_table()[0], device=s_squared.device)[numbers]
    table = table.reshape(len(numbers), *(1 for _ in s_squared.shape[1:-1]), numbers.shape[1], 1, N_GAUSSIANS, 2)
    square = s_squared[..., None, :]
    total = torch.zeros((), dtype=s_squared.dtype, device=s_squared.device)
    total_slope = total
    for k in range(N_GAUSSIANS):
        a, b = table[..., k, 0], table[..., k, 1]
        term = torch.exp(-b * square).mul_(a)
        total = total + term
        if slope:
            total_slope = total_slope + term * (1 - b * square)
    z = numbers.to(s_squared.dtype).reshape(*table.shape[:-3], 1)
    return z - MOTT_BETHE * square * total, -MOTT_BETHE * total_slope if slope else z.new_empty(0)


def lorentz_polarisation(q: torch.Tensor, wavelength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (1 + cos² 2θ)/(sin² θ cos θ) and its derivative with respect to Q, for Q in Å⁻¹ below 4π/λ."""
    per_q = wavelength / (4 * math.pi)
    x = (q * per_q).clamp(1e-9, 1 - 1e-9)
    double = 1 - 2 * x * x
    numerator = 1 + double * double
    value = numerator / (x * x * torch.sqrt(1 - x * x))
    slope = value * (-8 * x * double / numerator - 2 / x + x / (1 - x * x)) * per_q
    return value, slope
